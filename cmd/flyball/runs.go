package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/schema/clickhouse/query"
)

// maxNear is how many similar runs are listed for a term that fits none.
const maxNear = 5

func runsCommand(o *options) *cobra.Command {
	var f query.RunFilter
	var w window
	l := listing[query.Run]{window: &w, columns: report.RunColumns, query: func(r *request) ([]query.Run, error) {
		if err := wordFlag("--state", f.State, "open", "closed"); err != nil {
			return nil, err
		}
		if err := wordFlag("--min-level", f.MinLevel, "annotate", "alert", "trip"); err != nil {
			return nil, err
		}
		db, err := r.database()
		if err != nil {
			return nil, err
		}
		f.Since, f.Until = r.since, r.until
		return query.Runs(r.ctx, db, f)
	}}
	cmd := &cobra.Command{Use: "runs", Short: "List runs, latest first", Args: cobra.NoArgs, RunE: l.run(o)}
	w.flags(cmd, "")
	fl := cmd.Flags()
	fl.StringVar(&f.Agent, "agent", "", "list only the runs of this agent")
	fl.StringVar(&f.State, "state", "", "open or closed")
	fl.StringVar(&f.MinLevel, "min-level", "", "annotate, alert or trip")
	fl.IntVar(&f.Limit, "limit", 100, limitHelp)
	return cmd
}

// resolveRun finds the run that a term names. If it names none or several, the similar
// ones are printed to standard error.
func resolveRun(r *request, db database, term string) (query.Run, error) {
	run, err := query.ResolveRun(r.ctx, db, term)
	var several *query.Ambiguous
	switch {
	case errors.As(err, &several):
		report.Printf(r.stderr, "%q names %d runs:\n", term, len(several.Candidates))
		_ = report.Rows(r.stderr, several.Candidates, report.RunColumns)
	case errors.Is(err, query.ErrNotFound):
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

func runCommand(o *options) *cobra.Command {
	limit := 1000
	a := answer[*query.RunReport]{
		table: report.Run,
		query: fromDatabase(func(ctx context.Context, db database, r *request) (*query.RunReport, error) {
			run, err := resolveRun(r, db, r.args[0])
			if err != nil {
				return nil, err
			}
			return query.RunInFull(ctx, db, run, limit)
		}),
	}
	cmd := &cobra.Command{Use: "run ID", Args: cobra.ExactArgs(1), RunE: a.run(o),
		Short: "Show one run: its identity and the source of it, its calls in order, its links to other runs"}
	cmd.Flags().IntVar(&limit, "limit", limit, "at most this many calls")
	return cmd
}

func findCommand(o *options) *cobra.Command {
	limit := 50
	a := answer[[]query.Hit]{query: fromDatabase(func(ctx context.Context, db database, r *request) ([]query.Hit, error) {
		hits, err := query.Find(ctx, db, r.args[0], limit)
		if err == nil && len(hits) == 0 && o.output != formJSON {
			near, _ := query.RunsWithSimilarKey(ctx, db, r.args[0], maxNear)
			return hits, printNotFound(r.stderr, r.args[0], near)
		}
		return hits, err
	}), table: func(w io.Writer, hits []query.Hit) error {
		if len(hits) == 0 {
			return nil
		}
		return report.Rows(w, hits, report.HitColumns)
	}}
	cmd := &cobra.Command{Use: "find TERM", Args: cobra.ExactArgs(1), RunE: a.run(o),
		Short: "Find runs by request id, trace, address, resource, host, credential id …"}
	cmd.Flags().IntVar(&limit, "limit", limit, "at most this many runs a field")
	return cmd
}

// printNotFound prints that no stored run has a term, and lists similar runs.
func printNotFound(w io.Writer, term string, near []query.Run) error {
	err := report.Printf(w, "%q is no run id or key, request id, trace, address, host, agent, credential, principal, task, "+
		"conversation or resource that is stored.\n", term)
	if err != nil || len(near) == 0 {
		return err
	}
	fmt.Fprintln(w, "Run keys near it:")
	return report.Rows(w, near, report.RunColumns)
}
