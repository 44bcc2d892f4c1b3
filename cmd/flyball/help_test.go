package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"
)

// 57 commands in the order of the alphabet do not say where to begin.
func TestCommandIsInNoGroup(t *testing.T) {
	root := newRoot()
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	var known []string
	for _, c := range root.Commands() {
		known = append(known, c.Name())
		if c.GroupID == "" && !c.Hidden {
			t.Errorf("%s is in no group", c.Name())
		}
	}
	for _, g := range groups {
		for _, name := range strings.Fields(g.commands) {
			if !slices.Contains(known, name) {
				t.Errorf("group %s has %s, which is no command", g.title, name)
			}
		}
	}
}

func TestHelpIsWiderThanItsTerminal(t *testing.T) {
	for _, width := range []int{40, 80} {
		for _, args := range [][]string{{"--help"}, {"breakers", "--help"}, {"breakers", "trip", "--help"}} {
			f := newFixture(t, "")
			f.width = width
			_, out, _ := f.run(args...)
			_, usage, _ := strings.Cut(out, "Usage:")
			for line := range strings.Lines(usage) {
				if n := runewidth.StringWidth(strings.TrimSuffix(line, "\n")); n > max(width, 60) && !strings.HasPrefix(line, "  flyball ") {
					t.Errorf("%q, %d columns: %q", args, n, line)
				}
			}
		}
	}
}

// A changed help text or a removed flag is visible in the diff of the golden file.
func TestHelpOfEveryCommand(t *testing.T) {
	var out strings.Builder
	root := newRoot()
	var each func(*cobra.Command)
	each = func(c *cobra.Command) {
		if c.Hidden || c.Name() == "help" || c.Name() == "completion" {
			return
		}
		var b bytes.Buffer
		c.SetOut(&b)
		if err := c.Help(); err != nil {
			t.Fatal(err)
		}
		text, _, _ := strings.Cut(b.String(), "\nGlobal Flags:")
		out.WriteString("=== " + c.CommandPath() + "\n" + text + "\n")
		for _, sub := range c.Commands() {
			each(sub)
		}
	}
	each(root)
	golden(t, "help.txt", out.String())
}
