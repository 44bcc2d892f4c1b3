package app

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"flyball/cmd/internal/config"
)

// notChecked are functions that make something of a configuration for the start, and that Validate does
// not call, with the reason.
var notChecked = map[string]string{
	"ReadContents":       "describes a configuration; its only part that can refuse is operatorRoutes",
	"brokerOptions":      "creates the broker's password; Validate calls its other parts: shipperLogin, and brokerLogin for the password",
	"makeBrokerPassword": "creates the broker's password",
	"MakeEnginePassword": "creates the engine's password; Validate reads one that is there by engineLogin",
	"makePassword":       "creates a password",
	"protectData":        "changes modes of the data folder",
	"BackupHeader":       "reads the key, as Validate does",
	"RotateKey":          "replaces the key, which Validate reads by ReadKeys",
	"ForgetKeys":         "removes former keys, which Validate reads by ReadKeys",
	"operatorTokens":     "reads the tokens by tokenHash, as Validate does",
}

// A value that only the start looked at was good for check-config: each function that can refuse a
// configuration must be one that Validate calls.
func TestValidateCallsEveryFunctionThatCanRefuseAConfiguration(t *testing.T) {
	calls, refusing := map[string][]string{}, []string{}
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv != nil {
				continue
			}
			name := f.Name.Name
			if takesConfig(f.Type) && returnsError(f.Type) && !takesContext(f.Type) {
				refusing = append(refusing, name)
			}
			ast.Inspect(f.Body, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok {
					if id, ok := call.Fun.(*ast.Ident); ok {
						calls[name] = append(calls[name], id.Name)
					}
				}
				return true
			})
		}
	}
	reached := map[string]bool{}
	var visit func(string)
	visit = func(name string) {
		if !reached[name] {
			reached[name] = true
			for _, called := range calls[name] {
				visit(called)
			}
		}
	}
	visit("Validate")
	if len(refusing) < 10 {
		t.Errorf("only %q take a configuration and return an error", refusing)
	}
	for _, name := range refusing {
		if _, known := notChecked[name]; !known && !reached[name] {
			t.Errorf("%s can refuse a configuration, and Validate does not call it", name)
		}
	}
}

func takesConfig(f *ast.FuncType) bool  { return hasParameter(f, "config", "Config") }
func takesContext(f *ast.FuncType) bool { return hasParameter(f, "context", "Context") }

func hasParameter(f *ast.FuncType, pkg, name string) bool {
	for _, p := range f.Params.List {
		if s, ok := p.Type.(*ast.SelectorExpr); ok && s.Sel.Name == name {
			if id, ok := s.X.(*ast.Ident); ok && id.Name == pkg {
				return true
			}
		}
	}
	return false
}

func returnsError(f *ast.FuncType) bool {
	if f.Results == nil {
		return false
	}
	for _, r := range f.Results.List {
		if id, ok := r.Type.(*ast.Ident); ok && id.Name == "error" {
			return true
		}
	}
	return false
}

// Two checks read the routes: an error of a document is one line.
func TestMistakeOfADocumentIsReportedTwice(t *testing.T) {
	c := config.Default()
	c.Routes = []config.Route{{OpenAPI: filepath.Join(t.TempDir(), "none.yaml")}}
	err := Validate(c, "up")
	if err == nil || strings.Count(err.Error(), "routes[0].openapi") != 1 {
		t.Fatal(err)
	}
}
