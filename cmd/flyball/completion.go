package main

import (
	"context"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
	"flyball/detect/playbook"
	"flyball/schema"
	"flyball/schema/clickhouse/query"
)

const (
	// completionTimeout is how long the completion of a word may take. A shell waits for it.
	completionTimeout = time.Second
	// completionPeriod is how far back runs, findings and agents are looked for.
	completionPeriod = 7 * 24 * time.Hour
	maxCompletions   = 100
)

// completer returns the words that a person may mean, with a tab and a description. It returns none if nothing answers in time.
type completer func(r *request) ([]string, error)

// complete makes a completer a function for cobra. Errors are not shown: they would be typed into the command line.
func (o *options) complete(words completer) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		none := cobra.ShellCompDirectiveNoFileComp
		ctx, cancel := context.WithTimeout(cmd.Context(), completionTimeout)
		defer cancel()
		found := make(chan []string, 1)
		go func() {
			r := newRequest(cmd, o, args)
			r.ctx, r.stderr = query.AskedAt(ctx, r.now), io.Discard
			defer r.close()
			list, err := words(r)
			if err != nil {
				list = nil
			}
			found <- list
		}()
		select {
		case list := <-found:
			// The words may be those of another package.
			list = slices.DeleteFunc(slices.Clone(list), func(w string) bool { return w == "" || !strings.HasPrefix(w, begun) })
			return limited(list, maxCompletions), none
		case <-ctx.Done(): // a connection may take longer to notice
			return nil, none
		}
	}
}

// described returns a word of a completion: what is typed, and what is shown beside it.
// A word with characters that are not shown is empty: it is not completed.
func described(word string, about ...string) string {
	if report.Text(word) != word {
		return ""
	}
	return word + "\t" + report.Text(strings.Join(about, " "))
}

func completeRuns(r *request) ([]string, error) {
	db, err := r.database()
	if err != nil {
		return nil, err
	}
	page, err := query.RunsPage(r.ctx, db, query.RunFilter{Since: r.now.Add(-completionPeriod), Limit: maxCompletions})
	if err != nil {
		return nil, err
	}
	var out []string
	for i := range page.Rows {
		v := &page.Rows[i]
		out = append(out, described(v.RunID, report.Age(v.LastAt.Time, r.now), report.Dash(v.AgentID), v.RunKey, v.Level))
	}
	return out, nil
}

func completeFindings(r *request) ([]string, error) {
	db, err := r.database()
	if err != nil {
		return nil, err
	}
	page, err := query.FindingsPage(r.ctx, db, query.FindingFilter{Since: r.now.Add(-completionPeriod), Limit: maxCompletions})
	if err != nil {
		return nil, err
	}
	var out []string
	for i := range page.Rows {
		v := &page.Rows[i]
		out = append(out, described(v.ID, report.Age(v.UpdatedAt, r.now), v.Level, v.Family, report.Dash(v.AgentID)))
	}
	return out, nil
}

func completeAgents(r *request) ([]string, error) {
	db, err := r.database()
	if err != nil {
		return nil, err
	}
	agents, err := query.CallingAgents(r.ctx, db, query.Window{Since: r.now.Add(-completionPeriod)})
	return slices.DeleteFunc(agents, func(name string) bool { return report.Text(name) != name }), err
}

// completeScopes completes the kind of a scope, then the target: of an open breaker, or of what has called lately.
func completeScopes(open bool) completer {
	return func(r *request) ([]string, error) {
		switch {
		case len(r.args) == 0 && !open:
			return schema.ScopeKindWords[1:], nil
		case len(r.args) > 1:
			return nil, nil
		case open:
			return openScopes(r)
		}
		switch r.args[0] {
		case schema.ScopeRun.String():
			return completeRuns(r)
		case schema.ScopeAgent.String():
			return completeAgents(r)
		}
		return nil, nil
	}
}

// openScopes returns the kinds of the breakers that are not closed, or the targets of those of one kind.
func openScopes(r *request) (out []string, err error) {
	c, err := r.control()
	if err != nil {
		return nil, err
	}
	list, err := get[[]api.BreakerLine](r.ctx, c, "/v1/breakers")
	for i := range list {
		l := &list[i]
		kind := l.Scope.Kind.String()
		switch {
		case len(r.args) == 0 && !slices.Contains(out, kind):
			out = append(out, kind)
		case len(r.args) == 1 && r.args[0] == kind:
			out = append(out, described(l.Scope.Value, l.State.String(), "since", l.Since, l.Reason))
		}
	}
	return out, err
}

// completeGates completes the calls that wait for approval.
func completeGates(r *request) (out []string, err error) {
	c, err := r.control()
	if err != nil {
		return nil, err
	}
	list, err := get[[]api.GateLine](r.ctx, c, "/v1/grants")
	for i := range list {
		if g := &list[i]; g.State.String() == "pending" {
			out = append(out, described(g.ID, report.Dash(g.AgentID), g.Call(), g.About()))
		}
	}
	return out, err
}

// completeRoutes completes templates that were learned, or about which a command is in force.
func completeRoutes(ordered bool) completer {
	return func(r *request) (out []string, err error) {
		c, err := r.control()
		if err != nil {
			return nil, err
		}
		list, err := get[[]api.RouteLine](r.ctx, c, "/v1/routes")
		for i := range list {
			if l := &list[i]; ordered == (l.State != "learned") {
				out = append(out, described(l.Route, l.State, l.Reason))
			}
		}
		return out, err
	}
}

func completeProfiles(*request) (out []string, err error) {
	saved, err := loadProfiles()
	if err != nil {
		return nil, err
	}
	for _, p := range saved.Profiles {
		out = append(out, described(p.Name, p.Control))
	}
	return out, nil
}

// fixed completes words that do not depend on a deployment.
func fixed(words ...string) completer {
	return func(*request) ([]string, error) { return words, nil }
}

// first completes only the first argument.
func first(c completer) completer {
	return func(r *request) ([]string, error) {
		if len(r.args) > 0 {
			return nil, nil
		}
		return c(r)
	}
}

// verdictArguments completes a finding, then the verdict.
func verdictArguments(r *request) ([]string, error) {
	switch len(r.args) {
	case 0:
		return completeFindings(r)
	case 1:
		return schema.VerdictWords[1:], nil
	}
	return nil, nil
}

// addCompletions adds completions to the arguments and flags of a command and all its subcommands, by their names.
func (o *options) addCompletions(root *cobra.Command) {
	arguments := map[string]completer{"run": first(completeRuns), "touched": first(completeRuns), "evidence": first(completeRuns),
		"hold": first(completeRuns), "baselines rescore": first(completeRuns), "findings show": first(completeFindings),
		"findings verdict": verdictArguments, "alert explain": first(completeFindings), "breakers trip": completeScopes(false),
		"breakers reset": completeScopes(true), "breakers grant": first(completeGates), "breakers refuse": first(completeGates),
		"manifest show": first(completeAgents), "manifest check": first(completeAgents), "manifest review": first(completeAgents),
		"arm": first(completeAgents), "disarm": first(completeAgents), "profile use": first(completeProfiles),
		"routes pin": first(completeRoutes(false)), "routes undo": first(completeRoutes(false)), "routes clear": first(completeRoutes(true))}
	flags := map[string]completer{"agent": completeAgents, "run": completeRuns, "family": fixed(playbook.Families()...),
		"level": fixed(schema.LevelWords[1:]...), "min-level": fixed(schema.LevelWords[1:]...), "profile": completeProfiles,
		"output": fixed(formTable, formWide, formJSON, formCSV, formHTML, formOCSF, formCEF),
		"since":  fixed("15m", "1h", "24h", "7d", "today", "yesterday"), "until": fixed("1h", "24h", "today", "yesterday"),
		"tz": fixed("local", "UTC", os.Getenv("TZ")), "log-level": fixed("debug", "info", "warn", "error"),
		"log-format": fixed("text", "json")}
	var each func(*cobra.Command, string)
	each = func(c *cobra.Command, name string) {
		if words, is := arguments[name]; is && c.ValidArgsFunction == nil {
			c.ValidArgsFunction = o.complete(words)
		}
		for flag, words := range flags {
			if c.LocalFlags().Lookup(flag) != nil {
				_ = c.RegisterFlagCompletionFunc(flag, o.complete(words)) // an error means that it has one
			}
		}
		for _, sub := range c.Commands() {
			each(sub, strings.TrimSpace(name+" "+sub.Name()))
		}
	}
	each(root, "")
}
