package layout

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const root = "../../.."

// sources calls each with every Go file of the repository; tests selects test files.
func sources(t *testing.T, tests bool, each func(path string, f *ast.File)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name := d.Name()
		if d.IsDir() && path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "node_modules" || name == "bin") {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") != tests {
			return nil
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		each(filepath.ToSlash(rel), f)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// layers are the folders and the folders of Flyball that each may import. The four middle
// layers do not import each other: they share only schema, and cmd connects them.
var layers = map[string][]string{
	"cmd": {"cmd", "ingest", "detect", "alerts", "dashboards", "schema"}, "ingest": {"ingest", "schema"}, "detect": {"detect", "schema"},
	"alerts": {"alerts", "schema"}, "dashboards": {"dashboards", "schema"}, "schema": {"schema"},
}

func TestImportsPointOneWay(t *testing.T) {
	sources(t, false, func(path string, f *ast.File) {
		layer, _, _ := strings.Cut(path, "/")
		for _, imp := range f.Imports {
			p, _ := strconv.Unquote(imp.Path.Value)
			own, ok := strings.CutPrefix(p, "flyball/")
			if !ok {
				continue
			}
			to, _, _ := strings.Cut(own, "/")
			if !slices.Contains(layers[layer], to) {
				t.Errorf("%s imports %s: %s may import %v only", path, p, layer, layers[layer])
			}
		}
	})
}

// Package schema does no input and output. The only exception is the HTTP interface of
// ClickHouse, with which blocks are inserted.
func TestSchemaSpeaksNoHTTP(t *testing.T) {
	sources(t, false, func(path string, f *ast.File) {
		for _, imp := range f.Imports {
			if imp.Path.Value == `"net/http"` && strings.HasPrefix(path, "schema/") && !strings.HasPrefix(path, "schema/clickhouse/") {
				t.Errorf("%s imports net/http", path)
			}
		}
	})
}

func TestTopLevelNamesAreFixed(t *testing.T) {
	allowed := []string{"cmd", "ingest", "detect", "schema", "dashboards", "alerts", "deploy", "go.mod", "go.sum", "Makefile",
		"README.md", "LICENSE", "NOTICE", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md", "ARCHITECTURE.md", "bin", "flyball-data",
		"flyball.yaml"}
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && !slices.Contains(allowed, e.Name()) {
			t.Errorf("%s is not one of the top-level names", e.Name())
		}
	}
}

// One file of every package has a comment that begins with "Package x", or for a command with
// "Command x" or "Package main". No package is a collection of unrelated functions.
func TestEveryPackageIsDocumented(t *testing.T) {
	documented, seen := map[string]bool{}, map[string]string{}
	sources(t, false, func(path string, f *ast.File) {
		dir := filepath.Dir(path)
		seen[dir] = f.Name.Name
		if f.Doc != nil && (strings.HasPrefix(f.Doc.Text(), "Package "+f.Name.Name+" ") || f.Name.Name == "main" &&
			strings.HasPrefix(f.Doc.Text(), "Command ")) {
			documented[dir] = true
		}
		for part := range strings.SplitSeq(dir, "/") {
			if slices.Contains([]string{"util", "utils", "common", "helpers", "base", "misc"}, part) {
				t.Errorf("%s: a package that has no better name belongs to its caller", dir)
			}
		}
	})
	for dir, name := range seen {
		if !documented[dir] {
			t.Errorf("%s: no file begins with the comment \"Package %s …\" (\"Command …\" for a command)", dir, name)
		}
	}
}

// Packages below cmd get the clock as a parameter, because event time decides.
func TestNoWallClockBelowCmd(t *testing.T) {
	sources(t, false, func(path string, f *ast.File) {
		if !strings.HasPrefix(path, "detect/") && !strings.HasPrefix(path, "ingest/") && !strings.HasPrefix(path, "schema/") {
			return
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if s, ok := call.Fun.(*ast.SelectorExpr); ok && s.Sel.Name == "Now" {
				if x, ok := s.X.(*ast.Ident); ok && x.Name == "time" {
					t.Errorf("%s calls time.Now", path)
				}
			}
			return true
		})
	})
}

// Metrics belong to an instance: package-level metrics cannot be registered twice.
func TestNoPackageLevelMetrics(t *testing.T) {
	sources(t, false, func(path string, f *ast.File) {
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.VAR {
				continue
			}
			ast.Inspect(g, func(n ast.Node) bool {
				if x, ok := n.(*ast.Ident); ok && (x.Name == "prometheus" || x.Name == "promauto") {
					t.Errorf("%s has a package-level metric", path)
				}
				return true
			})
		}
	})
}
