package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
)

// groups are the groups of commands in the help, in the order in which somebody new needs them.
var groups = []struct{ title, commands string }{
	{"Begin", "up demo status doctor decode replay start-here"},
	{"Look", "runs run touched find findings agents routes coverage stitching dead-letters reach credential-id"},
	{"Stop and allow", "breakers bypass arm disarm arming exceptions manifest task settings"},
	{"Be told", "alert canary"},
	{"Judge the detector", "baselines backtest eval"},
	{"Keep, prove, delete", "audit evidence hold purge backup restore key"},
	{"Configure and connect", "config check-config dump-config migrate profile login logout token completion version help"},
	{"Run roles alone", "ingest detect store learn control engine healthcheck"},
}

// useGroups puts the commands of the program in groups, and fits help to the terminal.
func (o *options) useGroups(root *cobra.Command) {
	for _, g := range groups {
		root.AddGroup(&cobra.Group{ID: g.title, Title: g.title + ":"})
		for _, c := range root.Commands() {
			if slices.Contains(strings.Fields(g.commands), c.Name()) {
				c.GroupID = g.title
			}
		}
	}
	configure := groups[len(groups)-2].title
	root.SetHelpCommandGroupID(configure)
	root.SetCompletionCommandGroupID(configure)
	root.SetUsageFunc(func(c *cobra.Command) error {
		s := report.NewScreen(os.Stdout, time.Time{}, nil)
		if o.terminal != nil {
			o.terminal(s)
		}
		return printUsage(&report.Screen{Writer: c.OutOrStderr(), Width: s.Width}, c)
	})
}

// printUsage prints how a command is called, its subcommands and its flags.
func printUsage(s *report.Screen, c *cobra.Command) error {
	io.WriteString(s, "Usage:")
	if c.Runnable() {
		io.WriteString(s, "\n  "+c.UseLine())
	}
	if c.HasAvailableSubCommands() {
		io.WriteString(s, "\n  "+c.CommandPath()+" [command]")
	}
	io.WriteString(s, "\n")
	if c.HasExample() {
		io.WriteString(s, "\nExamples:\n"+c.Example+"\n")
	}
	if c.HasAvailableSubCommands() {
		for _, g := range append(c.Groups(), &cobra.Group{Title: "Commands:"}) {
			printCommands(s, c, g)
		}
	}
	flags := func(title, text string) {
		if text = strings.TrimRight(text, " \n"); text != "" {
			io.WriteString(s, "\n"+title+":\n"+text+"\n")
		}
	}
	flags("Flags", c.LocalFlags().FlagUsagesWrapped(s.Width))
	flags("Global Flags", c.InheritedFlags().FlagUsagesWrapped(s.Width))
	if c.HasAvailableSubCommands() {
		fmt.Fprintf(s, "\n%q tells about a command.\n", c.CommandPath()+" COMMAND --help")
	}
	return nil
}

// printCommands prints the subcommands of a group.
func printCommands(s *report.Screen, c *cobra.Command, g *cobra.Group) {
	var list []*cobra.Command
	for _, sub := range c.Commands() {
		if sub.GroupID == g.ID && (sub.IsAvailableCommand() || sub.Name() == "help") {
			list = append(list, sub)
		}
	}
	if len(list) == 0 {
		return
	}
	order := map[string]int{}
	for _, g := range groups {
		for i, name := range strings.Fields(g.commands) {
			order[name] = i
		}
	}
	if g.ID != "" {
		slices.SortStableFunc(list, func(a, b *cobra.Command) int { return cmp.Compare(order[a.Name()], order[b.Name()]) })
	}
	io.WriteString(s, "\n"+g.Title+"\n")
	_ = report.Lines(s, func(row func(...any)) {
		for _, sub := range list {
			row(fmt.Sprintf("  %-*s", sub.NamePadding(), sub.Name()), sub.Short)
		}
	})
}
