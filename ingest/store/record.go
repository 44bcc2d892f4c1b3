package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema/clickhouse"
	"flyball/schema/wire"
)

// addRecord adds a journal record to the batch. It skips records that are already stored, sends malformed ones to the dead letters, and
// stops reading a partition whose record has a newer version.
func (s *Store) addRecord(ctx context.Context, client *kgo.Client, r *kgo.Record) error {
	if s.isRefused(r.Partition) {
		return nil
	}
	j, err := wire.DecodeJournal(r.Value)
	if err == nil {
		err = unknownTable(&j)
	}
	switch {
	case errors.Is(err, wire.ErrNewerVersion):
		s.refuse(client, r, err)
		return nil
	case err != nil:
		s.m.skipped.WithLabelValues(skippedMalformed).Inc()
		s.log.Warn("malformed journal record sent to the dead letters", "partition", r.Partition, "offset", r.Offset, "error", err)
		if err := s.writeDeadLetter(ctx, r.Partition, r.Offset, reasonMalformed, err.Error(), r.Value); err != nil {
			return err
		}
		s.cur.markConsumed(r, s.o.Now())
		return nil
	}
	now := s.o.Now()
	s.cur.markConsumed(r, now)
	k := source{j.CallsTopicID, j.CallsPart}
	if stored, ok := s.stored[k]; ok && j.To >= 0 && j.To <= stored {
		s.m.skipped.WithLabelValues(skippedStored).Inc()
		return nil
	}
	s.m.eventAge.reading(r.Partition, s.latest[k])
	// A record that is stored in part is inserted completely: its rows merge with the stored ones.
	s.cur.add(r, &j, now)
	if j.To >= 0 {
		s.stored[k] = j.To
	}
	return nil
}

// unknownTable returns an error that wraps wire.ErrNewerVersion if a record has rows for a table that this binary does not know.
func unknownTable(j *wire.Journal) error {
	for i := range j.Sections {
		if t := j.Sections[i].Table; !clickhouse.IsKnown(t) {
			return fmt.Errorf("it has rows for table %q, which is not known: %w", t, wire.ErrNewerVersion)
		}
	}
	return nil
}

// Reasons for a dead letter of the journal.
const (
	reasonMalformed = "journal_malformed"
	reasonBlock     = "journal_block_unreadable"
)

// writeDeadLetter writes to the sink, if there is one.
func (s *Store) writeDeadLetter(ctx context.Context, partition int32, offset int64, reason, detail string, value []byte) error {
	if s.o.DeadLetters == nil {
		return nil
	}
	return s.retry(ctx, journalClient, "write a dead letter of the journal", func(ctx context.Context) error {
		return s.o.DeadLetters.Write(ctx, partition, offset, reason, detail, value)
	})
}

// refuse stops reading a partition whose next record needs a newer version of Flyball. Records before it are stored; no offset behind it
// is committed.
func (s *Store) refuse(client *kgo.Client, r *kgo.Record, err error) {
	err = fmt.Errorf("journal record at offset %d of partition %d: %w", r.Offset, r.Partition, err)
	s.health.mu.Lock()
	s.health.refused[r.Partition] = err
	n := len(s.health.refused)
	s.health.mu.Unlock()
	s.m.refused.Set(float64(n))
	client.PauseFetchPartitions(map[string][]int32{wire.JournalTopic: {r.Partition}})
	s.log.Error("partition waits for a newer binary", "partition", r.Partition, "offset", r.Offset, "error", err)
}

func (s *Store) isRefused(p int32) bool {
	s.health.mu.Lock()
	defer s.health.mu.Unlock()
	return s.health.refused[p] != nil
}

// readProgress reads from ClickHouse up to which offset of each source all rows are stored.
func (s *Store) readProgress(ctx context.Context) error {
	var marks []clickhouse.Progress
	err := s.retry(ctx, journalClient, "read the progress in ClickHouse", func(ctx context.Context) (err error) {
		marks, err = s.db.Progress(ctx)
		return err
	})
	if err != nil {
		return err
	}
	clear(s.stored)
	for _, p := range marks {
		k := source{p.CallsTopicID, p.CallsPartition}
		s.stored[k], s.latest[k] = p.To, time.Unix(0, p.MaxStart)
	}
	s.health.mu.Lock()
	s.health.started = true
	s.health.mu.Unlock()
	return nil
}
