package store

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema/clickhouse"
)

// flush inserts the batch, then its marks, then commits. Each step is complete before the next one begins. If the process is killed
// between two steps, the first one is repeated: repeated rows merge, or the records are skipped.
func (s *Store) flush(ctx context.Context, client *kgo.Client) error {
	b := s.cur
	if b.empty() {
		return nil
	}
	s.cur = newBatch()
	began := s.o.Now()
	for _, t := range b.tablesInOrder() {
		if err := s.insert(ctx, t, b.tables[t]); err != nil {
			return err
		}
		s.o.Stage("inserted " + t)
	}
	if err := s.insertMarks(ctx, b); err != nil {
		return err
	}
	s.o.Stage("stored")
	if err := s.commit(ctx, client, b); err != nil {
		return err
	}
	s.o.Stage("committed")
	s.m.batches.Inc()
	s.m.seconds.Observe(s.o.Now().Sub(began).Seconds())
	return nil
}

// insert inserts the blocks of a table in one request, or one by one if ClickHouse cannot read one of them.
func (s *Store) insert(ctx context.Context, table string, blocks []block) error {
	if len(blocks) == 0 {
		return nil
	}
	native := make([][]byte, len(blocks))
	for i, b := range blocks {
		native[i] = b.native
	}
	err := s.insertNative(ctx, table, native...)
	if clickhouse.IsBadData(err) {
		return s.insertOneByOne(ctx, table, blocks)
	}
	if err != nil {
		return err
	}
	for _, b := range blocks {
		s.m.rows.WithLabelValues(table).Add(float64(b.rows))
		s.m.bytes.Add(float64(len(b.native)))
	}
	return nil
}

// insertNative inserts blocks into a table. It first makes a table of schema version 4 that does not exist: the journal may hold rows that
// were written before an upgrade, or that belong to a run which version 4 opened.
func (s *Store) insertNative(ctx context.Context, table string, native ...[]byte) error {
	insert := func(ctx context.Context) error { return s.db.InsertNative(ctx, table, native...) }
	err := s.retry(ctx, "insert into "+table, insert)
	if s.o.MakeTable == nil || !clickhouse.IsLegacy(table) || !clickhouse.IsNotMigrated(err) {
		return err
	}
	s.log.Info("making a table of schema version 4, for rows of the journal that belong to it", "table", table)
	err = s.retry(ctx, "make table "+table, func(ctx context.Context) error { return s.o.MakeTable(ctx, table) })
	if err != nil {
		return err
	}
	return s.retry(ctx, "insert into "+table, insert)
}

// insertOneByOne inserts the blocks of a batch one by one and sends those that ClickHouse cannot read to the dead letters.
func (s *Store) insertOneByOne(ctx context.Context, table string, blocks []block) error {
	for _, b := range blocks {
		err := s.insertNative(ctx, table, b.native)
		switch {
		case clickhouse.IsBadData(err):
			s.m.skipped.WithLabelValues(skippedBlock).Inc()
			s.log.Error("unreadable block sent to the dead letters", "table", table, "partition", b.partition, "offset", b.offset,
				"rows", b.rows, "error", err)
			if err := s.writeDeadLetter(ctx, b.partition, b.offset, reasonBlock, table+": "+err.Error(), b.native); err != nil {
				return err
			}
		case err != nil:
			return err
		default:
			s.m.rows.WithLabelValues(table).Add(float64(b.rows))
		}
	}
	return nil
}

// insertMarks stores in ClickHouse up to which offset of flyball.calls all rows are inserted.
func (s *Store) insertMarks(ctx context.Context, b *batch) error {
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
	err := s.retry(ctx, "insert into progress", func(ctx context.Context) error { return s.db.InsertNative(ctx, "progress", native) })
	if err != nil {
		return err
	}
	for k, m := range b.marks {
		lag := 0.0
		if s.ends[k.part] > b.commit[k.part].Offset { // records are waiting, according to the last fetch
			lag = max(0, now.Sub(time.Unix(0, m.MaxStart)).Seconds())
		}
		s.m.eventLag.WithLabelValues(partitionLabel(k.part)).Set(lag)
	}
	return nil
}
