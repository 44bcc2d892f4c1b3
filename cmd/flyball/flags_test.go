package main

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Some commands called the reason --why and others --reason: whoever had learned one was refused by half of the commands.
func TestReasonHasTwoNames(t *testing.T) {
	n := 0
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			walk(sub)
		}
		reason, why := c.Flags().Lookup("reason"), c.Flags().Lookup("why")
		if c.CommandPath() == "flyball dead-letters replay" { // there it is the reason of dead letters
			return
		}
		if (reason == nil) != (why == nil) {
			t.Errorf("%s: --reason %v, --why %v", c.CommandPath(), reason != nil, why != nil)
			return
		}
		if reason == nil {
			return
		}
		n++
		if !why.Hidden || why.Value != reason.Value && c.Flags().Set("why", "x") == nil && reason.Value.String() != "x" {
			t.Errorf("%s: --why is no hidden, deprecated name of --reason", c.CommandPath())
		}
		if strings.Contains(c.Long+c.Example, "--why") {
			t.Errorf("%s: its help says --why", c.CommandPath())
		}
	}
	walk(newRoot())
	if n < 20 {
		t.Errorf("%d commands with a reason", n)
	}
}

// Scripts of a version before go on, and are told.
func TestScriptThatSaysWhyStops(t *testing.T) {
	f := newFixture(t, "")
	f.api = map[string]string{"POST /v1/findings/f_1/verdict": `{"outcome":"labelled","generation":12,"tenant":"default","ref":"f_1"}`}
	code, out, errs := f.run("findings", "verdict", "f_1", "benign", "--why", "seen")
	if code != exitDone || !strings.HasPrefix(out, "f_1: benign") || !strings.Contains(errs, "--why is deprecated: use --reason") ||
		len(f.got) == 0 || !strings.Contains(strings.Join(f.got, " "), `"why":"seen"`) {
		t.Errorf("exit %d, %q, %q, %q", code, out, errs, f.got)
	}
}
