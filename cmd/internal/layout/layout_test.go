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

// sources hands over every Go file of the repository that is not a test.
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

// The layers, and what each may import of Flyball's own. No arrow joins the
// four in the middle: they meet in schema, and cmd connects them.
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

// The words do no input and output; ClickHouse's HTTP interface is the one
// exception, where rows are laid out and inserted.
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

// A comment that says "Package x …" stands in one file of every package, a
// command's begins with "Command x" or "Package main"; and no package is a
// collection of what had no other place.
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

// The clock is handed in everywhere below cmd: event time decides.
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

// Metrics belong to an instance: a package-level one cannot be made twice.
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
