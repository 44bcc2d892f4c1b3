package main

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/config"
	"flyball/cmd/internal/report"
	"flyball/detect/enforce/manifest"
	"flyball/schema"
	"flyball/schema/clickhouse/query"
)

// window is the time that a listing is about.
type window struct{ since, until string }

func (w *window) flags(cmd *cobra.Command, since string) {
	cmd.Flags().StringVar(&w.since, "since", since, "from then on")
	cmd.Flags().StringVar(&w.until, "until", "", "until then")
}

// ask opens ClickHouse, asks within the window and prints what came.
func ask[T any](o *options, cmd *cobra.Command, w window, question func(context.Context, config.Config, database, time.Time, time.Time) (T, error), print func(io.Writer, T) error) error {
	format, err := o.outputIs("table", "json")
	if err != nil {
		return err
	}
	now := time.Now()
	from, err := ago("--since", w.since, now)
	if err != nil {
		return err
	}
	to, err := ago("--until", w.until, now)
	if err != nil {
		return err
	}
	c, db, err := o.database()
	if err != nil {
		return err
	}
	defer db.Close()
	v, err := question(cmd.Context(), c, db, from, to)
	if err != nil {
		return err
	}
	if format == "json" {
		return report.JSON(cmd.OutOrStdout(), v)
	}
	return print(cmd.OutOrStdout(), v)
}

func agentsCommand(o *options) *cobra.Command {
	var w window
	var hygiene bool
	cmd := &cobra.Command{Use: "agents", Short: "Who calls: owner, credentials, versions, baseline, armed; and what is wrong with identities", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		if hygiene {
			return ask(o, cmd, w, o.hygieneOf, report.Hygiene)
		}
		return ask(o, cmd, w, func(ctx context.Context, c config.Config, db database, since, until time.Time) (report.Inventory, error) {
			agents, err := o.agentsOf(ctx, c, db, since, until)
			if err != nil {
				return report.Inventory{}, err
			}
			findings, err := o.hygieneOf(ctx, c, db, since, until)
			return report.Inventory{Agents: agents, Hygiene: findings}, err
		}, report.Agents)
	}}
	w.flags(cmd, "720h")
	cmd.Flags().BoolVar(&hygiene, "hygiene", false, "only what is wrong")
	return cmd
}

// agentsOf are the agents that called, with what the configuration says of them, and
// what the running points enforce.
func (o *options) agentsOf(ctx context.Context, c config.Config, db database, since, until time.Time) ([]query.AgentRow, error) {
	agents, err := query.Agents(ctx, db, since, until)
	names := make([]caller, len(agents))
	for i := range agents {
		names[i] = callerOf(agents[i].AgentID, agents[i].Trust)
	}
	enforced := o.enforcement(names)
	for i := range agents {
		a := &agents[i]
		if e, ok := enforced[a.AgentID]; ok {
			armed := e.State == "armed"
			a.Armed, a.Enforcement = &armed, e.State
		}
		for _, e := range c.Agents {
			if e.ID == a.AgentID {
				a.Owner, a.Tags, a.Criticality = e.Owner, e.Tags, e.Criticality
			}
		}
	}
	return agents, err
}

func (o *options) hygieneOf(ctx context.Context, c config.Config, db database, since, until time.Time) ([]query.Hygiene, error) {
	out, err := query.HygieneFindings(ctx, db, since, until)
	if err != nil {
		return nil, err
	}
	agents, err := o.agentsOf(ctx, c, db, since, until)
	for _, a := range agents {
		if a.Owner == "" && (a.Trust == "verified" || a.Trust == "infrastructure") {
			out = append(out, query.Hygiene{Kind: query.NoOwner, Subject: a.AgentID, Calls: a.Calls, LastAt: a.LastAt, Evidence: a.Credentials, Advice: "nobody to call when it runs away: name an owner under agents"})
		}
	}
	if err != nil {
		return nil, err
	}
	manifests, away := o.manifests()
	if away != nil {
		return out, nil // no point answers, and only points know the manifests
	}
	rows, err := query.StartHere(ctx, db, since, until, 1000)
	for i := range rows {
		r := &rows[i]
		for _, missing := range unguarded(manifests, r) {
			if missing == "manifest" {
				out = append(out, query.Hygiene{Kind: query.NoManifest, Subject: r.AgentID, Calls: r.Calls, LastAt: r.LastAt, Evidence: []string{strings.TrimSpace(r.Method + " " + r.Route + r.Tool)},
					Advice: "an irreversible route that no manifest names: flyball manifest learn --agent " + r.AgentID})
			}
		}
	}
	return out, err
}

// unguarded is what an agent's use of an irreversible route lacks: a manifest that
// names the route, and a gate or a limit before it.
func unguarded(manifests *manifest.Store, r *query.StartRow) (missing []string) {
	m, _ := manifests.ForAgent("", r.AgentID, schema.TrustVerified)
	if m == nil {
		return []string{"gate", "manifest"}
	}
	a := m.EvaluateUsage(r.AgentID, &manifest.Usage{Method: r.Method, Route: r.Route, Tool: r.Tool, Reversibility: schema.Irreversible})
	switch {
	case a.Why == manifest.WhyOutside:
		return []string{"manifest"} // it asks, but nobody said that the agent is for this
	case a.Action < schema.ActionGate && len(a.Spends) == 0:
		return []string{"gate"}
	}
	return nil
}

func routesCommand(o *options) *cobra.Command {
	var w window
	limit := 200
	cmd := &cobra.Command{Use: "routes", Short: "What is called, what it does and who says so; what looks unsafe and is undeclared comes first", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return ask(o, cmd, w, func(ctx context.Context, _ config.Config, db database, since, until time.Time) ([]query.RouteRow, error) {
			return query.Routes(ctx, db, since, until, limit)
		}, report.Routes)
	}}
	w.flags(cmd, "720h")
	cmd.Flags().IntVar(&limit, "limit", limit, "at most this many")
	return cmd
}

func startHereCommand(o *options) *cobra.Command {
	var w window
	limit := 20
	var open []query.CoverageRow // by agent and gateway, calls that were never asked
	cmd := &cobra.Command{Use: "start-here", Short: "The first ten minutes: which agent does most that cannot be undone, with nobody to ask", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return ask(o, cmd, w, func(ctx context.Context, c config.Config, db database, since, until time.Time) ([]query.StartRow, error) {
			rows, err := query.StartHere(ctx, db, since, until, limit)
			if err != nil {
				return nil, err
			}
			// Coverage is of today, not of the month: a gate that was put in place last week is there.
			recent := time.Now().Add(-24 * time.Hour)
			if recent.Before(since) {
				recent = since
			}
			covered, err := query.ReadCoverage(ctx, db, recent, until)
			if err != nil {
				return nil, err
			}
			open = covered.NeverAskedRows()
			names := make([]caller, len(rows))
			for i := range rows {
				names[i] = callerOf(rows[i].AgentID, rows[i].Trust)
			}
			enforced := o.enforcement(names)
			manifests, away := o.manifests()
			if away != nil {
				manifests = manifest.NewStore() // nobody answers: as if there were none
			}
			for i := range rows {
				r := &rows[i]
				r.Missing = unguarded(manifests, r)
				for _, e := range c.Agents {
					if e.ID == r.AgentID {
						r.Owner = e.Owner
					}
				}
				if r.Owner == "" {
					r.Missing = append(r.Missing, "owner")
				}
				if !r.Declared {
					r.Missing = append(r.Missing, "declaration")
				}
				if e, known := enforced[r.AgentID]; !known {
					r.Missing = append(r.Missing, "arming (unknown: no point answers)")
				} else if e.State != "armed" {
					r.Missing = append(r.Missing, "arming")
				}
				for _, c := range open {
					if c.AgentID == r.AgentID {
						r.Unasked = append(r.Unasked, c.Gateway)
					}
				}
				if len(r.Unasked) > 0 {
					r.Missing = append(r.Missing, "check")
				}
			}
			return rows, err
		}, func(w io.Writer, rows []query.StartRow) error {
			err := report.StartHere(w, rows)
			if err == nil {
				report.Uncovered(w, open)
			}
			return err
		})
	}}
	w.flags(cmd, "720h")
	cmd.Flags().IntVar(&limit, "limit", limit, "at most this many")
	return cmd
}
