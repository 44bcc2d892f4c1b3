package main

import (
	"context"
	"errors"
	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
	"flyball/detect/enforce/manifest"
	"flyball/schema"
	"flyball/schema/clickhouse/query"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

// usageOf is what manifests ask of a listing of routes.
func usageOf(rows []query.UsageRow) []manifest.Usage {
	out := make([]manifest.Usage, len(rows))
	for i, r := range rows {
		u := manifest.Usage{Method: r.Method, Route: r.Route, Tool: r.Tool, Calls: r.Calls, Runs: r.Runs, LastAt: r.LastAt.Time, PeakHour: r.PeakHour, ResourceTypes: r.ResourceTypes,
			WithAmount: r.WithAmount, MaxAmount: r.MaxAmount, P95Amount: r.P95Amount, DayAmount: r.DayAmount}
		_ = u.Reversibility.UnmarshalText([]byte(r.Reversibility))
		if len(r.Currencies) == 1 {
			u.Currency = r.Currencies[0]
		}
		out[i] = u
	}
	return out
}

// history is what an agent did within a window.
func (o *options) history(ctx context.Context, w window, who query.Caller, use func(db query.DB, since, until time.Time) error) error {
	now := time.Now()
	since, err := ago("--since", w.since, now)
	if err != nil {
		return err
	}
	until, err := ago("--until", w.until, now)
	if err != nil {
		return err
	}
	if until.IsZero() {
		until = now
	}
	_, db, err := o.database()
	if err != nil {
		return err
	}
	defer db.Close()
	return use(db, since, until)
}

func manifestLearn(o *options) *cobra.Command {
	var w window
	var agent string
	cmd := &cobra.Command{Use: "learn --agent A", Short: "Propose a manifest from an agent's clean runs, with the evidence behind every line", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		if agent == "" {
			return usage(errors.New("--agent: empty; whose manifest?"))
		}
		c, err := o.load()
		if err != nil {
			return err
		}
		owner := ""
		for _, a := range c.Agents {
			if a.ID == agent && a.Owner != "" {
				owner = a.Owner
			}
		}
		who := query.Caller{Agent: agent, Clean: true}
		return o.history(cmd.Context(), w, who, func(db query.DB, since, until time.Time) error {
			rows, err := query.Usage(cmd.Context(), db, who, since, until)
			if err != nil {
				return err
			}
			if len(rows) == 0 {
				return fmt.Errorf("%q has no clean calls since %s: there is nothing to learn from", agent, since.UTC().Format(time.RFC3339))
			}
			t, err := query.UsageTotals(cmd.Context(), db, who, since, until)
			if err != nil {
				return err
			}
			text, err := manifest.Propose(agent, owner, usageOf(rows), manifest.Totals{Calls: t.Calls, Runs: t.Runs, Days: t.Days, PeakHour: t.PeakHour, PeakIrreversible: t.PeakIrreversible, Since: since, Until: until})
			if err != nil {
				return err
			}
			_, err = cmd.OutOrStdout().Write(text)
			return err
		})
	}}
	cmd.Flags().StringVar(&agent, "agent", "", "whose")
	w.flags(cmd, "720h")
	return cmd
}

func manifestCheck(o *options) *cobra.Command {
	var w window
	var file string
	cmd := &cobra.Command{Use: "check [AGENT…]", Short: "Hold manifests against what agents did: what they would hold or deny, and what nothing used", RunE: func(cmd *cobra.Command, args []string) error {
		format, err := o.outputIs("table", "json")
		if err != nil {
			return err
		}
		manifests := manifest.NewStore()
		if file != "" {
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			if err := manifests.Put("", schema.Manifest{Text: string(text)}); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		} else {
			var err error
			if manifests, err = o.manifests(); err != nil {
				return err
			}
		}
		reports := []manifest.CheckReport{}
		err = o.history(cmd.Context(), w, query.Caller{}, func(db query.DB, since, until time.Time) error {
			agents := args
			if len(agents) == 0 {
				rows, err := query.Agents(cmd.Context(), db, since, until)
				if err != nil {
					return err
				}
				for _, a := range rows {
					agents = append(agents, a.AgentID)
				}
			}
			slices.Sort(agents)
			for _, agent := range slices.Compact(agents) {
				m, _ := manifests.ForAgent("", agent, schema.TrustVerified)
				if m == nil {
					continue
				}
				rows, err := query.Usage(cmd.Context(), db, query.Caller{Agent: agent}, since, until)
				if err != nil {
					return err
				}
				reports = append(reports, m.Check(agent, usageOf(rows)))
			}
			return nil
		})
		if err != nil {
			return err
		}
		if format == "json" {
			return report.JSON(cmd.OutOrStdout(), reports)
		}
		for _, r := range reports {
			fmt.Fprintf(cmd.OutOrStdout(), "%s: %d of %d calls fit\n", r.Agent, r.Fits, r.Calls)
			t := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			for _, v := range r.Violations {
				fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%d calls in %d runs\n", map[string]string{"gate": "would ask", "deny": "would be denied", "annotate": "noted"}[v.Action], v.Route, v.Why, v.Line, v.Calls, v.Runs)
			}
			for _, u := range r.Unused {
				fmt.Fprintf(t, "  never matched\t%s\n", u)
			}
			if err := t.Flush(); err != nil {
				return err
			}
		}
		if len(reports) == 0 {
			fmt.Fprintln(cmd.OutOrStdout(), "no agent that called has a manifest")
		}
		return nil
	}}
	cmd.Flags().StringVar(&file, "file", "", "this manifest instead of those in force")
	w.flags(cmd, "720h")
	return cmd
}

// reviewReport is what history says of a manifest.
type reviewReport struct {
	Agent       string                `json:"agent"`
	Gates       []query.GateRow       `json:"gates"`
	Suggestions []manifest.Suggestion `json:"suggestions"`
	Diff        string                `json:"diff,omitempty"`
}

func manifestReview(o *options) *cobra.Command {
	var w window
	cmd := &cobra.Command{Use: "review [AGENT]", Short: "What was asked and answered by agent and route, and the change it speaks for, as a diff that a person applies", Args: cobra.MaximumNArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		format, err := o.outputIs("table", "json")
		if err != nil {
			return err
		}
		manifests, err := get[[]api.ManifestLine](o, "/v1/manifests")
		if err != nil {
			return err
		}
		reports := []reviewReport{}
		err = o.history(cmd.Context(), w, query.Caller{}, func(db query.DB, since, until time.Time) error {
			agent := ""
			if len(args) == 1 {
				agent = args[0]
			}
			gates, err := query.Gates(cmd.Context(), db, agent, since, until)
			if err != nil {
				return err
			}
			by := map[string][]query.GateRow{}
			for _, g := range gates {
				by[g.AgentID] = append(by[g.AgentID], g)
			}
			for _, l := range manifests {
				if _, ok := by[l.Agent]; !ok && !strings.ContainsAny(l.Agent, "*?[") && (agent == "" || agent == l.Agent) {
					by[l.Agent] = nil
				}
			}
			for name, list := range by {
				r := reviewReport{Agent: name, Gates: list, Suggestions: []manifest.Suggestion{}}
				if m := ownOf(manifests, name); m != nil {
					rows, err := query.Usage(cmd.Context(), db, query.Caller{Agent: name}, since, until)
					if err != nil {
						return err
					}
					var answered []manifest.ApprovalHistory
					for _, g := range list {
						answered = append(answered, manifest.ApprovalHistory{Route: g.Route, Asked: g.Asked, Granted: g.Granted, Refused: g.Refused, TimeOut: g.TimedOut, MaxAmount: g.MaxAmount, Currency: g.Currency, Findings: g.Findings})
					}
					r.Suggestions = m.Review(name, usageOf(rows), answered)
					if r.Diff, _, err = m.Diff(r.Suggestions); err != nil {
						return err
					}
				}
				reports = append(reports, r)
			}
			return nil
		})
		if err != nil {
			return err
		}
		slices.SortFunc(reports, func(a, b reviewReport) int { return strings.Compare(a.Agent, b.Agent) })
		if format == "json" {
			return report.JSON(cmd.OutOrStdout(), reports)
		}
		out := cmd.OutOrStdout()
		for _, r := range reports {
			fmt.Fprintf(out, "%s\n", orDash(r.Agent))
			t := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
			if len(r.Gates) > 0 {
				fmt.Fprintln(t, "  CALL\tWHY\tASKED\tGRANTED\tREFUSED\tTIMED OUT\tWOULD HAVE ASKED\tMEDIAN TO YES\tFINDINGS SINCE")
			}
			for _, g := range r.Gates {
				fmt.Fprintf(t, "  %s\t%s\t%d\t%d\t%d\t%d\t%d\t%s\t%d\n", g.Route, g.Why, g.Asked, g.Granted, g.Refused, g.TimedOut, g.Observed, time.Duration(g.ToYes*1e9).Round(time.Second), g.Findings)
			}
			for _, s := range r.Suggestions {
				fmt.Fprintf(t, "  %s\t%s\t%s\n", s.Kind, s.Line, s.Why)
			}
			if err := t.Flush(); err != nil {
				return err
			}
			if r.Diff != "" {
				fmt.Fprintf(out, "\n%s\n", r.Diff)
			}
		}
		if len(reports) == 0 {
			fmt.Fprintln(out, "nothing was asked, and there is no manifest")
		}
		return nil
	}}
	w.flags(cmd, "720h")
	return cmd
}

// ownOf is the manifest of exactly this agent: a suggestion about one agent is
// none about all that a pattern matches.
func ownOf(list []api.ManifestLine, agent string) *manifest.Manifest {
	for _, l := range list {
		if ok, _ := path.Match(l.Agent, agent); ok && l.Agent == agent {
			if m, err := manifest.Parse([]byte(l.Text)); err == nil {
				return m
			}
		}
	}
	return nil
}
