package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
	"flyball/schema"
	"flyball/schema/clickhouse/query"
	"flyball/schema/ocsf"
)

// maxNear is how many similar runs are listed for a term that fits none.
const maxNear = 5

func runsCommand(o *options) *cobra.Command {
	var f query.RunFilter
	var w window
	var live watch
	level, family := "", ""
	l := pages[query.Run]{listing: listing[query.Run]{window: &w, columns: report.RunColumns, watch: &live,
		newest: func(r *request) (time.Time, error) { return newestRun(r, f) },
		empty:  "No run fits. --since goes further back; flyball status shows whether calls arrive."}}
	l.page = func(r *request) (none query.Page[query.Run], err error) {
		if err := wordFlag("--state", f.State, "open", "closed"); err != nil {
			return none, err
		}
		if err := wordFlag("--min-level", f.MinLevel, "annotate", "alert", "trip"); err != nil {
			return none, err
		}
		if err := wordFlag("--level", level, schema.LevelWords...); err != nil {
			return none, err
		}
		if level != "" {
			f.Levels = []string{level}
		}
		if f.Families, err = familiesOf(family); err != nil {
			return none, err
		}
		db, err := r.database()
		if err != nil {
			return none, err
		}
		f.Since, f.Until = r.since, r.until
		return query.RunsPage(r.ctx, db, f)
	}
	cmd := &cobra.Command{Use: "runs", Short: "List runs, latest first", Args: cobra.NoArgs, RunE: l.run(o)}
	w.listFlags(cmd, "Runs")
	fl := cmd.Flags()
	fl.StringVar(&f.Agent, "agent", "", "list only the runs of this agent")
	fl.StringVar(&f.State, "state", "", "open or closed")
	fl.StringVar(&level, "level", "", "list only this level: none, annotate, alert or trip")
	fl.StringVar(&family, "family", "",
		"list only runs with a finding of this family, such as runaway.retry, or of a pattern such as 'runaway.*'")
	fl.StringVar(&f.MinLevel, "min-level", "", "list this level and those above: annotate, alert or trip")
	fl.IntVar(&f.Limit, "limit", 100, limitHelp)
	l.flag(cmd, &f.After)
	live.flags(cmd)
	return cmd
}

// resolveStored finds the run that a term names. If it names several, they are printed to standard
// error.
func resolveStored(r *request, db query.DB, term string) (query.Run, error) {
	run, err := query.ResolveRun(r.ctx, db, term)
	var several *query.Ambiguous
	if errors.As(err, &several) {
		report.Printf(r.stderr, "%q names %d runs:\n", term, len(several.Candidates))
		_ = report.Rows(r.stderr, several.Candidates, report.RunColumns)
		noteSearched(r, several.Since)
	}
	noteSearched(r, run.SearchedSince)
	if n := query.HeldRunsLeft(db); n > 0 && errors.Is(err, query.ErrNotFound) {
		report.Printf(r.stderr, "%d held runs with expired rows were not searched: they are found by the whole id (flyball hold list)\n", n)
	}
	return run, err
}

// noteSearched prints which runs were looked at for the start of an id.
func noteSearched(r *request, since time.Time) {
	if !since.IsZero() {
		report.Printf(r.stderr, "the start of an id was compared with the runs that have a call since %s; older ones are found by the whole id\n",
			since.In(r.zone).Format("2006-01-02 15:04 MST"))
	}
}

// resolveRun finds the run that a term names. If it names none or several, the similar
// ones are printed to standard error.
func resolveRun(r *request, db database, term string) (query.Run, error) {
	run, err := resolveStored(r, db, term)
	if errors.Is(err, query.ErrNotFound) {
		near, _ := query.RunsWithSimilarKey(r.ctx, db, term, maxNear)
		report.Printf(r.stderr, "no run has the id or key %q.", term)
		if len(near) > 0 {
			fmt.Fprintln(r.stderr, " Near it:")
			_ = report.Rows(r.stderr, near, report.RunColumns)
		} else {
			fmt.Fprintln(r.stderr, " No run is stored yet: flyball status shows whether calls arrive.")
		}
	}
	return run, err
}

// runAnswer is the result of the command run: a report, or what is near a run that is not stored.
type runAnswer struct {
	report  *query.RunReport
	touched *query.Touched // what it touched, read for the form html alone
	unknown *query.Touched
}

// MarshalJSON returns the report, or for an unknown run an object with subject, complete, caveats
// and near.
func (a runAnswer) MarshalJSON() ([]byte, error) {
	if a.unknown == nil {
		var b bytes.Buffer
		err := report.JSON(&b, a.report)
		return b.Bytes(), err
	}
	return json.Marshal(map[string]any{"subject": a.unknown.Subject, "complete": false, "caveats": a.unknown.Caveats,
		"near": append([]query.Near{}, a.unknown.Near...)})
}

func runCommand(o *options) *cobra.Command {
	limit := 1000
	a := answer[runAnswer]{query: func(r *request) (runAnswer, error) { return readRun(r, r.args[0], limit) },
		table: func(w io.Writer, a runAnswer) error {
			if a.unknown != nil {
				return report.UnknownRun(w, a.unknown)
			}
			return report.Run(w, a.report)
		}, events: func(by ocsf.Producer, a runAnswer) ([]ocsf.Event, error) {
			if a.unknown != nil {
				return nil, nil
			}
			return report.RunEvents(by, a.report)
		}, page: func(w io.Writer, a runAnswer, made time.Time) error {
			if a.unknown != nil {
				return report.TouchedHTML(w, a.unknown, made)
			}
			return report.RunHTML(w, a.report, a.touched, made)
		}, exit: func(a runAnswer) error {
			if a.unknown != nil {
				return errIncomplete
			}
			return nil
		}}
	cmd := &cobra.Command{Use: "run ID", Args: cobra.ExactArgs(1), RunE: a.run(o),
		Short: "Show one run: its identity and the source of it, its score, findings, decisions and breakers, its calls in order, its links"}
	cmd.Flags().IntVar(&limit, "limit", limit, "at most this many calls")
	return cmd
}

// readRun reads a run in full, with caveats about records that were not stored.
func readRun(r *request, term string, limit int) (runAnswer, error) {
	s := query.Subject{Kind: "run", Value: term}
	if api.LooksLikeSecret(term) {
		return runAnswer{unknown: query.Unknown(query.Subject{Kind: "run", Value: masked(term)}, query.Window{}, secretAdvice)}, nil
	}
	known, err := readCompleteness(r)
	if err != nil {
		return runAnswer{}, err
	}
	db, err := query.WithHolds(r.ctx, r.db, term)
	if err != nil {
		return runAnswer{}, known.explain(err)
	}
	run, err := resolveStored(r, db, term)
	if errors.Is(err, query.ErrNotFound) {
		t, err := unknownRun(r, s)
		if err == nil {
			known.addTo(t)
		}
		return runAnswer{unknown: t}, err
	}
	if err != nil {
		return runAnswer{}, known.explain(err)
	}
	rep, err := query.RunInFull(r.ctx, db, run, limit)
	if err != nil {
		return runAnswer{}, known.explain(err)
	}
	caveats := query.Touched{}
	known.addTo(&caveats)
	rep.Caveats = append(rep.Caveats, caveats.Caveats...)
	out := runAnswer{report: rep}
	if r.options.output == formHTML {
		if out.touched, err = touchedByRun(r, db, &run); err != nil {
			return runAnswer{}, known.explain(err)
		}
		known.addTo(out.touched)
	}
	return out, nil
}

// unknownRun returns the report on a run that is not stored, with what is near.
func unknownRun(r *request, s query.Subject) (*query.Touched, error) {
	why, err := query.ExplainUnknown(r.ctx, r.db, s.Kind)
	if err != nil {
		return nil, err
	}
	t := query.Unknown(s, query.Window{}, fmt.Sprintf("no run has the id or key %q; %s", s.Value, why))
	t.Near, err = query.NearTo(r.ctx, r.db, s)
	return t, err
}

func findCommand(o *options) *cobra.Command {
	limit, after := 50, ""
	l := pages[query.Hit]{listing: listing[query.Hit]{columns: report.HitColumns, quiet: true},
		page: func(r *request) (query.Page[query.Hit], error) { return find(r, r.args[0], limit, after) },
		exit: func(p paged[query.Hit]) error {
			if len(p.Rows) == 0 {
				return errIncomplete
			}
			return nil
		}}
	cmd := &cobra.Command{Use: "find TERM", Args: cobra.ExactArgs(1), RunE: l.run(o),
		Short: "Find runs by request id, trace, address, resource, host, credential id …",
		Long: `Find runs by request id, trace, address, resource, host, credential id …

Exit status: 3 if nothing has the term; standard error then names what is near, and
what was not stored when the command read.`}
	cmd.Flags().IntVar(&limit, "limit", limit, "at most this many runs a field")
	l.flag(cmd, &after)
	return cmd
}

// find returns a page of the runs in which a term occurs. If there are none, it prints what is near to standard error.
func find(r *request, term string, limit int, after string) (none query.Page[query.Hit], err error) {
	none.Rows = []query.Hit{}
	if limit <= 0 {
		return none, usage(fmt.Errorf("--limit: %d, want 1 or more", limit))
	}
	if api.LooksLikeSecret(term) {
		report.Printf(r.stderr, "%s: %s\n", masked(term), secretAdvice)
		return none, nil
	}
	known, err := readCompleteness(r)
	if err != nil {
		return none, err
	}
	hits, err := query.FindPage(r.ctx, r.db, term, limit, after)
	if err != nil {
		return none, known.explain(err)
	}
	if len(hits.Rows) > 0 || after != "" {
		return hits, nil
	}
	missing := &query.Touched{Subject: query.Subject{Value: term}}
	missing.Near, err = query.NearTo(r.ctx, r.db, missing.Subject)
	if err != nil {
		report.Printf(r.stderr, "what is near could not be looked up: %v\n", err)
	}
	if why, err := query.ExplainUnknown(r.ctx, r.db, ""); err != nil {
		report.Printf(r.stderr, "whether it has expired could not be looked up: %v\n", err)
	} else if strings.Contains(why, "older") {
		missing.AddCaveat("expired: " + why)
	}
	known.addTo(missing)
	return hits, report.NotFound(r.stderr, missing)
}
