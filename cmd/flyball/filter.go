package main

import (
	"path"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/schema"
)

// lineFilter has the filters of a listing that the control API returns whole.
type lineFilter struct {
	agent, state, run string
	window            window
	limit             int // 0: all
}

// flags adds the filters to a command; states are the values of --state.
func (f *lineFilter) flags(cmd *cobra.Command, states []string) {
	fl := cmd.Flags()
	fl.StringVar(&f.agent, "agent", "", "list only those of this agent, or of those that a pattern such as 'billing/*' matches")
	fl.StringVar(&f.run, "run", "", "list only those of this run: its id, the beginning of it or its own key")
	fl.StringVar(&f.state, "state", "", "list only this state: "+strings.Join(states, ", "))
	fl.IntVar(&f.limit, "limit", 0, limitHelp+" (default: all)")
	f.window.flags(cmd, "")
}

// lineFacts is what the filters compare of a line.
type lineFacts struct {
	state        string
	at           string // RFC 3339; empty: not known
	agents, runs []string
}

// filtered returns the lines that the filters select, in the period of a request.
func filtered[T any](r *request, f *lineFilter, lines []T, facts func(*T) lineFacts) []T {
	out := slices.DeleteFunc(lines, func(l T) bool { return !f.selects(r, facts(&l)) })
	return limited(out, f.limit)
}

func (f *lineFilter) selects(r *request, l lineFacts) bool {
	at, err := time.Parse(time.RFC3339Nano, l.at)
	switch {
	case f.state != "" && l.state != f.state,
		f.agent != "" && !slices.ContainsFunc(l.agents, func(a string) bool { return matchesName(f.agent, a) }),
		f.run != "" && !slices.ContainsFunc(l.runs, func(id string) bool { return beginsID(id, f.run) }):
		return false
	case err != nil: // it has no time
		return true
	}
	return !at.Before(r.since) && (r.until.IsZero() || at.Before(r.until))
}

// matchesName reports whether a name is the one of a filter, or matches its pattern.
func matchesName(filter, name string) bool {
	ok, _ := path.Match(filter, name)
	return ok || filter == name
}

// beginsID reports whether a term is an id, or the beginning of it.
func beginsID(id, term string) bool {
	return id == term || len(term) >= schema.MinIDPrefix && strings.HasPrefix(id, term)
}
