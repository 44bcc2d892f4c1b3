package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/diskguard"
	"flyball/cmd/internal/replay"
	"flyball/cmd/internal/report"
	"flyball/ingest/deadletter"
	"flyball/ingest/decode"
	"flyball/ingest/redact"
	"flyball/schema/clickhouse/query"
	"flyball/schema/kafka"
	"flyball/schema/wire"
	"flyball/schema/wording"
)

func deadLettersCommand(o *options) *cobra.Command {
	var w window
	limit := 0
	read := func(since, until func(*request) time.Time) func(*request) ([]query.DeadLetterRow, error) {
		return fromDatabase(func(ctx context.Context, db database, r *request) ([]query.DeadLetterRow, error) {
			return query.DeadLetters(ctx, db, since(r), until(r))
		})
	}
	always := func(*request) time.Time { return time.Time{} }
	inWindow := read(func(r *request) time.Time { return r.since }, func(r *request) time.Time { return r.until })
	a := answer[[]query.DeadLetterRow]{window: &w, table: report.DeadLetters, rows: itself[[]query.DeadLetterRow],
		isEmpty: isNone[query.DeadLetterRow], query: func(r *request) ([]query.DeadLetterRow, error) {
			rows, err := inWindow(r)
			return limited(rows, limit), err
		}, newest: func(r *request) (at time.Time, err error) {
			rows, err := read(always, always)(r)
			for i := range rows {
				if rows[i].LastAt.After(at) {
					at = rows[i].LastAt.Time
				}
			}
			return at, err
		}}
	cmd := &cobra.Command{Use: "dead-letters", Args: cobra.NoArgs, RunE: a.run(o),
		Short: "List the records that could not be read, by reason and topic, with the newest of each"}
	w.listFlags(cmd, "Dead letters")
	cmd.Flags().IntVar(&limit, "limit", 0, limitHelp+" kinds (default: all)")
	cmd.AddCommand(replayDeadLettersCommand(o), showDeadLetterCommand(o))
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

// deadLetter is one dead letter as it is shown: without the secrets that are recognised in it.
type deadLetter struct {
	ID     int64      `json:"id"` // its offset in flyball.dead-letters
	Reason string     `json:"reason"`
	Detail string     `json:"detail"`
	From   string     `json:"from"` // TOPIC/PARTITION/OFFSET/ITEM
	At     query.Time `json:"at"`   // of the record that held it
	Bytes  int        `json:"bytes"`
	Sealed bool       `json:"sealed"` // something was left out when it was written; the original is sealed beside it
	Key    string     `json:"key"`
	Value  string     `json:"value"`
}

func showDeadLetterCommand(o *options) *cobra.Command {
	a := answer[deadLetter]{query: showDeadLetter, table: printDeadLetter}
	return &cobra.Command{Use: "show ID", Args: cobra.ExactArgs(1), RunE: a.run(o),
		Short: "Show one record that could not be read, without the secrets that are recognised in it",
		Long: "Show one record that could not be read. ID is the first column of the listing, or TOPIC/PARTITION/OFFSET/ITEM.\n" +
			"Secrets with a known name or form are left out; an opaque secret in a field with a harmless name is shown."}
}

// showDeadLetter reads one dead letter from Kafka.
func showDeadLetter(r *request) (deadLetter, error) {
	var none deadLetter
	c, err := r.fileConfig()
	if err != nil {
		return none, err
	}
	offset, err := strconv.ParseInt(r.args[0], 10, 64)
	if err != nil {
		db, err := r.database()
		if err != nil {
			return none, err
		}
		if offset, err = query.DeadLetterAt(r.ctx, db, r.args[0]); err != nil {
			return none, err
		}
	}
	clients, err := app.KafkaConfig(c)
	if err != nil {
		return none, err
	}
	letter, err := readDeadLetter(r.ctx, clients, offset)
	return letter, app.ExplainRefusal(err)
}

// readDeadLetter returns the dead letter at an offset.
func readDeadLetter(ctx context.Context, clients kafka.Config, offset int64) (deadLetter, error) {
	var found *kgo.Record
	errFound := errors.New("found")
	if offset >= 0 {
		_, err := kafka.ReadToEnd(ctx, clients, "dead-letters", wire.DeadLettersTopic, map[int32]int64{0: offset}, func(rec *kgo.Record) error {
			found = rec
			return errFound
		})
		if err != nil && !errors.Is(err, errFound) {
			return deadLetter{}, err
		}
	}
	if found == nil || found.Offset != offset {
		return deadLetter{}, fmt.Errorf("no dead letter has the id %d: the listing's first column has the newest of each kind; "+
			"they are kept for %s", offset, keptFor(wire.DeadLettersTopic))
	}
	return newDeadLetter(found), nil
}

func newDeadLetter(r *kgo.Record) deadLetter {
	h := map[string]string{}
	for _, v := range r.Headers {
		h[v.Key] = string(v.Value)
	}
	at, _ := strconv.ParseInt(h[wire.HeaderAt], 10, 64)
	_, sealed := h[wire.HeaderSealed]
	return deadLetter{ID: r.Offset, Reason: h[wire.HeaderReason], Detail: redact.Text(h[wire.HeaderDetail]),
		From: strings.Join([]string{h[wire.HeaderTopic], h[wire.HeaderPartition], h[wire.HeaderOffset], h[wire.HeaderItem]}, "/"),
		At:   query.Time{Time: time.Unix(0, at)}, Bytes: len(r.Value), Sealed: sealed,
		Key: string(redact.Record(r.Key)), Value: string(redact.Record(r.Value))}
}

// keptFor is how long a topic keeps its records by default, for people.
func keptFor(topic string) string {
	for _, s := range wire.Specs {
		if s.Name == topic {
			return wording.Count(int(s.Retention/(24*time.Hour)), "day")
		}
	}
	return "no time"
}

// printDeadLetter prints a dead letter; each line of its value has a mark before it, so that a value cannot look like another line.
func printDeadLetter(w io.Writer, d deadLetter) error {
	if err := report.Printf(w, "%d  %s  %s\nfrom %s at %s, %d bytes\n", d.ID, d.Reason, d.Detail, d.From,
		d.At.UTC().Format(time.RFC3339), d.Bytes); err != nil {
		return err
	}
	if d.Sealed {
		report.Printf(w, "secrets were left out when it was written; a replay sends the original, which is sealed beside it\n")
	}
	if d.Key != "" {
		report.Quoted(w, "key    | ", d.Key)
	}
	for _, line := range strings.Split(d.Value, "\n") {
		if err := report.Quoted(w, "value  | ", line); err != nil {
			return err
		}
	}
	return nil
}

// replayDeadLetters sends dead letters again and waits until their calls are stored.
func replayDeadLetters(r *request, opt replay.DeadLetterOptions) (replay.DeadLetterResult, error) {
	var none replay.DeadLetterResult
	c, err := r.fileConfig()
	if err != nil {
		return none, err
	}
	if !opt.DryRun {
		if err := diskguard.Refusal(disksOf(r.ctx, c)); err != nil {
			return none, err
		}
	}
	db, err := r.database()
	if err != nil {
		return none, err
	}
	if opt.Kafka, err = app.ConnectKafka(r.ctx, c); err != nil {
		return none, err
	}
	keys, err := app.ReadKeys(c, false)
	if err != nil {
		return none, err
	}
	key := keys.Current
	seal, err := deadletter.NewSeal(key, keys.FormerBytes()...)
	if err != nil {
		return none, err
	}
	opt.Original = seal.Original
	p, err := newPipeline(c, key)
	if err != nil {
		return none, err
	}
	var done map[string]bool // nil: not read; without letters it is not needed
	opt.Done = func(place string) (is bool, err error) {
		if done == nil {
			done, err = query.ReplayedPlaces(r.ctx, db, time.Time{})
		}
		return done[place], err
	}
	opt.Decode = func(rec *decode.Record) (int, []decode.Rejected) {
		calls, dead := p.Decode(rec, nil)
		return len(calls), dead
	}
	result, err := replay.ResendDeadLetters(r.ctx, opt)
	if err != nil || opt.DryRun {
		return result, err
	}
	return result, awaitStored(r.ctx, db, result.Sent, result.SentSince)
}

// How long a replay waits until the records that it sent are stored, and the interval
// between queries.
const (
	storedTimeout = 30 * time.Second
	storedPoll    = 300 * time.Millisecond
)

// awaitStored waits until the calls of the dead letters at these positions are stored, which Kafka has had since a time.
// Without it, a second replay right after this one would send them again.
func awaitStored(ctx context.Context, db database, places []string, since time.Time) error {
	if len(places) == 0 {
		return nil
	}
	end := time.Now().Add(storedTimeout)
	for {
		done, err := query.ReplayedPlaces(ctx, db, since)
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
