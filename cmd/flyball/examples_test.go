package main

import (
	"slices"
	"strings"
	"testing"
)

// words splits a line as a shell does, without what redirects input and output.
func words(t *testing.T, line string) (out []string) {
	t.Helper()
	quoted, word, begun := false, "", false
	for _, r := range line + " " {
		switch {
		case r == '\'':
			quoted, begun = !quoted, true
		case r == ' ' && !quoted:
			if begun {
				out = append(out, word)
			}
			word, begun = "", false
		default:
			word, begun = word+string(r), true
		}
	}
	if quoted || len(out) == 0 || out[0] != "flyball" {
		t.Fatalf("%q is no command line", line)
	}
	if i := slices.IndexFunc(out, func(w string) bool { return w == ">" || w == "<" }); i >= 0 {
		out = out[:i]
	}
	return out[1:]
}

// needKafka are the commands that read Kafka, or wait for a process: of these the command line is checked, and nothing is run.
var needKafka = []string{"evidence", "alert explain", "baselines show", "baselines list", "dead-letters show", "credential-id", "backtest",
	"doctor", "status"}

// Examples in the help are typed as they are.
func TestExampleInTheHelpIsRefused(t *testing.T) {
	run := 0
	for name, lines := range examples {
		for _, line := range lines {
			args := words(t, line)
			root := newRoot()
			cmd, rest, err := root.Find(args)
			if err != nil || cmd.CommandPath() != "flyball "+name {
				t.Errorf("%q is of %s: %v", line, cmd.CommandPath(), err)
				continue
			}
			if !strings.Contains(cmd.Example, line) {
				t.Errorf("%q is not in the help", line)
			}
			if slices.Contains(needKafka, name) {
				if err := cmd.ParseFlags(rest); err != nil {
					t.Errorf("%q: %v", line, err)
				} else if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
					t.Errorf("%q: %v", line, err)
				}
				continue
			}
			f := newFixture(t, "")
			f.db = fakeDB{}
			if slices.Contains(args, "--watch") {
				args = slices.DeleteFunc(args, func(w string) bool { return w == "--watch" }) // it does not end
			}
			run++
			if code, out, errs := f.run(args...); code == exitUsage {
				t.Errorf("%q: exit %d, %s%s", line, code, out, errs)
			}
		}
	}
	if run < 30 {
		t.Errorf("only %d examples were run", run)
	}
}
