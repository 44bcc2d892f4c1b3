package main

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce/reach"
	"flyball/schema/clickhouse/query"
)

func reachCommand(o *options) *cobra.Command {
	var w window
	var who query.Caller
	cmd := &cobra.Command{Use: "reach --agent A | --credential C | --run R", Short: "What a caller could still do: the worst that a stolen token can do, and what one narrowing would take away", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		format, err := o.outputIs("table", "json")
		if err != nil {
			return err
		}
		n := 0
		for _, s := range []string{who.Agent, who.Credential, who.Run} {
			if s != "" {
				n++
			}
		}
		if n != 1 {
			return usage(errors.New("one of --agent, --credential and --run"))
		}
		c, err := o.load()
		if err != nil {
			return err
		}
		var reports []reach.Report
		err = o.history(cmd.Context(), w, who, func(db query.DB, since, until time.Time) error {
			agents, err := agentsBehind(cmd, db, &who, since, until)
			if err != nil {
				return err
			}
			everybody, err := query.Usage(cmd.Context(), db, query.Caller{}, since, until)
			if err != nil {
				return err
			}
			own, err := query.Usage(cmd.Context(), db, who, since, until)
			if err != nil {
				return err
			}
			used := map[string]uint64{}
			for _, r := range own {
				used[r.Method+" "+r.RouteKey+" "+r.Tool] += r.Calls
			}
			var routes []reach.Route
			for i, u := range usageOf(everybody) {
				r := everybody[i]
				routes = append(routes, reach.Route{Usage: u, Effect: r.Effect, Used: used[r.Method+" "+r.RouteKey+" "+r.Tool]})
			}
			for _, agent := range agents {
				m, doc, err := o.inForce(agent)
				if err != nil {
					return err
				}
				r := reach.Analyze(agent, m, doc.Version, c.Control.WithoutManifest == "ask", o.enforcement([]caller{{name: agent}})[agent].State == "armed", routes)
				reports = append(reports, r)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if format == "json" {
			return report.JSON(cmd.OutOrStdout(), reports)
		}
		for i := range reports {
			if err := printReach(cmd.OutOrStdout(), &reports[i]); err != nil {
				return err
			}
		}
		return nil
	}}
	cmd.Flags().StringVar(&who.Agent, "agent", "", "an agent")
	cmd.Flags().StringVar(&who.Credential, "credential", "", "the id of a credential (flyball credential-id makes it of a secret)")
	cmd.Flags().StringVar(&who.Run, "run", "", "a run")
	w.flags(cmd, "720h")
	return cmd
}

// agentsBehind are the agents that a credential or a run speaks for.
func agentsBehind(cmd *cobra.Command, db query.DB, who *query.Caller, since, until time.Time) ([]string, error) {
	if who.Agent != "" {
		return []string{who.Agent}, nil
	}
	if who.Run != "" {
		run, err := query.ResolveRun(cmd.Context(), db, who.Run)
		if err != nil {
			return nil, err
		}
		who.Run = run.RunID
	}
	agents, err := query.AgentsOfCaller(cmd.Context(), db, *who, since, until)
	if err == nil && len(agents) == 0 {
		err = fmt.Errorf("nobody called with %s since %s", who.Credential+who.Run, since.UTC().Format(time.RFC3339))
	}
	return agents, err
}

func printReach(out io.Writer, r *reach.Report) error {
	version := "no manifest"
	if r.Manifest > 0 {
		version = fmt.Sprintf("manifest version %d", r.Manifest)
	}
	fmt.Fprintf(out, "%s (%s): %s.\n", orDash(r.Agent), version, r.Worst)
	for _, c := range r.Caveats {
		fmt.Fprintf(out, "note: %s\n", c)
	}
	w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "\nREVERSIBILITY\tEFFECT\tCALL\tANSWER\tAT MOST AN HOUR\tUSED\tBY OTHERS\tWHY")
	for _, l := range r.Lines {
		most := "unbounded"
		switch {
		case l.Access != "allowed":
			most = "-"
		case l.WorstPerHour >= 0:
			most = fmt.Sprintf("%d (%s)", l.WorstPerHour, l.BoundBy)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%d\t%s\n", l.Reversibility, l.Effect, l.Route, l.Access, most, l.Used, l.Others, strings.TrimPrefix(l.Why, "policy."))
	}
	if len(r.Narrowings) > 0 {
		fmt.Fprintln(w, "\nONE CHANGE\tWOULD TAKE AWAY\tOF THEM IRREVERSIBLE\tAND HOLD CALLS THAT WERE MADE")
	}
	for _, n := range r.Narrowings {
		fmt.Fprintf(w, "%s\t%d routes\t%d\t%d\n", n.Line, n.Routes, n.Irreversible, n.Used)
	}
	return w.Flush()
}
