package main

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"flyball/cmd/internal/tiers"
)

const (
	rulesFile   = "../../alerts/rules/flyball.yaml"
	runbookFile = "../../alerts/runbook.md"
)

// rule is an alert of the rules.
type rule struct {
	Alert       string
	Expr        string
	Labels      map[string]string
	Annotations map[string]string
}

func readRules(t *testing.T) (out []rule) {
	t.Helper()
	b, err := os.ReadFile(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Groups []struct{ Rules []rule } }
	if err := yaml.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	for _, g := range file.Groups {
		out = append(out, g.Rules...)
	}
	if len(out) < 15 {
		t.Fatalf("only %d rules were read", len(out))
	}
	return out
}

// The unit tests of the rules: each fires, does not fire too early, and is resolved.
func TestRulesDoNotFireOrAreNotResolved(t *testing.T) {
	if _, err := exec.LookPath("promtool"); err != nil {
		tiers.Missing(t, "promtool", err)
	}
	tiers.Ran("promtool")
	for _, args := range [][]string{{"check", "rules", "flyball.yaml"}, {"test", "rules", "flyball_test.yaml"}} {
		cmd := exec.Command("promtool", args...)
		cmd.Dir = "../../alerts/rules"
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	tests, err := os.ReadFile("../../alerts/rules/flyball_test.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Tests []struct {
			Rules []struct {
				Name   string `yaml:"alertname"`
				Alerts []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	if err := yaml.Unmarshal(tests, &file); err != nil {
		t.Fatal(err)
	}
	fires, resolves := map[string]int{}, map[string]int{}
	for _, test := range file.Tests {
		for _, r := range test.Rules {
			if len(r.Alerts) > 0 {
				fires[r.Name]++
			} else if fires[r.Name] > 0 {
				resolves[r.Name]++
			}
		}
	}
	for _, r := range readRules(t) {
		if fires[r.Alert] == 0 || resolves[r.Alert] == 0 && r.Alert != "FlyballDeadMansSwitch" {
			t.Errorf("%s: tested to fire %d times, to be resolved %d times", r.Alert, fires[r.Alert], resolves[r.Alert])
		}
	}
	t.Logf("%d rules: %d fire, %d are resolved", len(readRules(t)), len(fires), len(resolves))
}

func TestRunbookHasNoSectionForARule(t *testing.T) {
	b, err := os.ReadFile(runbookFile)
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, s := range strings.Split(string(b), "\n## ")[1:] {
		name, body, _ := strings.Cut(s, "\n")
		sections[name] = body
	}
	for _, r := range readRules(t) {
		body, ok := sections[r.Alert]
		delete(sections, r.Alert)
		for _, part := range []string{"**Means.**", "**Look.**", "**Do.**"} {
			if !strings.Contains(body, part) {
				t.Errorf("%s: its section (there is one: %v) has no %s", r.Alert, ok, part)
			}
		}
		if want := "alerts/runbook.md#" + strings.ToLower(r.Alert); r.Annotations["runbook"] != want || r.Annotations["summary"] == "" {
			t.Errorf("%s: annotations %v, want the runbook %s and a summary", r.Alert, r.Annotations, want)
		}
		if !slices.Contains([]string{"critical", "warning", "none"}, r.Labels["severity"]) {
			t.Errorf("%s: severity %q", r.Alert, r.Labels["severity"])
		}
	}
	for name := range sections {
		t.Errorf("section %s is about no rule", name)
	}
}

var command = regexp.MustCompile("`flyball ([^`]+)`")

// Every command in the runbook must exist, with its flags and a fitting number of arguments.
func TestRunbookNamesACommandThatDoesNotExist(t *testing.T) {
	b, err := os.ReadFile(runbookFile)
	if err != nil {
		t.Fatal(err)
	}
	found := command.FindAllStringSubmatch(strings.ReplaceAll(string(b), "\n", " "), -1)
	if len(found) < 20 {
		t.Fatalf("only %d commands were found", len(found))
	}
	for _, m := range found {
		if err := parses(strings.Fields(strings.ReplaceAll(m[1], "'…'", "x"))); err != nil {
			t.Errorf("flyball %s: %v", m[1], err)
		}
	}
	for _, wrong := range []string{"nosuch", "status --nosuch", "alert test", "findings verdict", "breakers nosuch"} {
		if parses(strings.Fields(wrong)) == nil {
			t.Errorf("flyball %s parses", wrong)
		}
	}
}

// parses returns an error unless a command line fits the command tree. Nothing is run.
func parses(args []string) error {
	root := newRoot()
	var quiet func(*cobra.Command)
	quiet = func(c *cobra.Command) {
		if c.RunE != nil && !(c.HasSubCommands() && c.DisableFlagsInUseLine) { // a group alone refuses unknown commands
			c.RunE = func(*cobra.Command, []string) error { return nil }
		}
		for _, sub := range c.Commands() {
			quiet(sub)
		}
	}
	quiet(root)
	root.SilenceUsage, root.SilenceErrors = true, true
	if i := slices.Index(args, "--help"); i >= 0 {
		c, rest, err := root.Find(args[:i])
		if err == nil && len(rest) > 0 {
			err = fmt.Errorf("%s is no command of %s", rest[0], c.CommandPath())
		}
		return err
	}
	root.SetArgs(args)
	return root.Execute()
}
