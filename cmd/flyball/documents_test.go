package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// documented is a command in a code span or an indented line of a document.
var documented = regexp.MustCompile("(?m)(?:`|^ {4,}|/)flyball ([a-z][^`\n#|]*)")

// A document named a command, or a flag of it, that there is not.
func TestDocumentNamesACommandOrAFlagThatIsNot(t *testing.T) {
	root := newRoot()
	said := 0
	check := func(file, line string) {
		cmd := root
		for word := range strings.FieldsSeq(line) {
			word = strings.Trim(word, "'\",.;:)")
			if name, is := strings.CutPrefix(word, "--"); is {
				name, _, _ = strings.Cut(name, "=")
				if said++; name != "help" && cmd.Flags().Lookup(name) == nil && cmd.InheritedFlags().Lookup(name) == nil {
					t.Errorf("%s: %q: %s has no flag --%s", file, "flyball "+line, cmd.CommandPath(), name)
				}
				continue
			}
			if next := subcommand(cmd, word); next != nil {
				cmd = next
				said++
			}
		}
		if first, _, _ := strings.Cut(line, " "); cmd == root && !strings.Contains(first, ":") { // an image has a version
			t.Errorf("%s: %q: there is no such command", file, "flyball "+line)
		}
	}
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "node_modules" || d.Name() == ".git" || d.Name() == "bin" || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || filepath.Ext(path) != ".md" {
			return nil
		}
		text, err := os.ReadFile(path)
		for _, m := range documented.FindAllStringSubmatch(string(text), -1) {
			check(path, m[1])
		}
		return err
	})
	if err != nil || said < 200 {
		t.Errorf("%d commands and flags were found: %v", said, err)
	}
}
