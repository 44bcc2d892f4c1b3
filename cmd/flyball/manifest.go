package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/answer"
	"flyball/detect/control"
	"flyball/detect/manifest"
	"flyball/schema"
	"flyball/schema/clickhouse/query"
)

func refOf(raw []byte) string {
	var d control.Done
	_ = json.Unmarshal(raw, &d)
	return d.Ref
}

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

// manifests are those in force.
func (o *options) manifests() (*manifest.Store, error) {
	list, err := get[[]control.ManifestLine](o, "/v1/manifests")
	if err != nil {
		return nil, err
	}
	s := manifest.NewStore()
	for _, l := range list {
		if err := s.Put("", l.Manifest); err != nil {
			return nil, fmt.Errorf("manifest of %s: %w", l.Agent, err)
		}
	}
	return s, nil
}

// inForce is the manifest that holds for an agent; nil without one.
func (o *options) inForce(agent string) (*manifest.Manifest, schema.Manifest, error) {
	s, err := o.manifests()
	if err != nil {
		return nil, schema.Manifest{}, err
	}
	m, doc := s.Of("", agent, schema.TrustVerified)
	return m, doc, nil
}

func manifestCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "manifest", Short: "What agents are for: propose, check, put in force, review"}
	cmd.AddCommand(
		listing(o, "list", "Manifests in force", "/v1/manifests", "AGENT\tVERSION\tOWNER\tSINCE (UTC)\tBY", func(w *tabwriter.Writer, m *control.ManifestLine) {
			fmt.Fprintf(w, "%s\t%d\t%s\t%s\t%s\n", m.Agent, m.Version, orDash(m.Owner), second(m.Since), m.By)
		}),
		manifestShow(o), manifestApply(o), manifestDrop(o), manifestLearn(o), manifestCheck(o), manifestReview(o),
		listing(o, "quotas", "What is spent of quotas in their present windows", "/v1/quotas", "AGENT\tQUOTA\tOF\tGIVEN OUT\tLIMIT", func(w *tabwriter.Writer, q *quotaLine) {
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\n", q.Agent, q.Quota, q.Of, q.Units, q.Limit)
		}),
		&cobra.Command{Use: "schema", Short: "Print the JSON Schema of manifests, for editors", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := cmd.OutOrStdout().Write(manifest.Schema)
			return err
		}})
	return cmd
}

type quotaLine struct {
	Agent string `json:"agent"`
	Quota string `json:"quota"`
	Of    string `json:"of"`
	Units int64  `json:"units"`
	Limit int64  `json:"limit"`
}

func manifestShow(o *options) *cobra.Command {
	return &cobra.Command{Use: "show AGENT", Short: "Print the manifest that holds for an agent", Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		m, doc, err := o.inForce(args[0])
		if err != nil {
			return err
		}
		if m == nil {
			return fmt.Errorf("no manifest holds for %q; flyball manifest learn --agent %s proposes one", args[0], args[0])
		}
		fmt.Fprintf(cmd.OutOrStdout(), "# version %d of %s, by %s\n%s", doc.Version, doc.Agent, doc.By, doc.Text)
		return nil
	}}
}

func manifestApply(o *options) *cobra.Command {
	var reason string
	cmd := &cobra.Command{Use: "apply FILE…", Short: "Put manifests in force; one that is wrong is refused whole and the present one stays", Args: cobra.MinimumNArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		if reason == "" {
			return usage(errors.New("--reason: empty; say why, it goes into the history"))
		}
		var texts []string
		for _, file := range args { // all of them are read before the first is in force
			text, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			if _, err := manifest.Parse(text); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			texts = append(texts, string(text))
		}
		for i, text := range texts {
			raw, err := o.ask(http.MethodPut, "/v1/manifests", control.Put{Text: text, Reason: reason, By: whoami()})
			if err != nil {
				return fmt.Errorf("%s: %w", args[i], err)
			}
			var d control.Done
			if err := json.Unmarshal(raw, &d); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: version %d in force\n", d.Ref, d.Generation)
		}
		return nil
	}}
	cmd.Flags().StringVar(&reason, "reason", "", "why; it goes into the history")
	return cmd
}

func manifestDrop(o *options) *cobra.Command {
	var reason string
	cmd := &cobra.Command{Use: "drop AGENT", Short: "Take a manifest away", Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		if reason == "" {
			return usage(errors.New("--reason: empty; say why, it goes into the history"))
		}
		if _, err := o.ask(http.MethodPost, "/v1/manifests/drop", control.Drop{Agent: args[0], Reason: reason, By: whoami()}); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s: dropped\n", args[0])
		return nil
	}}
	cmd.Flags().StringVar(&reason, "reason", "", "why; it goes into the history")
	return cmd
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
				m, _ := manifests.Of("", agent, schema.TrustVerified)
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
			return answer.JSON(cmd.OutOrStdout(), reports)
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
		manifests, err := get[[]control.ManifestLine](o, "/v1/manifests")
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
					var answered []manifest.Answered
					for _, g := range list {
						answered = append(answered, manifest.Answered{Route: g.Route, Asked: g.Asked, Granted: g.Granted, Refused: g.Refused, TimeOut: g.TimedOut, MaxAmount: g.MaxAmount, Currency: g.Currency, Findings: g.Findings})
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
			return answer.JSON(cmd.OutOrStdout(), reports)
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
func ownOf(list []control.ManifestLine, agent string) *manifest.Manifest {
	for _, l := range list {
		if ok, _ := path.Match(l.Agent, agent); ok && l.Agent == agent {
			if m, err := manifest.Parse([]byte(l.Text)); err == nil {
				return m
			}
		}
	}
	return nil
}
