package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// examples are the examples in the help of commands, by the command's path. A test runs each of them.
var examples = map[string][]string{
	"runs": {"flyball runs --since 7d --agent billing/bot", "flyball runs --level trip --watch",
		"flyball runs --family 'runaway.*' --since 7d",
		"flyball runs --since 02:10 --until 02:40 --tz Europe/Berlin"},
	"run": {"flyball run 0190aaaa", "flyball run nightly -o html > run.html"},
	"touched": {"flyball touched 0190aaaa", "flyball touched --resource order:123 --since yesterday",
		"flyball touched --agent billing/bot -o csv"},
	"find": {"flyball find 198.51.100.7", "flyball find order:123"},
	"findings": {"flyball findings --min-level alert --since 7d", "flyball findings --family 'runaway.*' --state open --watch",
		"flyball findings -o csv"},
	"findings show":    {"flyball findings show f_1"},
	"findings verdict": {"flyball findings verdict f_1 benign --reason 'the nightly import'"},
	"breakers list":    {"flyball breakers list --agent billing/bot", "flyball breakers list --watch"},
	"breakers history": {"flyball breakers history --since 2026-11-28 --until 2026-11-29"},
	"breakers gates":   {"flyball breakers gates --state pending --watch"},
	"breakers trip": {"flyball breakers trip run 0190aaaa --for 15m --reason 'deletes orders'",
		"flyball breakers trip agent billing/bot --until-reset --reason 'asked by its owner'"},
	"breakers reset":     {"flyball breakers reset run r-1 --reason 'mended'"},
	"breakers grant":     {"flyball breakers grant g_1 --for 15m --reason 'asked and agreed'"},
	"agents":             {"flyball agents --since 7d", "flyball agents --hygiene"},
	"routes":             {"flyball routes --since today"},
	"coverage":           {"flyball coverage --since 1h"},
	"dead-letters":       {"flyball dead-letters --since 7d"},
	"bypass":             {"flyball bypass --agent billing/bot --for 30m --reason 'release'"},
	"arm":                {"flyball arm 'billing/*' --reason 'watched for a week'"},
	"exceptions add":     {"flyball exceptions add --agent 'billing/*' --family runaway.destroy --for 2d --reason clean-up"},
	"alert silence add":  {"flyball alert silence add --family 'runaway.*' --agent billing/bot --for 2h --reason 'release'"},
	"start-here":         {"flyball start-here --since 7d"},
	"stitching":          {"flyball stitching --since 7d --by day"},
	"audit list":         {"flyball audit list --limit 20", "flyball audit list --since 2026-11-28 --until 2026-11-29"},
	"reach":              {"flyball reach --agent billing/bot --limit 0"},
	"manifest learn":     {"flyball manifest learn --agent billing/bot > manifest.yaml"},
	"alert explain":      {"flyball alert explain f_1"},
	"baselines show":     {"flyball baselines show --agent billing/bot"},
	"task list":          {"flyball task list -o wide"},
	"status":             {"flyball status -o json"},
	"doctor":             {"flyball doctor"},
	"credential-id":      {"flyball credential-id --stdin < leaked.txt"},
	"backtest":           {"flyball backtest --since 7d"},
	"version":            {"flyball version"},
	"manifest review":    {"flyball manifest review billing/bot --since 2w"},
	"manifest show":      {"flyball manifest show billing/bot"},
	"evidence":           {"flyball evidence 0190aaaa --out case-7.zip"},
	"baselines list":     {"flyball baselines list"},
	"breakers receipts":  {"flyball breakers receipts -o csv"},
	"dead-letters show":  {"flyball dead-letters show 3"},
	"exceptions list":    {"flyball exceptions list"},
	"settings list":      {"flyball settings list"},
	"arming":             {"flyball arming"},
	"findings rates":     {"flyball findings rates --since 4w"},
	"manifest check":     {"flyball manifest check billing/bot"},
	"alert list":         {"flyball alert list"},
	"alert silence list": {"flyball alert silence list"},
}

// addExamples adds the examples to a command and all its subcommands.
func addExamples(root *cobra.Command) {
	var each func(*cobra.Command, string)
	each = func(c *cobra.Command, name string) {
		if lines, is := examples[name]; is {
			c.Example = "  " + strings.Join(lines, "\n  ")
		}
		for _, sub := range c.Commands() {
			each(sub, strings.TrimSpace(name+" "+sub.Name()))
		}
	}
	each(root, "")
}
