package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// toldCommand is a command in a sentence, a page or an error: what follows "flyball" as words.
var toldCommand = regexp.MustCompile("(?:^|[ (:`'\"])flyball((?: [a-z][a-z-]*)+)( --help| $)?")

// prose are words that follow the name of the product in sentences and in names of keys.
var prose = map[string]bool{"and": true, "is": true, "reads": true, "running": true, "with": true, // sentences
	"dead": true, "deployment": true, "ocsf": true, "receipt": true} // purposes of derived keys

// A page about many agents said "flyball breakers", which lists nothing: it prints the help.
func TestErrorOrPageNamesACommandThatDoesNothing(t *testing.T) {
	root := newRoot()
	said := 0
	told := func(at, text string) {
		for _, m := range toldCommand.FindAllStringSubmatch(text, -1) {
			cmd := root
			for word := range strings.FieldsSeq(m[1]) {
				next := subcommand(cmd, word)
				if next == nil {
					break
				}
				cmd = next
			}
			switch first := strings.Fields(m[1])[0]; {
			case cmd == root && !prose[first]:
				t.Errorf("%s: %q: there is no command %q", at, text, first)
			case cmd != root:
				if said++; isGroup(cmd) && m[2] == "" { // at the end of a text, the next literal goes on

					t.Errorf("%s: %q: %s alone prints its help", at, text, cmd.CommandPath())
				}
			}
		}
	}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git" || d.Name() == "bin") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if text, err := strconv.Unquote(lit.Value); err == nil {
					told(set.Position(lit.Pos()).String(), text)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if said < 150 {
		t.Errorf("only %d commands were found", said)
	}
}

func subcommand(of *cobra.Command, word string) *cobra.Command {
	for _, c := range of.Commands() {
		if c.Name() == word || c.HasAlias(word) {
			return c
		}
	}
	return nil
}

// isGroup reports whether a command has commands and does nothing without one.
func isGroup(c *cobra.Command) bool { return c.HasSubCommands() && c.DisableFlagsInUseLine }
