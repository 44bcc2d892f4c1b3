package layout

import (
	"go/ast"
	"os"
	"path/filepath"
	"regexp"
	"testing"
)

// Each line of the tables of failures and upgrades in deploy/README.md names the tests that show it.
func TestFailureOfTheReadmeHasNoTest(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, "deploy", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	tests := map[string]bool{}
	sources(t, true, func(_ string, f *ast.File) {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok {
				tests[fn.Name.Name] = true
			}
		}
	})
	named := regexp.MustCompile("`(Test[A-Z][A-Za-z0-9]*)`").FindAllStringSubmatch(string(text), -1)
	if len(named) < 25 {
		t.Errorf("the tables name %d tests", len(named))
	}
	for _, m := range named {
		if !tests[m[1]] {
			t.Errorf("deploy/README.md names %s, which does not exist", m[1])
		}
	}
}
