package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce/reach"
	"flyball/schema"
	"flyball/schema/clickhouse/query"
	"flyball/schema/wording"
)

func reachCommand(o *options) *cobra.Command {
	w := &window{}
	limit := 40
	var who query.Caller
	a := answer[[]reach.Report]{window: w, rows: itself[[]reach.Report], table: func(w io.Writer, reports []reach.Report) error {
		return printReaches(w, reports, limit)
	}, query: func(r *request) ([]reach.Report, error) {
		return readReach(r, who)
	}}
	cmd := &cobra.Command{Use: "reach --agent A | --credential C | --run R", Args: cobra.NoArgs, RunE: a.run(o),
		Short: "Show what a caller could still do, the worst use of a stolen token, and what one restriction would prevent"}
	cmd.Flags().StringVar(&who.Agent, "agent", "", "an agent")
	cmd.Flags().StringVar(&who.Credential, "credential", "", "the id of a credential (flyball credential-id prints it for a secret)")
	cmd.Flags().StringVar(&who.Run, "run", "", "a run")
	cmd.Flags().IntVar(&limit, "limit", limit, "print at most this many routes of an agent, the most dangerous first; 0: all")
	w.flags(cmd, "30d")
	return cmd
}

// readReach computes what each agent that a caller acts as could still do.
func readReach(r *request, who query.Caller) ([]reach.Report, error) {
	named := 0
	for _, s := range []string{who.Agent, who.Credential, who.Run} {
		if s != "" {
			named++
		}
	}
	if named != 1 {
		return nil, usage(errors.New("one of --agent, --credential and --run is needed"))
	}
	c, err := r.config()
	if err != nil {
		return nil, err
	}
	agents, routes, err := reachable(r, who)
	if err != nil {
		return nil, err
	}
	control, err := r.control()
	if err != nil {
		return nil, err
	}
	manifests, err := control.manifests(r.ctx)
	if err != nil {
		return nil, err
	}
	var reports []reach.Report
	for _, agent := range agents {
		m, doc := manifests.ForAgent("", agent, schema.TrustVerified)
		enforced, err := control.enforcement(r.ctx, []caller{{name: agent}})
		if err != nil {
			return nil, err
		}
		armed := enforced[agent].State == "armed"
		reports = append(reports, reach.Analyze(agent, m, doc.Version, c.Control.WithoutManifest == "ask", armed, routes))
	}
	return reports, nil
}

// reachable returns the agents that a caller acts as, and all routes that were called,
// with how often the caller called each.
func reachable(r *request, who query.Caller) (agents []string, routes []reach.Route, err error) {
	db, since, until, err := pastWindow(r)
	if err != nil {
		return nil, nil, err
	}
	if agents, err = agentsBehind(r, db, &who, since, until); err != nil {
		return nil, nil, err
	}
	everybody, err := query.Usage(r.ctx, db, query.Caller{}, since, until)
	if err != nil {
		return nil, nil, err
	}
	own, err := query.Usage(r.ctx, db, who, since, until)
	if err != nil {
		return nil, nil, err
	}
	everybody, own = cut(r, "further routes", everybody, query.MaxUsage), cut(r, "further routes of the caller", own, query.MaxUsage)
	name := func(u *query.UsageRow) string { return u.Method + " " + u.RouteKey + " " + u.Tool }
	used := map[string]uint64{}
	for i := range own {
		used[name(&own[i])] += own[i].Calls
	}
	for i, u := range manifestUsage(everybody) {
		routes = append(routes, reach.Route{Usage: u, Effect: everybody[i].Effect, Used: used[name(&everybody[i])]})
	}
	return agents, routes, nil
}

// agentsBehind returns the agents that a credential or a run acts as. The prefix of a
// run's id is completed.
func agentsBehind(r *request, db database, who *query.Caller, since, until time.Time) ([]string, error) {
	if who.Agent != "" {
		return []string{who.Agent}, nil
	}
	if who.Run != "" {
		run, err := query.ResolveRun(r.ctx, db, who.Run)
		if err != nil {
			return nil, err
		}
		who.Run = run.RunID
	}
	agents, err := query.AgentsOfCaller(r.ctx, db, *who, since, until)
	if err == nil && len(agents) == 0 {
		err = fmt.Errorf("there are no calls with %s since %s", who.Credential+who.Run, since.UTC().Format(time.RFC3339))
	}
	return cut(r, "further agents that act so", agents, query.MaxAgentsOfCaller), err
}

func printReaches(w io.Writer, reports []reach.Report, limit int) error {
	for i := range reports {
		if err := printReach(w, &reports[i], limit); err != nil {
			return err
		}
	}
	return nil
}

const (
	reachHeads     = "REVERSIBILITY | EFFECT?? | CALL | ANSWER | AT MOST AN HOUR? | USED? | BY OTHERS??? | WHY"
	narrowingHeads = "ONE CHANGE | WOULD TAKE AWAY | OF THEM IRREVERSIBLE | AND HOLD CALLS THAT WERE MADE"
)

func printReach(w io.Writer, r *reach.Report, limit int) error {
	version := "no manifest"
	if r.Manifest > 0 {
		version = fmt.Sprintf("manifest version %d", r.Manifest)
	}
	report.Printf(w, "%s (%s): %s.\n", report.Dash(r.Agent), version, r.Worst)
	for _, c := range r.Caveats {
		report.Printf(w, "note: %s\n", c)
	}
	fmt.Fprintln(w)
	shown := r.Lines
	if limit > 0 && len(shown) > limit {
		shown = shown[:limit]
	}
	err := report.Table(w, reachHeads, func(row func(...any)) {
		for _, l := range shown {
			most := "unbounded"
			switch {
			case l.Access != "allowed":
				most = "-"
			case l.WorstPerHour >= 0:
				most = fmt.Sprintf("%d (%s)", l.WorstPerHour, l.BoundBy)
			}
			row(report.Undo(l.Reversibility), l.Effect, l.Route, l.Access, most, l.Used, l.Others, wording.Reason(l.Why))
		}
	})
	if more := r.Lines[len(shown):]; err == nil && len(more) > 0 {
		err = report.Printf(w, "and %d routes more, less dangerous than these: %s (--limit 0 prints them)\n", len(more), reachCounts(more))
	}
	if err != nil || len(r.Narrowings) == 0 {
		return err
	}
	fmt.Fprintln(w)
	return report.Table(w, narrowingHeads, func(row func(...any)) {
		for _, n := range r.Narrowings {
			row(n.Line, fmt.Sprintf("%d routes", n.Routes), n.Irreversible, n.Used)
		}
	})
}

// reachCounts counts routes by their answer.
func reachCounts(lines []reach.RouteAccess) string {
	n := map[string]int{}
	for _, l := range lines {
		n[l.Access]++
	}
	var out []string
	for _, access := range []string{"allowed", "asks", "denied"} {
		if n[access] > 0 {
			out = append(out, fmt.Sprintf("%d %s", n[access], access))
		}
	}
	return strings.Join(out, ", ")
}
