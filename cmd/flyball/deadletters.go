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
	"flyball/cmd/internal/config"
	"flyball/cmd/internal/replay"
	"flyball/cmd/internal/report"
	"flyball/ingest/decode"
	"flyball/schema/clickhouse/query"
)

func deadLettersCommand(o *options) *cobra.Command {
	var w window
	cmd := &cobra.Command{Use: "dead-letters", Short: "What could not be read: by reason and topic, with the newest of each", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return ask(o, cmd, w, func(ctx context.Context, _ config.Config, db database, since, until time.Time) ([]query.DeadLetterRow, error) {
			return query.DeadLetters(ctx, db, since, until)
		}, report.DeadLetters)
	}}
	w.flags(cmd, "")
	cmd.AddCommand(replayLettersCommand(o))
	return cmd
}

func replayLettersCommand(o *options) *cobra.Command {
	var l replay.LetterOptions
	cmd := &cobra.Command{Use: "replay", Short: "Send those that can be read now to the topic they came from, each once", Args: cobra.NoArgs, RunE: o.asks(func(cmd *cobra.Command, _ []string, format string, c config.Config, db database) error {
		kafka, err := app.KafkaOpts(c)
		if err != nil {
			return err
		}
		l.Kafka = kafka
		key, err := app.ReadSecretKey(c, false)
		if err != nil {
			return err
		}
		id, table, err := app.NewClassifiers(c, key)
		if err != nil {
			return err
		}
		p, err := app.NewPipeline(c, id, table)
		if err != nil {
			return err
		}
		done, err := query.ReplayedPlaces(cmd.Context(), db)
		if err != nil {
			return err
		}
		l.Done = func(place string) bool { return done[place] }
		l.Decode = func(r *decode.Record) (int, []decode.Rejected) {
			calls, dead := p.Decode(r, nil)
			return len(calls), dead
		}
		result, err := replay.Letters(cmd.Context(), l)
		if err != nil {
			return err
		}
		if !l.DryRun {
			if err := awaitReplayed(cmd.Context(), db, result.Sent); err != nil {
				return err
			}
		}
		if format == "json" {
			return report.JSON(cmd.OutOrStdout(), result)
		}
		printLetters(cmd.OutOrStdout(), result, l.DryRun)
		return nil
	})}
	f := cmd.Flags()
	f.StringVar(&l.Reason, "reason", "", "only of this reason")
	f.StringVar(&l.Topic, "topic", "", "only of this input topic")
	f.BoolVar(&l.DryRun, "dry-run", false, "send nothing, say what would be sent")
	return cmd
}

// awaitReplayed waits until what was sent is stored: another replay right
// after this one would not know of it else.
func awaitReplayed(ctx context.Context, db database, places []string) error {
	until := time.Now().Add(30 * time.Second)
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
		case time.Now().After(until):
			return fmt.Errorf("%d of %d letters that were sent are not stored yet: is ingest running? Do not replay again before they are", missing, len(places))
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(300 * time.Millisecond):
		}
	}
}

func printLetters(w io.Writer, r replay.LetterResult, dry bool) {
	word := "sent and stored"
	if dry {
		word = "would be sent"
	}
	fmt.Fprintf(w, "%d dead letters: %d %s, %d came through before, %d died again after an earlier replay, %d of another kind, %d not Flyball's\n", r.Letters, len(r.Sent), word, r.Before, r.DiedAgain, r.Others, r.Foreign)
	for _, reason := range slices.Sorted(maps.Keys(r.Still)) {
		fmt.Fprintf(w, "  %d still cannot be read: %s\n", r.Still[reason], reason)
	}
}
