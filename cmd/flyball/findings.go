package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
	"flyball/detect/playbook"
	"flyball/schema"
	"flyball/schema/clickhouse/query"
	"flyball/schema/wording"
)

func findingsCommand(o *options) *cobra.Command {
	var f findingFlags
	var w window
	var live watch
	l := pages[query.Finding]{page: f.read, events: report.FindingEvents, listing: listing[query.Finding]{window: &w,
		columns: findingColumns, watch: &live, newest: f.newest,
		empty: "No finding fits. --since goes further back; flyball status shows whether calls arrive."}}
	cmd := &cobra.Command{
		Use:       "findings [list]",
		Short:     "List findings, latest first",
		Args:      cobra.MatchAll(cobra.MaximumNArgs(1), cobra.OnlyValidArgs),
		ValidArgs: []string{"list"},
		RunE:      l.run(o),
	}
	f.flags(cmd)
	w.listFlags(cmd, "Findings")
	l.flag(cmd, &f.After)
	live.flags(cmd)
	cmd.AddCommand(findingCommand(o), verdictCommand(o), ratesCommand(o), fileExceptionsCommand(o))
	return cmd
}

// findingFlags are the filters of `findings`.
type findingFlags struct {
	query.FindingFilter
	family, run string
}

func (f *findingFlags) flags(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVar(&f.Level, "level", "", "list only this level: annotate, alert or trip")
	fl.StringVar(&f.MinLevel, "min-level", "", "list this level and those above: annotate, alert or trip")
	fl.StringVar(&f.Agent, "agent", "", "list only findings about this agent")
	fl.StringVar(&f.family, "family", "", "list only this family, such as runaway.retry, or a pattern such as 'runaway.*'")
	fl.StringVar(&f.State, "state", "", "open or closed")
	fl.StringVar(&f.run, "run", "", "list only findings about this run: its id, the beginning of it or its own key")
	fl.IntVar(&f.Limit, "limit", 100, limitHelp)
}

func (f *findingFlags) read(r *request) (none query.Page[query.Finding], err error) {
	levels := schema.LevelWords[1:]
	for _, w := range []struct {
		flag, value string
		words       []string
	}{{"--level", f.Level, levels}, {"--min-level", f.MinLevel, levels}, {"--state", f.State, []string{"open", "closed"}}} {
		if err := wordFlag(w.flag, w.value, w.words...); err != nil {
			return none, err
		}
	}
	if f.Families, err = familiesOf(f.family); err != nil {
		return none, err
	}
	db, err := r.database()
	if err != nil {
		return none, err
	}
	if f.run != "" {
		run, err := resolveRun(r, db, f.run)
		if err != nil {
			return none, err
		}
		f.RunID = run.RunID
	}
	f.Since, f.Until = r.since, r.until
	return query.FindingsPage(r.ctx, db, f.FindingFilter)
}

// newest returns the time of the last change of the newest finding that the filters select, whenever it was.
func (f *findingFlags) newest(r *request) (time.Time, error) {
	db, err := r.database()
	if err != nil {
		return time.Time{}, err
	}
	all := f.FindingFilter
	all.Since, all.Until, all.After, all.Limit = time.Time{}, time.Time{}, "", 1
	page, err := query.FindingsPage(r.ctx, db, all)
	if err != nil || len(page.Rows) == 0 {
		return time.Time{}, err
	}
	return page.Rows[0].UpdatedAt, nil
}

// familiesOf returns the families that a name or a pattern matches; none of an empty pattern.
func familiesOf(pattern string) (out []string, err error) {
	if pattern == "" {
		return nil, nil
	}
	for _, family := range playbook.Families() {
		if ok, _ := path.Match(pattern, family); ok {
			out = append(out, family)
		}
	}
	if len(out) == 0 {
		return nil, usage(fmt.Errorf("--family: %q matches none of %s", pattern, strings.Join(playbook.Families(), ", ")))
	}
	return out, nil
}

var findingColumns = []report.Column[query.Finding]{
	{Head: "FINDING", Cell: func(f *query.Finding) any { return report.ID(f.ID) }},
	{Head: "UPDATED", Cell: func(f *query.Finding) any { return report.When(f.UpdatedAt) }},
	{Head: "LEVEL", Cell: func(f *query.Finding) any { return report.Level(f.Level) }},
	{Head: "STATE??", Cell: func(f *query.Finding) any { return f.State }},
	{Head: "FAMILY", Cell: func(f *query.Finding) any { return f.Family }},
	{Head: "AGENT", Cell: func(f *query.Finding) any { return report.Dash(f.AgentID) }},
	{Head: "RUN?", Cell: func(f *query.Finding) any { return report.ID(f.RunID) }},
	{Head: "CLEAN RUNS???", Cell: func(f *query.Finding) any {
		return wording.ShortRate(f.ExpectedRate, wording.Clean{Of: f.ExpectedOf, Runs: f.ExpectedRuns})
	}},
	{Head: "CALLER???", Cell: func(f *query.Finding) any { return report.Dash(f.Acquaintance) }},
	{Head: "VERDICT??", Cell: func(f *query.Finding) any {
		if f.Verdict == "" {
			return "-"
		}
		return f.Verdict + " by " + f.Judge
	}},
	{Head: "WHAT", Cell: func(f *query.Finding) any {
		if f.Exception != "" {
			return "(exception " + f.Exception + ") " + f.Summary
		}
		return f.Summary
	}},
}

// findingReport is a finding with the playbook card of its family, filled in for it.
type findingReport struct {
	query.Finding
	Card *playbook.Entry `json:"card,omitempty"`
	// Verdicts are all that people recorded on it, the latest first; the first one applies.
	Verdicts []query.Verdict `json:"verdicts"`
}

func findingCommand(o *options) *cobra.Command {
	a := answer[*findingReport]{query: fromDatabase(func(ctx context.Context, db database, r *request) (*findingReport, error) {
		f, err := resolveFinding(r, db, r.args[0])
		if err != nil {
			return nil, err
		}
		out := &findingReport{Finding: f}
		if out.Verdicts, err = query.Verdicts(ctx, db, f.Tenant, f.ID); err != nil {
			return nil, err
		}
		who, err := query.CallerOfRun(ctx, db, f.Tenant, f.RunID)
		if err != nil {
			return nil, err
		}
		if c, ok := playbook.Find(f.Family); ok {
			c = c.For(playbook.Subject{Program: o.programName(), Finding: f.ID, Run: f.RunID, Agent: f.AgentID, Version: who.Version,
				Credential: who.Credential})
			out.Card = &c
		}
		return out, nil
	}), table: func(w io.Writer, r *findingReport) error { return report.Finding(w, &r.Finding, r.Verdicts, r.Card) }}
	return &cobra.Command{Use: "show ID", Args: cobra.ExactArgs(1), RunE: a.run(o),
		Short: "Show one finding, by its id, the beginning of it or its run: the evidence, other explanations, what to check, how to contain " +
			"and close it"}
}

// resolveFinding finds the finding that a term names. If it names several, they are printed to
// standard error.
func resolveFinding(r *request, db database, term string) (query.Finding, error) {
	f, err := query.ResolveFinding(r.ctx, db, "", term)
	var several *query.AmbiguousFinding
	if errors.As(err, &several) {
		report.Printf(r.stderr, "%q fits %d findings:\n", term, len(several.Candidates))
		_ = report.Rows(r.stderr, several.Candidates, findingColumns)
	}
	return f, err
}

func verdictCommand(o *options) *cobra.Command {
	var body api.LabelFindingRequest
	cmd := &cobra.Command{Use: "verdict ID true|benign|test", Args: cobra.ExactArgs(2),
		Short: "Record a verdict on a finding, by its id, the beginning of it or its run: a benign run is learned from again, a true one never"}
	cmd.RunE = order(o, nil, func(ctx context.Context, c *controlClient, args []string) (changed, error) {
		body.By = currentUser()
		if err := body.Is.UnmarshalText([]byte(args[1])); err != nil || body.Is == schema.VerdictUnknown {
			return changed{}, usage(fmt.Errorf("%q is none of %s", args[1], strings.Join(schema.VerdictWords[1:], ", ")))
		}
		if err := checkReason(body.Why); err != nil {
			return changed{}, err
		}
		done, err := post[api.ChangeResult](ctx, c, "/v1/findings/"+url.PathEscape(args[0])+"/verdict", body)
		id := cmp.Or(done.Ref, args[0])
		return changed{result: done, what: fmt.Sprintf("%s: %s", id, body.Is), forever: "until another verdict replaces it",
			final: "another verdict replaces it, and the history keeps both: " + o.programName() + " findings verdict " + shellWord(id) +
				" " + strings.Join(otherVerdicts(body.Is), "|") + " --replace --reason '…'"}, err
	})
	reasonFlag(cmd, &body.Why)
	cmd.Flags().BoolVar(&body.Replace, "replace", false, "replace another verdict, which stays in the history")
	return cmd
}

func otherVerdicts(than schema.VerdictLabel) (out []string) {
	for _, w := range schema.VerdictWords[1:] {
		if w != than.String() {
			out = append(out, w)
		}
	}
	return out
}

func ratesCommand(o *options) *cobra.Command {
	var w window
	l := listing[query.Judged]{
		window:  &w,
		columns: rateColumns,
		empty:   "No finding of level alert or trip, and no hold, in this period.",
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
	w.flags(cmd, "30d")
	w.what = "Findings and holds"
	return cmd
}

var rateColumns = []report.Column[query.Judged]{
	{Head: "LEVEL", Cell: func(j *query.Judged) any { return j.Level }},
	{Head: "RULE?", Cell: func(j *query.Judged) any { return j.Rule }},
	{Head: "RUNS", Cell: func(j *query.Judged) any { return j.Findings }},
	{Head: "TRUE", Cell: func(j *query.Judged) any { return j.True }},
	{Head: "BENIGN", Cell: func(j *query.Judged) any { return j.Benign }},
	{Head: "TEST??", Cell: func(j *query.Judged) any { return j.Test }},
	{Head: "UNJUDGED", Cell: func(j *query.Judged) any { return j.Unjudged }},
	{Head: "OF RUNS", Cell: func(j *query.Judged) any { return j.Runs }},
	{Head: "FALSE IN 1,000", Cell: func(j *query.Judged) any { return fmt.Sprintf("%.2f", j.FalsePer1000) }},
	{Head: "AT MOST?", Cell: func(j *query.Judged) any { return fmt.Sprintf("%.2f", j.High) }},
	{Head: "HELD IN 1,000???", Cell: func(j *query.Judged) any {
		if j.Rule == "" {
			return "" // only holds have a rule
		}
		return fmt.Sprintf("%.2f", j.HeldPer1000)
	}},
}
