package store

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"

	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// Origin is the topic from which the rows of a table come, and the group that stores them.
type Origin struct{ Topic, Group string }

// OriginOf returns the origin of a table. Baselines are written by learn, which also holds them in Kafka; ok is false for them.
func OriginOf(table string) (o Origin, ok bool) {
	switch table {
	case "dead_letters_store":
		return Origin{wire.DeadLettersTopic, wire.StoreDeadGroup}, true
	case "calls_v5", "runs_v5", "touches_v5", "postings", "call_ids", "minutes", "hours", "stitching_v5", "scores_store",
		"calls_store", "runs_store", "touches_store", "trace_calls", "stitching_store":
		return Origin{wire.JournalTopic, wire.StoreGroup}, true
	case "baselines_store":
		return Origin{}, false
	}
	return Origin{wire.EventsTopic, wire.StoreEventsGroup}, true
}

// Rewind sets the group of o back to the first records that its topic still holds, so that they are stored again: rows that are there
// already merge. No member of the group may be running. It returns how many records will be read again, and whether the topic still
// holds all that were ever written to it.
func Rewind(ctx context.Context, cfg kafka.Config, o Origin) (records int64, whole bool, err error) {
	client, err := cfg.NewClient("store-rewind")
	if err != nil {
		return 0, false, fmt.Errorf("store: %w", err)
	}
	defer client.Close()
	starts, err := kafka.StartOffsets(ctx, client, o.Topic)
	if err != nil {
		return 0, false, err
	}
	ends, err := kafka.EndOffsets(ctx, client, o.Topic)
	if err != nil {
		return 0, false, err
	}
	whole = true
	var back kadm.Offsets
	for part, start := range starts {
		records += ends[part] - start
		whole = whole && start == 0
		back.AddOffset(o.Topic, part, start, -1)
	}
	if err := kadm.NewClient(client).CommitAllOffsets(ctx, o.Group, back); err != nil {
		return 0, false, fmt.Errorf("set group %s back to the start of %s: %w", o.Group, o.Topic, err)
	}
	return records, whole, nil
}
