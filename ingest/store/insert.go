package store

import (
	"context"
	"log/slog"

	"golang.org/x/sync/errgroup"

	"flyball/ingest/deadletter"
	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/wire"
)

// writer inserts rows into ClickHouse until they are accepted.
type writer struct {
	o       *Options
	db      Database
	log     *slog.Logger
	m       *metrics
	*health // of the store
	// tooManyParts is called for each request that ClickHouse rejects because it has too many parts.
	tooManyParts func()
}

// maxInserts is how many tables are inserted at the same time, after those whose rows others refer to.
const maxInserts = 3

// insertTables inserts the tables of a batch: those with calls alone and first, because the rows of others refer to them, then the others
// at the same time, so that a slow ClickHouse delays a batch less.
func (w *writer) insertTables(ctx context.Context, b *batch) error {
	g, all := errgroup.WithContext(ctx)
	g.SetLimit(maxInserts)
	for _, t := range b.tablesInOrder() {
		if !callTables[t] {
			g.Go(func() error { return w.insertTable(all, b, t) })
			continue
		}
		if err := w.insertTable(ctx, b, t); err != nil {
			return err
		}
	}
	return g.Wait()
}

func (w *writer) insertTable(ctx context.Context, b *batch, table string) error {
	if err := w.insert(ctx, table, b.tables[table]); err != nil {
		return err
	}
	w.o.Stage("inserted " + table)
	return nil
}

// insert inserts the blocks of a table in one request. If ClickHouse has not enough memory or time for it, it inserts each half, and a
// single block in pieces; if it cannot read one of the blocks, it inserts them one by one.
func (w *writer) insert(ctx context.Context, table string, blocks []block) error {
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
	err := w.insertNative(ctx, divide, table, native...)
	switch {
	case clickhouse.IsBadData(err):
		return w.insertOneByOne(ctx, table, blocks)
	case err != nil && divide(err) && ctx.Err() == nil && len(blocks) == 1:
		w.log.Warn("one block needs too much memory or time, inserting it in pieces", "table", table, "rows", blocks[0].rows, "error", err)
		if err := w.insertPieces(ctx, table, blocks[0]); clickhouse.IsBadData(err) {
			return w.insertOneByOne(ctx, table, blocks)
		} else if err != nil {
			return err
		}
	case err != nil && divide(err) && ctx.Err() == nil:
		w.m.retries.Inc()
		w.log.Warn("insert needs too much memory or time, inserting its halves", "table", table, "blocks", len(blocks), "error", err)
		if err := w.insert(ctx, table, blocks[:len(blocks)/2]); err != nil {
			return err
		}
		return w.insert(ctx, table, blocks[len(blocks)/2:])
	case err != nil:
		return err
	}
	for _, b := range blocks {
		w.m.rows.WithLabelValues(table).Add(float64(b.rows))
		w.m.bytes.Add(float64(len(b.native)))
	}
	return nil
}

// insertNative inserts blocks into a table. It first makes a table of schema version 4 that does not exist: the journal may hold rows that
// were written before an upgrade, or that belong to a run which version 4 opened. An error for which giveUp returns true is returned at
// once.
func (w *writer) insertNative(ctx context.Context, giveUp func(error) bool, table string, native ...[]byte) error {
	insert := func(ctx context.Context) error { return w.db.InsertNative(ctx, table, native...) }
	r := operation{reader: journalClient, what: "insert into " + table, giveUp: giveUp}
	err := w.retryOperation(ctx, r, insert)
	if w.o.MakeTable == nil || !clickhouse.IsLegacy(table) || !clickhouse.IsNotMigrated(err) {
		return err
	}
	w.log.Info("making a table of schema version 4, for rows of the journal that belong to it", "table", table)
	err = w.retry(ctx, journalClient, "make table "+table, func(ctx context.Context) error { return w.o.MakeTable(ctx, table) })
	if err != nil {
		return err
	}
	return w.retryOperation(ctx, r, insert)
}

// A block whose rows fall into very many partitions needs more memory than a statement has, at about 0.5 MB for a part of calls. It is
// stored in pieces, which have at most as many partitions as rows.
const (
	largestPiece   = 1024
	piecesTimeouts = 5  // one request makes up to a part for each row: 18 ms each on a busy machine
	smallestPiece  = 64 // also in a ClickHouse that is only slow: smaller parts would make it slower
)

// insertPieces inserts a block in pieces, and in smaller ones if ClickHouse has not enough memory or time for them.
func (w *writer) insertPieces(ctx context.Context, table string, b block) error {
	for rows := largestPiece; ; rows = max(rows/4, smallestPiece) {
		w.m.retries.Inc()
		smaller := func(err error) bool { return rows > smallestPiece && clickhouse.IsTooLarge(err) }
		r := operation{reader: journalClient, what: "insert into " + table, timeout: piecesTimeouts * w.o.Timeout, giveUp: smaller}
		err := w.retryOperation(ctx, r, func(ctx context.Context) error { return w.db.InsertPieces(ctx, table, rows, b.native) })
		if err == nil || !smaller(err) || ctx.Err() != nil {
			return err
		}
	}
}

// insertOneByOne inserts the blocks of a batch one by one and sends those that ClickHouse cannot read to the dead letters.
func (w *writer) insertOneByOne(ctx context.Context, table string, blocks []block) error {
	for _, b := range blocks {
		err := w.insertNative(ctx, nil, table, b.native)
		switch {
		case clickhouse.IsBadData(err):
			w.m.skipped.WithLabelValues(skippedBlock).Inc()
			w.log.Error("unreadable block sent to the dead letters", "table", table, "partition", b.partition, "offset", b.offset,
				"rows", b.rows, "error", err)
			if err := w.writeDeadLetter(ctx, deadletter.Record{Source: journalSource(b.partition), Offset: b.offset, Reason: reasonBlock,
				Detail: table + ": " + err.Error(), Value: b.native}); err != nil {
				return err
			}
		case err != nil:
			return err
		default:
			w.m.rows.WithLabelValues(table).Add(float64(b.rows))
		}
	}
	return nil
}

// insertMarks stores in ClickHouse up to which offset of flyball.calls all rows are inserted.
func (w *writer) insertMarks(ctx context.Context, b *batch) error {
	if len(b.marks) == 0 {
		return nil
	}
	now := w.o.Now()
	rows := clickhouse.ProgressTable.NewBlock()
	for _, m := range b.marks {
		m.At = now.UnixNano()
		rows.Append(&m)
	}
	native := rows.AppendNative(nil)
	insert := func(ctx context.Context) error { return w.db.InsertNative(ctx, "progress", native) }
	return w.retry(ctx, journalClient, "insert into progress", insert)
}

// insertRows inserts the rows collected for a table, if there are any, and clears them.
func (w *writer) insertRows(ctx context.Context, reader string, rows clickhouse.Rows) error {
	table, n := rows.Table(), rows.Rows()
	if n == 0 {
		return nil
	}
	native := rows.AppendNative(nil)
	rows.Reset()
	err := w.retry(ctx, reader, "insert into "+table, func(ctx context.Context) error { return w.db.InsertNative(ctx, table, native) })
	if err == nil {
		w.m.rows.WithLabelValues(table).Add(float64(n))
	}
	return err
}

func journalSource(partition int32) schema.Source {
	return schema.Source{Topic: wire.JournalTopic, Partition: partition}
}

// writeDeadLetter writes to the sink, if there is one.
func (w *writer) writeDeadLetter(ctx context.Context, d deadletter.Record) error {
	if w.o.DeadLetters == nil {
		return nil
	}
	return w.retry(ctx, journalClient, "write a dead letter of the journal", func(ctx context.Context) error {
		return w.o.DeadLetters.Write(ctx, d)
	})
}
