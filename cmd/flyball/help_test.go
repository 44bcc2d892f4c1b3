package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

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
