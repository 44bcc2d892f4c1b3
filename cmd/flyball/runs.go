package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/config"
	"flyball/cmd/internal/report"
	"flyball/schema/clickhouse/query"
)

// database is a connection to ClickHouse that queries are sent over.
type database interface {
	query.DB
	Close() error
}

// database opens the connection to ClickHouse that the configuration names.
func (o *options) database() (config.Config, database, error) {
	c, err := o.load()
	if err != nil {
		return c, nil, err
	}
	db, err := o.openDatabase(c)
	return c, db, err
}

func openDatabase(c config.Config) (database, error) { return app.OpenDatabase(c) }

func runsCommand(o *options) *cobra.Command {
	var f query.RunFilter
	var since, until string
	cmd := &cobra.Command{Use: "runs", Short: "List runs, latest first", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		format, err := o.outputIs("table", "json")
		if err != nil {
			return err
		}
		now := time.Now()
		if f.Since, err = ago("--since", since, now); err != nil {
			return err
		}
		if f.Until, err = ago("--until", until, now); err != nil {
			return err
		}
		for _, v := range []struct {
			flag, value string
			allowed     []string
		}{{"--state", f.State, []string{"", "open", "closed"}}, {"--min-level", f.MinLevel, []string{"", "annotate", "alert", "trip"}}} {
			if !oneOf(v.value, v.allowed) {
				return usage(fmt.Errorf("%s: %q is none of%s", v.flag, v.value, strings.Join(v.allowed, " ")))
			}
		}
		_, db, err := o.database()
		if err != nil {
			return err
		}
		defer db.Close()
		runs, err := query.Runs(cmd.Context(), db, f)
		if err != nil {
			return err
		}
		if format == "json" {
			return report.JSON(cmd.OutOrStdout(), runs)
		}
		return report.Runs(cmd.OutOrStdout(), runs)
	}}
	fl := cmd.Flags()
	fl.StringVar(&f.Agent, "agent", "", "only this agent's")
	fl.StringVar(&since, "since", "", "only what happened since (15m: that long ago; or RFC 3339)")
	fl.StringVar(&until, "until", "", "only what began until")
	fl.StringVar(&f.State, "state", "", "open or closed")
	fl.StringVar(&f.MinLevel, "min-level", "", "annotate, alert or trip")
	fl.IntVar(&f.Limit, "limit", 100, "at most this many")
	return cmd
}

func oneOf(v string, allowed []string) bool {
	for _, a := range allowed {
		if v == a {
			return true
		}
	}
	return false
}

// resolve finds the run a term names; with none or several it says what is near.
func resolve(cmd *cobra.Command, db database, term string) (query.Run, error) {
	run, err := query.ResolveRun(cmd.Context(), db, term)
	var several *query.Ambiguous
	switch {
	case errors.As(err, &several):
		fmt.Fprintf(cmd.ErrOrStderr(), "%q names %d runs:\n", term, len(several.Candidates))
		_ = report.Runs(cmd.ErrOrStderr(), several.Candidates)
	case errors.Is(err, query.ErrNotFound):
		near, _ := query.RunsWithSimilarKey(cmd.Context(), db, term, 5)
		fmt.Fprintf(cmd.ErrOrStderr(), "no run has the id or key %q.", term)
		if len(near) > 0 {
			fmt.Fprintln(cmd.ErrOrStderr(), " Near it:")
			_ = report.Runs(cmd.ErrOrStderr(), near)
		} else {
			fmt.Fprintln(cmd.ErrOrStderr(), " No run is stored yet: flyball status says whether anything arrives.")
		}
	}
	return run, err
}

func runCommand(o *options) *cobra.Command {
	limit := 1000
	cmd := &cobra.Command{Use: "run ID", Short: "Show one run: identity with provenance, its calls in order, what it is linked to", Args: cobra.ExactArgs(1), RunE: o.asks(func(cmd *cobra.Command, args []string, format string, _ config.Config, db database) error {
		run, err := resolve(cmd, db, args[0])
		if err != nil {
			return err
		}
		answer, err := query.RunInFull(cmd.Context(), db, run, limit)
		if err != nil {
			return err
		}
		if format == "json" {
			return report.JSON(cmd.OutOrStdout(), answer)
		}
		return report.Run(cmd.OutOrStdout(), answer)
	})}
	cmd.Flags().IntVar(&limit, "limit", limit, "at most this many calls")
	return cmd
}

func touchedCommand(o *options) *cobra.Command {
	var agent, credential, principal, resource, since, until string
	cmd := &cobra.Command{Use: "touched [RUN]", Short: "What exactly did it touch?", Args: cobra.MaximumNArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		format, err := o.outputIs("table", "json", "csv", "html")
		if err != nil {
			return err
		}
		subjects := []query.Subject{}
		if len(args) == 1 {
			subjects = append(subjects, query.Subject{Kind: "run", Value: args[0]})
		}
		for kind, v := range map[string]string{"agent": agent, "credential": credential, "principal": principal, "resource": resource} {
			if v != "" {
				subjects = append(subjects, query.Subject{Kind: kind, Value: v})
			}
		}
		if len(subjects) != 1 {
			return usage(errors.New("touched: name one of RUN, --agent, --credential, --principal, --resource"))
		}
		now := time.Now()
		var win query.Window
		if win.Since, err = ago("--since", since, now); err != nil {
			return err
		}
		if win.Until, err = ago("--until", until, now); err != nil {
			return err
		}
		c, db, err := o.database()
		if err != nil {
			return err
		}
		defer db.Close()
		answer, err := touched(cmd, db, c, subjects[0], win)
		if err != nil {
			return err
		}
		w := cmd.OutOrStdout()
		switch format {
		case "json":
			err = report.JSON(w, answer)
		case "csv":
			err = report.TouchedCSV(w, answer)
		case "html":
			err = report.TouchedHTML(w, answer, now)
		default:
			err = report.Touched(w, answer)
		}
		if err == nil && answer.Calls == 0 {
			fmt.Fprintf(cmd.ErrOrStderr(), "looked for calls of %s %q and found none; flyball find %q looks everywhere\n", answer.Subject.Kind, answer.Subject.Value, answer.Subject.Value)
		}
		if err == nil && !answer.Complete {
			return errIncomplete
		}
		return err
	}}
	f := cmd.Flags()
	f.StringVar(&agent, "agent", "", "what an agent touched")
	f.StringVar(&credential, "credential", "", "what a credential was used for")
	f.StringVar(&principal, "principal", "", "what was done on a principal's behalf")
	f.StringVar(&resource, "resource", "", "who touched a resource (type:id)")
	f.StringVar(&since, "since", "", "from then on (15m: that long ago; or RFC 3339)")
	f.StringVar(&until, "until", "", "until then")
	return cmd
}

func touched(cmd *cobra.Command, db database, c config.Config, s query.Subject, win query.Window) (*query.Touched, error) {
	var run *query.Run
	if s.Kind == "run" {
		r, err := resolve(cmd, db, s.Value)
		if err != nil {
			return nil, err
		}
		run = &r
	}
	answer, err := query.TouchedBy(cmd.Context(), db, s, run, win)
	if err != nil {
		return nil, err
	}
	switch behind, err := lagOf(cmd.Context(), c); {
	case err != nil:
		answer.AddLagUnknownCaveat(fmt.Sprintf("nothing answers on metrics.listen %s", c.Metrics.Listen))
	case behind != "":
		answer.AddLagCaveat(behind)
	}
	return answer, nil
}

func findCommand(o *options) *cobra.Command {
	limit := 50
	cmd := &cobra.Command{Use: "find TERM", Short: "Which runs have this request id, trace, address, resource, host, credential id …", Args: cobra.ExactArgs(1), RunE: o.asks(func(cmd *cobra.Command, args []string, format string, _ config.Config, db database) error {
		hits, err := query.Find(cmd.Context(), db, args[0], limit)
		if err != nil {
			return err
		}
		if format == "json" {
			return report.JSON(cmd.OutOrStdout(), hits)
		}
		if len(hits) == 0 {
			near, _ := query.RunsWithSimilarKey(cmd.Context(), db, args[0], 5)
			fmt.Fprintf(cmd.ErrOrStderr(), "%q is no run id or key, request id, trace, address, host, agent, credential, principal, task, conversation or resource that is stored.\n", args[0])
			if len(near) > 0 {
				fmt.Fprintln(cmd.ErrOrStderr(), "Run keys near it:")
				return report.Runs(cmd.ErrOrStderr(), near)
			}
			return nil
		}
		return report.Hits(cmd.OutOrStdout(), hits)
	})}
	cmd.Flags().IntVar(&limit, "limit", limit, "at most this many runs a field")
	return cmd
}

func stitchingCommand(o *options) *cobra.Command {
	var w window
	var by string
	cmd := &cobra.Command{Use: "stitching", Short: "How calls were bound to runs: share of each rule by producer, and what would make them exact", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return ask(o, cmd, w, func(ctx context.Context, _ config.Config, db database, since, until time.Time) ([]query.StitchingRow, error) {
			if by != "" && by != "hour" && by != "day" {
				return nil, usage(fmt.Errorf("--by: %q is neither hour nor day", by))
			}
			rows, err := query.Stitching(ctx, db, since, until, by)
			report.Advise(rows)
			return rows, err
		}, report.Stitching)
	}}
	w.flags(cmd, "")
	cmd.Flags().StringVar(&by, "by", "", "hour or day: the shares over time")
	return cmd
}

// lagOf says which part has not come as far as the report, by the process's
// own metrics.
func lagOf(ctx context.Context, c config.Config) (string, error) {
	m, err := scrape(ctx, c.Metrics.Listen)
	if err != nil {
		return "", err
	}
	var behind []string
	for _, p := range []struct{ name, metric string }{{"ingest", "flyball_ingest_lag_records"}, {"detect", "flyball_detect_lag_records"}, {"store", "flyball_store_lag_records"}} {
		if n := m.sum(p.metric); n > 0 {
			behind = append(behind, fmt.Sprintf("%s is %.0f records behind", p.name, n))
		}
	}
	return strings.Join(behind, ", "), nil
}
