package engine

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// sources returns the files of a directory that are not tests.
func sources(t *testing.T, dir string) (out map[string]*ast.File) {
	t.Helper()
	out = map[string]*ast.File{}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		out[path] = f
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// detectorNames returns the names under which detectors store their state: constants of package
// detector that end in Name.
func detectorNames(t *testing.T) (names []string) {
	t.Helper()
	for _, f := range sources(t, "../detector") {
		ast.Inspect(f, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Names) != 1 || !strings.HasSuffix(spec.Names[0].Name, "Name") || len(spec.Values) != 1 {
				return true
			}
			if lit, ok := spec.Values[0].(*ast.BasicLit); ok && lit.Kind == token.STRING && spec.Names[0].Name != "otherName" {
				name, _ := strconv.Unquote(lit.Value)
				names = append(names, name)
			}
			return true
		})
	}
	return names
}

// The engine runs any detectors: it refers to none by its package, its name, its findings or its
// types.
func TestEngineNamesNoDetector(t *testing.T) {
	names := detectorNames(t)
	if len(names) < 6 {
		t.Fatalf("%q: the test finds too few detectors to show anything", names)
	}
	known := []string{"Options", "DefaultOptions", "Metrics", "NewMetrics", "Set", "Deployed"}
	imports := []string{"baselinestore", "curve", "detector", "journal", "stitch", "model/baseline"}
	for path, f := range sources(t, ".") {
		for _, imp := range f.Imports {
			p, _ := strconv.Unquote(imp.Path.Value)
			if own, ok := strings.CutPrefix(p, "flyball/detect/"); ok && !slices.Contains(imports, own) {
				t.Errorf("%s imports %s", path, p)
			}
		}
		ast.Inspect(f, func(n ast.Node) bool {
			switch x := n.(type) {
			case *ast.BasicLit:
				if s, _ := strconv.Unquote(x.Value); slices.Contains(names, s) {
					t.Errorf("%s has the name of detector %s", path, s)
				}
			case *ast.SelectorExpr:
				pkg, ok := x.X.(*ast.Ident)
				if ok && pkg.Name == "detector" && !slices.Contains(known, x.Sel.Name) || ok && pkg.Name == "schema" &&
					strings.HasPrefix(x.Sel.Name, "Family") {
					t.Errorf("%s uses %s.%s", path, pkg.Name, x.Sel.Name)
				}
			}
			return true
		})
	}
}
