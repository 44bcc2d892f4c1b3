package store

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// commit commits the batch's journal records, without partitions that now belong to another member. It returns only permanent errors:
// after any other failed commit the records are read again.
func (s *Store) commit(ctx context.Context, client *kgo.Client, b *batch) error {
	offsets := s.filterOwned(b.commit)
	if len(offsets) == 0 {
		return nil
	}
	err := s.kafka.Commit(ctx, journalClient, client, map[string]map[int32]kgo.EpochOffset{wire.JournalTopic: offsets})
	return s.checkCommit(ctx, wire.JournalTopic, err)
}

// commitRecords commits records whose rows are stored.
func (s *Store) commitRecords(ctx context.Context, name string, client *kgo.Client, records []*kgo.Record) error {
	if len(records) == 0 {
		return nil
	}
	return s.checkCommit(ctx, records[0].Topic, s.kafka.CommitRecords(ctx, name, client, records...))
}

// checkCommit logs a failed commit and returns an error only if it is permanent.
func (s *Store) checkCommit(ctx context.Context, topic string, err error) error {
	switch {
	case kafka.IsPermanent(err):
		return fmt.Errorf("store: commit %s: %w", topic, err)
	case err != nil && ctx.Err() == nil:
		s.log.Warn("commit failed; the records will be read again, and their rows merge or are skipped", "topic", topic, "error", err)
	}
	return nil
}
