package store

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"flyball/schema/clickhouse"
	"flyball/schema/wire"
)

// flush inserts the batch, then its marks, then commits. Each step is done
// before the next begins; being killed between any two costs a repeat that
// merges or is skipped.
func (s *Store) flush(ctx context.Context) error {
	b := s.cur
	if b.empty() {
		return nil
	}
	s.cur = newBatch()
	began := s.o.Now()
	for _, t := range b.inOrder() {
		if err := s.insert(ctx, t, b.tables[t]); err != nil {
			return err
		}
		s.o.Stage("inserted " + t)
	}
	if err := s.mark(ctx, b); err != nil {
		return err
	}
	s.o.Stage("stored")
	if err := s.commit(ctx, b); err != nil {
		return err
	}
	s.o.Stage("committed")
	s.m.batches.Inc()
	s.m.seconds.Observe(s.o.Now().Sub(began).Seconds())
	return nil
}

func (s *Store) insert(ctx context.Context, table string, pieces []piece) error {
	if len(pieces) == 0 {
		return nil
	}
	blocks := make([][]byte, len(pieces))
	for i, p := range pieces {
		blocks[i] = p.native
	}
	err := s.insist(ctx, "insert into "+table, func(ctx context.Context) error { return s.db.InsertNative(ctx, table, blocks...) })
	if clickhouse.IsBadData(err) {
		return s.insertEach(ctx, table, pieces)
	}
	if err != nil {
		return err
	}
	for _, p := range pieces {
		s.m.rows.WithLabelValues(table).Add(float64(p.rows))
		s.m.bytes.Add(float64(len(p.native)))
	}
	return nil
}

// insertEach inserts the blocks of a batch one by one, to find those that the
// engine cannot read and put them aside.
func (s *Store) insertEach(ctx context.Context, table string, pieces []piece) error {
	for _, p := range pieces {
		err := s.insist(ctx, "insert into "+table, func(ctx context.Context) error { return s.db.InsertNative(ctx, table, p.native) })
		switch {
		case clickhouse.IsBadData(err):
			s.m.skipped.WithLabelValues(whyBlock).Inc()
			s.log.Error("block put aside", "table", table, "partition", p.partition, "offset", p.offset, "rows", p.rows, "error", err)
			if err := s.putAside(ctx, p.partition, p.offset, reasonBlock, table+": "+err.Error(), p.native); err != nil {
				return err
			}
		case err != nil:
			return err
		default:
			s.m.rows.WithLabelValues(table).Add(float64(p.rows))
		}
	}
	return nil
}

// mark records in ClickHouse how far it has everything.
func (s *Store) mark(ctx context.Context, b *batch) error {
	if len(b.marks) == 0 {
		return nil
	}
	now := s.o.Now()
	rows := clickhouse.ProgressTable.NewBlock()
	for _, m := range b.marks {
		m.At = now.UnixNano()
		rows.Append(&m)
	}
	native := rows.AppendNative(nil)
	err := s.insist(ctx, "insert into progress", func(ctx context.Context) error { return s.db.InsertNative(ctx, "progress", native) })
	if err != nil {
		return err
	}
	for k, m := range b.marks {
		lag := 0.0
		if end := b.commit[k.part].Offset; s.behind(k.part, end) {
			lag = max(0, now.Sub(unixNano(m.MaxStart)).Seconds())
		}
		s.m.eventLag.WithLabelValues(label(k.part)).Set(lag)
	}
	return nil
}

// commit settles the batch's records with Kafka. A partition that has gone to
// another member is its business; a failed commit only costs a repeat, so it
// is not fatal unless it is forbidden.
func (s *Store) commit(ctx context.Context, b *batch) error {
	offsets := s.ownedOf(b.commit)
	if len(offsets) == 0 {
		return nil
	}
	var failed error
	s.client.CommitOffsetsSync(ctx, map[string]map[int32]kgo.EpochOffset{wire.JournalTopic: offsets},
		func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, resp *kmsg.OffsetCommitResponse, err error) {
			failed = commitError(resp, err)
		})
	switch {
	case failed == nil:
		return nil
	case forbidden(failed):
		return fmt.Errorf("store: commit %v of %s: %w", offsets, wire.JournalTopic, failed)
	default:
		s.log.Warn("commit failed; the records will be skipped when they come again", "error", failed)
		return nil
	}
}

func commitError(resp *kmsg.OffsetCommitResponse, err error) error {
	if err != nil {
		return err
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				return fmt.Errorf("partition %d: %w", p.Partition, err)
			}
		}
	}
	return nil
}
