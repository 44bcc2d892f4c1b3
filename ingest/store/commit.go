package store

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// committer commits what is stored.
type committer struct {
	kafka kafka.Config
	log   *slog.Logger
}

// records commits records whose rows are stored.
func (c *committer) records(ctx context.Context, name string, client *kgo.Client, records []*kgo.Record) error {
	if len(records) == 0 {
		return nil
	}
	return c.check(ctx, records[0].Topic, c.kafka.CommitRecords(ctx, name, client, records...))
}

// check logs a failed commit and returns an error only if it is permanent.
func (c *committer) check(ctx context.Context, topic string, err error) error {
	switch {
	case kafka.IsPermanent(err):
		return fmt.Errorf("store: commit %s: %w", topic, err)
	case err != nil && ctx.Err() == nil:
		c.log.Warn("commit failed; the records will be read again, and their rows merge or are skipped", "topic", topic, "error", err)
	}
	return nil
}

// offsets commits records of the journal.
func (c *committer) offsets(ctx context.Context, client *kgo.Client, of map[int32]kgo.EpochOffset) error {
	if len(of) == 0 {
		return nil
	}
	err := c.kafka.Commit(ctx, journalClient, client, map[string]map[int32]kgo.EpochOffset{wire.JournalTopic: of})
	return c.check(ctx, wire.JournalTopic, err)
}
