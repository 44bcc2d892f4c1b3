package store

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"flyball/schema/clickhouse"
)

// maxInserts is how many tables are inserted at the same time, after those whose rows others refer to.
const maxInserts = 3

// flush inserts the batch, then its marks, then commits. Each step is complete before the next one begins. If the process is killed
// between two steps, the first one is repeated: repeated rows merge, or the records are skipped.
func (s *Store) flush(ctx context.Context, client *kgo.Client) error {
	b := s.cur
	if b.empty() {
		return nil
	}
	s.cur = newBatch()
	began := s.o.Now()
	if err := s.insertTables(ctx, b); err != nil {
		return err
	}
	if err := s.insertMarks(ctx, b); err != nil {
		return err
	}
	s.noteStored(b)
	s.o.Stage("stored")
	if err := s.commit(ctx, client, b); err != nil {
		return err
	}
	s.o.Stage("committed")
	s.parts.flushed()
	s.m.batches.Inc()
	s.m.seconds.Observe(s.o.Now().Sub(began).Seconds())
	return nil
}

// insertTables inserts the tables of a batch: those with calls alone and first, because the rows of others refer to them, then the others
// at the same time, so that a slow ClickHouse delays a batch less.
func (s *Store) insertTables(ctx context.Context, b *batch) error {
	g, all := errgroup.WithContext(ctx)
	g.SetLimit(maxInserts)
	for _, t := range b.tablesInOrder() {
		if !callTables[t] {
			g.Go(func() error { return s.insertTable(all, b, t) })
			continue
		}
		if err := s.insertTable(ctx, b, t); err != nil {
			return err
		}
	}
	return g.Wait()
}

func (s *Store) insertTable(ctx context.Context, b *batch, table string) error {
	if err := s.insert(ctx, table, b.tables[table]); err != nil {
		return err
	}
	s.o.Stage("inserted " + table)
	return nil
}

// insert inserts the blocks of a table in one request. If ClickHouse has not enough memory or time for it, it inserts each half, and a
// single block in pieces; if it cannot read one of the blocks, it inserts them one by one.
func (s *Store) insert(ctx context.Context, table string, blocks []block) error {
	if len(blocks) == 0 {
		return nil
	}
	native := make([][]byte, len(blocks))
	for i, b := range blocks {
		native[i] = b.native
	}
	divide := func(err error) bool {
		return clickhouse.IsTooLarge(err) && (len(blocks) > 1 || blocks[0].rows > largestPiece)
	}
	err := s.insertNative(ctx, divide, table, native...)
	switch {
	case clickhouse.IsBadData(err):
		return s.insertOneByOne(ctx, table, blocks)
	case err != nil && divide(err) && ctx.Err() == nil && len(blocks) == 1:
		s.log.Warn("one block needs too much memory or time, inserting it in pieces", "table", table, "rows", blocks[0].rows, "error", err)
		if err := s.insertPieces(ctx, table, blocks[0]); clickhouse.IsBadData(err) {
			return s.insertOneByOne(ctx, table, blocks)
		} else if err != nil {
			return err
		}
	case err != nil && divide(err) && ctx.Err() == nil:
		s.m.retries.Inc()
		s.log.Warn("insert needs too much memory or time, inserting its halves", "table", table, "blocks", len(blocks), "error", err)
		if err := s.insert(ctx, table, blocks[:len(blocks)/2]); err != nil {
			return err
		}
		return s.insert(ctx, table, blocks[len(blocks)/2:])
	case err != nil:
		return err
	}
	for _, b := range blocks {
		s.m.rows.WithLabelValues(table).Add(float64(b.rows))
		s.m.bytes.Add(float64(len(b.native)))
	}
	return nil
}

// insertNative inserts blocks into a table. It first makes a table of schema version 4 that does not exist: the journal may hold rows that
// were written before an upgrade, or that belong to a run which version 4 opened. An error for which giveUp returns true is returned at
// once.
func (s *Store) insertNative(ctx context.Context, giveUp func(error) bool, table string, native ...[]byte) error {
	insert := func(ctx context.Context) error { return s.db.InsertNative(ctx, table, native...) }
	err := s.retryUnless(ctx, journalClient, "insert into "+table, giveUp, insert)
	if s.o.MakeTable == nil || !clickhouse.IsLegacy(table) || !clickhouse.IsNotMigrated(err) {
		return err
	}
	s.log.Info("making a table of schema version 4, for rows of the journal that belong to it", "table", table)
	err = s.retry(ctx, journalClient, "make table "+table, func(ctx context.Context) error { return s.o.MakeTable(ctx, table) })
	if err != nil {
		return err
	}
	return s.retryUnless(ctx, journalClient, "insert into "+table, giveUp, insert)
}

// A block whose rows fall into very many partitions needs more memory than a statement has, at about 0.5 MB for a part of calls. It is
// stored in pieces, which have at most as many partitions as rows.
const (
	largestPiece   = 1024
	piecesTimeouts = 5  // one request makes up to a part for each row: 18 ms each on a busy machine
	smallestPiece  = 64 // also in a ClickHouse that is only slow: smaller parts would make it slower
)

// insertPieces inserts a block in pieces, and in smaller ones if ClickHouse has not enough memory or time for them.
func (s *Store) insertPieces(ctx context.Context, table string, b block) error {
	for rows := largestPiece; ; rows = max(rows/4, smallestPiece) {
		s.m.retries.Inc()
		smaller := func(err error) bool { return rows > smallestPiece && clickhouse.IsTooLarge(err) }
		err := s.retryWithin(ctx, piecesTimeouts*s.o.Timeout, journalClient, "insert into "+table, smaller,
			func(ctx context.Context) error { return s.db.InsertPieces(ctx, table, rows, b.native) })
		if err == nil || !smaller(err) || ctx.Err() != nil {
			return err
		}
	}
}

// insertOneByOne inserts the blocks of a batch one by one and sends those that ClickHouse cannot read to the dead letters.
func (s *Store) insertOneByOne(ctx context.Context, table string, blocks []block) error {
	for _, b := range blocks {
		err := s.insertNative(ctx, never, table, b.native)
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
	insert := func(ctx context.Context) error { return s.db.InsertNative(ctx, "progress", native) }
	return s.retry(ctx, journalClient, "insert into progress", insert)
}

// noteStored notes for the metric of ages that the records of a batch are stored, also of partitions without calls in it.
func (s *Store) noteStored(b *batch) {
	latest := map[int32]time.Time{}
	for k, m := range b.marks {
		if at := time.Unix(0, m.MaxStart); at.After(latest[k.part]) {
			latest[k.part] = at
		}
	}
	for part, end := range b.commit {
		s.m.eventAge.stored(part, latest[part], s.ends[part] > end.Offset)
	}
}
