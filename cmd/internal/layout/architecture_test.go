package layout

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// ARCHITECTURE.md names functions, as `folder.Function` or `folder.Type.Method`.
func TestFunctionOfTheArchitectureIsGone(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile("`([a-z]+(?:/[a-z]+)+(?:\\.[A-Za-z]+)+)`").FindAllStringSubmatch(string(text), -1)
	if len(named) < 15 {
		t.Fatalf("only %d functions are named", len(named))
	}
	declared := map[string]bool{}
	sources(t, false, func(path string, f *ast.File) {
		folder := path[:max(strings.LastIndexByte(path, '/'), 0)]
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				declared[folder+"."+receiver(fn)+fn.Name.Name] = true
			}
		}
	})
	for _, n := range named {
		if !strings.HasSuffix(n[1], ".md") && !strings.HasSuffix(n[1], ".go") && !declared[n[1]] {
			t.Errorf("ARCHITECTURE.md names %s, which does not exist", n[1])
		}
	}
}

// receiver returns the type of a method with a dot; empty for a function.
func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	of := f.Recv.List[0].Type
	if star, ok := of.(*ast.StarExpr); ok {
		of = star.X
	}
	if generic, ok := of.(*ast.IndexExpr); ok {
		of = generic.X
	}
	if id, ok := of.(*ast.Ident); ok {
		return id.Name + "."
	}
	return ""
}
