package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
	"flyball/detect/playbook"
	"flyball/schema"
	"flyball/schema/clickhouse/query"
)

func findingsCommand(o *options) *cobra.Command {
	var limit int
	l := listing[query.Finding]{
		columns: findingColumns,
		query: fromDatabase(func(ctx context.Context, db database, _ *request) ([]query.Finding, error) {
			return query.Findings(ctx, db, limit)
		}),
	}
	cmd := &cobra.Command{
		Use:       "findings [list]",
		Short:     "List findings, latest first",
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"list"},
		RunE:      l.run(o),
	}
	cmd.Flags().IntVar(&limit, "limit", 100, limitHelp)
	cmd.AddCommand(findingCommand(o), verdictCommand(o), ratesCommand(o), fileExceptionsCommand(o))
	return cmd
}

var findingColumns = []report.Column[query.Finding]{
	{Head: "FINDING", Cell: func(f *query.Finding) any { return f.ID }},
	{Head: "UPDATED", Cell: func(f *query.Finding) any { return f.UpdatedAt.UTC().Format(time.DateTime) }},
	{Head: "LEVEL", Cell: func(f *query.Finding) any { return f.Level }},
	{Head: "STATE", Cell: func(f *query.Finding) any { return f.State }},
	{Head: "FAMILY", Cell: func(f *query.Finding) any { return strings.TrimPrefix(f.Family, "runaway.") }},
	{Head: "RUN", Cell: func(f *query.Finding) any { return f.RunID }},
	{Head: "RATE", Cell: func(f *query.Finding) any { return fmt.Sprintf("%.2g", f.ExpectedRate) }},
	{Head: "WHAT", Cell: func(f *query.Finding) any {
		if f.Exception != "" {
			return "(exception " + f.Exception + ") " + f.Summary
		}
		return f.Summary
	}},
}

// findingReport is a finding with the playbook card of its family.
type findingReport struct {
	query.Finding
	Card *playbook.Entry `json:"card,omitempty"`
}

func findingCommand(o *options) *cobra.Command {
	a := answer[*findingReport]{query: fromDatabase(func(ctx context.Context, db database, r *request) (*findingReport, error) {
		f, err := query.FindingByID(ctx, db, r.args[0])
		if err != nil {
			return nil, err
		}
		out := &findingReport{Finding: f}
		if c, ok := playbook.Find(f.Family); ok {
			out.Card = &c
		}
		return out, nil
	}), table: func(w io.Writer, r *findingReport) error { return report.Finding(w, &r.Finding, r.Card) }}
	return &cobra.Command{Use: "show ID", Args: cobra.ExactArgs(1), RunE: a.run(o),
		Short: "Show one finding: the evidence, other explanations, what to check, how to contain and close it"}
}

func verdictCommand(o *options) *cobra.Command {
	var why string
	cmd := &cobra.Command{Use: "verdict ID true|benign|test", Args: cobra.ExactArgs(2),
		Short: "Record a verdict on a finding: a benign run is learned from again, a true one never"}
	cmd.RunE = order(o, nil, func(ctx context.Context, c *controlClient, args []string) (string, error) {
		body := api.LabelFindingRequest{Why: why, By: currentUser()}
		if err := body.Is.UnmarshalText([]byte(args[1])); err != nil || body.Is == schema.VerdictUnknown {
			return "", usage(fmt.Errorf("%q is none of %s", args[1], strings.Join(schema.VerdictWords[1:], ", ")))
		}
		if why == "" {
			return "", usage(errors.New("--why: empty; give the reason for the verdict"))
		}
		return fmt.Sprintf("%s: %s", args[0], body.Is), c.change(ctx, "/v1/findings/"+url.PathEscape(args[0])+"/verdict", body)
	})
	cmd.Flags().StringVar(&why, "why", "", reasonHelp)
	return cmd
}

func ratesCommand(o *options) *cobra.Command {
	var w window
	l := listing[query.Judged]{
		window:  &w,
		columns: rateColumns,
		query: fromDatabase(func(ctx context.Context, db database, r *request) ([]query.Judged, error) {
			alarms, err := query.AchievedRates(ctx, db, r.since, r.until)
			if err != nil {
				return nil, err
			}
			holds, err := query.HoldRates(ctx, db, r.since, r.until)
			return append(alarms, holds...), err
		}),
	}
	cmd := &cobra.Command{
		Use:   "rates",
		Short: "Show the rate of false trips against its budget, by the verdicts of people",
		Args:  cobra.NoArgs,
		RunE:  l.run(o),
	}
	w.flags(cmd, "720h")
	return cmd
}

var rateColumns = []report.Column[query.Judged]{
	{Head: "LEVEL", Cell: func(j *query.Judged) any { return j.Level }},
	{Head: "RULE", Cell: func(j *query.Judged) any { return j.Rule }},
	{Head: "RUNS THAT CAME TO IT", Cell: func(j *query.Judged) any { return j.Findings }},
	{Head: "TRUE", Cell: func(j *query.Judged) any { return j.True }},
	{Head: "BENIGN", Cell: func(j *query.Judged) any { return j.Benign }},
	{Head: "TEST", Cell: func(j *query.Judged) any { return j.Test }},
	{Head: "UNJUDGED", Cell: func(j *query.Judged) any { return j.Unjudged }},
	{Head: "OF RUNS", Cell: func(j *query.Judged) any { return j.Runs }},
	{Head: "FALSE IN 1,000", Cell: func(j *query.Judged) any { return fmt.Sprintf("%.2f", j.FalsePer1000) }},
	{Head: "IF THE UNJUDGED ARE", Cell: func(j *query.Judged) any { return fmt.Sprintf("%.2f", j.High) }},
	{Head: "HELD IN 1,000", Cell: func(j *query.Judged) any {
		if j.Rule == "" {
			return "" // only holds have a rule
		}
		return fmt.Sprintf("%.2f", j.HeldPer1000)
	}},
}
