package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
	"flyball/detect/enforce/manifest"
	"flyball/schema/clickhouse/query"
	"flyball/schema/wording"
)

// reviewReport compares a manifest with the approvals and refusals of the past.
type reviewReport struct {
	Agent       string                `json:"agent"`
	Gates       []query.GateRow       `json:"gates"`
	Suggestions []manifest.Suggestion `json:"suggestions"`
	Diff        string                `json:"diff,omitempty"`
}

func manifestReviewCommand(o *options) *cobra.Command {
	w := &window{}
	a := answer[[]reviewReport]{window: w, table: printReviews, rows: itself[[]reviewReport], query: readReviews}
	cmd := &cobra.Command{Use: "review [AGENT]", Args: cobra.MaximumNArgs(1), RunE: a.run(o),
		Short: "Show approvals and refusals by agent and route, and the change that they suggest, as a diff that a person applies"}
	w.flags(cmd, "30d")
	return cmd
}

// readReviews reviews the agents of which calls were held, and those that have a
// manifest of their own.
func readReviews(r *request) ([]reviewReport, error) {
	manifests, err := fromControl[[]api.ManifestLine]("/v1/manifests")(r)
	if err != nil {
		return nil, err
	}
	db, since, until, err := pastWindow(r)
	if err != nil {
		return nil, err
	}
	agent := strings.Join(r.args, "")
	gates, err := query.Gates(r.ctx, db, agent, since, until)
	if err != nil {
		return nil, err
	}
	gates = cut(r, "gates of pairs of agent and route that were asked seldom", gates, query.MaxGateRows)
	byAgent := map[string][]query.GateRow{}
	for _, g := range gates {
		byAgent[g.AgentID] = append(byAgent[g.AgentID], g)
	}
	for _, l := range manifests {
		if _, ok := byAgent[l.Agent]; !ok && !strings.ContainsAny(l.Agent, "*?[") && (agent == "" || agent == l.Agent) {
			byAgent[l.Agent] = nil
		}
	}
	reports := []reviewReport{}
	for name, gates := range byAgent {
		one := reviewReport{Agent: name, Gates: gates, Suggestions: []manifest.Suggestion{}}
		if m := manifestNaming(manifests, name); m != nil {
			rows, err := query.Usage(r.ctx, db, query.Caller{Agent: name}, since, until)
			if err != nil {
				return nil, err
			}
			rows = cut(r, "further routes of "+name, rows, query.MaxUsage)
			one.Suggestions = m.Review(name, manifestUsage(rows), answeredGates(gates))
			if one.Diff, _, err = m.Diff(one.Suggestions); err != nil {
				return nil, err
			}
		}
		reports = append(reports, one)
	}
	slices.SortFunc(reports, func(a, b reviewReport) int { return strings.Compare(a.Agent, b.Agent) })
	return reports, nil
}

// answeredGates converts rows of gates to the fields that a review needs.
func answeredGates(gates []query.GateRow) []manifest.ApprovalHistory {
	var out []manifest.ApprovalHistory
	for _, g := range gates {
		out = append(out, manifest.ApprovalHistory{Route: g.Route, Asked: g.Asked, Granted: g.Granted, Refused: g.Refused, TimeOut: g.TimedOut,
			MaxAmount: g.MaxAmount, Currency: g.Currency, Findings: g.Findings})
	}
	return out
}

// manifestNaming returns the manifest of exactly this agent: a suggestion about one agent
// does not apply to all agents that a pattern matches.
func manifestNaming(list []api.ManifestLine, agent string) *manifest.Manifest {
	for _, l := range list {
		if l.Agent == agent && !strings.ContainsAny(agent, "*?[") {
			if m, err := manifest.Parse([]byte(l.Text)); err == nil {
				return m
			}
		}
	}
	return nil
}

const reviewHeads = "  CALL | WHY | ASKED | GRANTED | REFUSED | TIMED OUT?? | WOULD HAVE ASKED??? | MEDIAN TO YES? | FINDINGS SINCE???"

func printReviews(w io.Writer, reports []reviewReport) error {
	for i := range reports {
		if err := reports[i].print(w); err != nil {
			return err
		}
	}
	if len(reports) == 0 {
		report.Printf(w, "no call waited for approval, and there is no manifest\n")
	}
	return nil
}

func (r *reviewReport) print(w io.Writer) error {
	report.Printf(w, "%s\n", report.Dash(r.Agent))
	var err error
	if len(r.Gates) > 0 {
		err = report.Table(w, reviewHeads, func(row func(...any)) {
			for _, g := range r.Gates {
				row("  "+g.Route, wording.Reason(g.Why), g.Asked, g.Granted, g.Refused, g.TimedOut, g.Observed,
					time.Duration(g.ToYes*1e9).Round(time.Second), g.Findings)
			}
		})
	}
	if err == nil {
		err = report.Lines(w, func(row func(...any)) {
			for _, s := range r.Suggestions {
				row("  "+s.Kind, s.Line, s.Why)
			}
		})
	}
	if err == nil && r.Diff != "" {
		_, err = fmt.Fprintf(w, "\n%s\n", report.TextLines(r.Diff))
	}
	return err
}
