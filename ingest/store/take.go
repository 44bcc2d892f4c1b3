package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema/clickhouse"
	"flyball/schema/wire"
)

// take puts a journal record into the batch, or decides why not to.
func (s *Store) take(ctx context.Context, r *kgo.Record) error {
	if s.isRefused(r.Partition) {
		return nil
	}
	j, err := wire.DecodeJournal(r.Value)
	switch {
	case errors.Is(err, wire.ErrNewerVersion):
		s.refuse(r, err)
		return nil
	case err != nil:
		s.m.skipped.WithLabelValues(whyMalformed).Inc()
		s.log.Warn("journal record put aside", "partition", r.Partition, "offset", r.Offset, "error", err)
		if err := s.putAside(ctx, r.Partition, r.Offset, reasonMalformed, err.Error(), r.Value); err != nil {
			return err
		}
		s.cur.covers(r, s.o.Now())
		return nil
	}
	s.cur.covers(r, s.o.Now())
	k := source{j.CallsTopicID, j.CallsPart}
	if stored, ok := s.stored[k]; ok && j.To >= 0 && j.To <= stored {
		s.m.skipped.WithLabelValues(whyStored).Inc()
		return nil
	}
	// A record that straddles the mark is inserted whole: its rows merge with
	// those that are there.
	s.cur.add(r, &j)
	if j.To >= 0 {
		s.stored[k] = j.To
	}
	return nil
}

// Reasons under which something of the journal is put aside.
const (
	reasonMalformed = "journal_malformed"
	reasonBlock     = "journal_block_unreadable"
)

func (s *Store) putAside(ctx context.Context, partition int32, offset int64, reason, detail string, value []byte) error {
	if s.o.Aside == nil {
		return nil
	}
	return s.insist(ctx, "put a journal record aside", func(ctx context.Context) error {
		return s.o.Aside.PutAside(ctx, partition, offset, reason, detail, value)
	})
}

// refuse stops reading a partition whose next record only a newer binary
// understands. What came before it is stored; it is never committed past.
func (s *Store) refuse(r *kgo.Record, err error) {
	err = fmt.Errorf("journal record at offset %d of partition %d: %w", r.Offset, r.Partition, err)
	s.health.mu.Lock()
	s.health.refused[r.Partition] = err
	n := len(s.health.refused)
	s.health.mu.Unlock()
	s.m.refused.Set(float64(n))
	s.client.PauseFetchPartitions(map[string][]int32{wire.JournalTopic: {r.Partition}})
	s.log.Error("partition refused", "partition", r.Partition, "offset", r.Offset, "error", err)
}

func (s *Store) isRefused(p int32) bool {
	s.health.mu.Lock()
	defer s.health.mu.Unlock()
	return s.health.refused[p] != nil
}

// readProgress asks ClickHouse how far the store has come.
func (s *Store) readProgress(ctx context.Context) error {
	var marks []clickhouse.Progress
	err := s.insist(ctx, "read its progress", func(ctx context.Context) (err error) {
		marks, err = s.db.Progress(ctx)
		return err
	})
	if err != nil {
		return err
	}
	clear(s.stored)
	for _, p := range marks {
		s.stored[source{p.CallsTopicID, p.CallsPartition}] = p.To
	}
	s.health.mu.Lock()
	s.health.started = true
	s.health.mu.Unlock()
	return nil
}
