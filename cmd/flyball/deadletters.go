package main

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/replay"
	"flyball/cmd/internal/report"
	"flyball/ingest/decode"
	"flyball/schema/clickhouse/query"
)

func deadLettersCommand(o *options) *cobra.Command {
	var w window
	a := answer[[]query.DeadLetterRow]{window: &w, table: report.DeadLetters,
		query: fromDatabase(func(ctx context.Context, db database, r *request) ([]query.DeadLetterRow, error) {
			return query.DeadLetters(ctx, db, r.since, r.until)
		})}
	cmd := &cobra.Command{Use: "dead-letters", Args: cobra.NoArgs, RunE: a.run(o),
		Short: "List the records that could not be read, by reason and topic, with the newest of each"}
	w.flags(cmd, "")
	cmd.AddCommand(replayDeadLettersCommand(o))
	return cmd
}

func replayDeadLettersCommand(o *options) *cobra.Command {
	var opt replay.DeadLetterOptions
	a := answer[replay.DeadLetterResult]{query: func(r *request) (replay.DeadLetterResult, error) { return replayDeadLetters(r, opt) },
		table: func(w io.Writer, result replay.DeadLetterResult) error { return printReplayed(w, result, opt.DryRun) }}
	cmd := &cobra.Command{Use: "replay", Args: cobra.NoArgs, RunE: a.run(o),
		Short: "Send the records that can be read now to their input topic, each once"}
	f := cmd.Flags()
	f.StringVar(&opt.Reason, "reason", "", "send only the records of this reason")
	f.StringVar(&opt.Topic, "topic", "", "send only the records of this input topic")
	f.BoolVar(&opt.DryRun, "dry-run", false, "send nothing, print what would be sent")
	return cmd
}

// replayDeadLetters sends dead letters again and waits until their calls are stored.
func replayDeadLetters(r *request, opt replay.DeadLetterOptions) (replay.DeadLetterResult, error) {
	var none replay.DeadLetterResult
	c, err := r.config()
	if err != nil {
		return none, err
	}
	db, err := r.database()
	if err != nil {
		return none, err
	}
	if opt.Kafka, err = app.ConnectKafka(r.ctx, c); err != nil {
		return none, err
	}
	key, err := app.ReadSecretKey(c, false)
	if err != nil {
		return none, err
	}
	p, err := newPipeline(c, key)
	if err != nil {
		return none, err
	}
	done, err := query.ReplayedPlaces(r.ctx, db)
	if err != nil {
		return none, err
	}
	opt.Done = func(place string) bool { return done[place] }
	opt.Decode = func(rec *decode.Record) (int, []decode.Rejected) {
		calls, dead := p.Decode(rec, nil)
		return len(calls), dead
	}
	result, err := replay.ResendDeadLetters(r.ctx, opt)
	if err != nil || opt.DryRun {
		return result, err
	}
	return result, awaitStored(r.ctx, db, result.Sent)
}

// How long a replay waits until the records that it sent are stored, and the interval
// between queries.
const (
	storedTimeout = 30 * time.Second
	storedPoll    = 300 * time.Millisecond
)

// awaitStored waits until the calls of the dead letters at these positions are stored.
// Without it, a second replay right after this one would send them again.
func awaitStored(ctx context.Context, db database, places []string) error {
	end := time.Now().Add(storedTimeout)
	for {
		done, err := query.ReplayedPlaces(ctx, db)
		if err != nil {
			return err
		}
		missing := 0
		for _, p := range places {
			if !done[p] {
				missing++
			}
		}
		switch {
		case missing == 0:
			return nil
		case time.Now().After(end):
			return fmt.Errorf("%d of %d dead letters that were sent are not stored yet: is ingest running? Do not replay again before they are",
				missing, len(places))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(storedPoll):
		}
	}
}

func printReplayed(w io.Writer, r replay.DeadLetterResult, dryRun bool) error {
	what := "sent and stored"
	if dryRun {
		what = "would be sent"
	}
	report.Printf(
		w,
		"%d dead letters: %d %s, %d came through before, %d failed again after an earlier replay, %d of another kind, %d not Flyball's\n",
		r.DeadLetters,
		len(r.Sent),
		what,
		r.Before,
		r.FailedAgain,
		r.Others,
		r.Foreign,
	)
	for _, reason := range slices.Sorted(maps.Keys(r.Unreadable)) {
		report.Printf(w, "  %d still cannot be read: %s\n", r.Unreadable[reason], reason)
	}
	return nil
}
