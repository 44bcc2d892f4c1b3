package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// eventsClient is the name of the client that reads events.
const eventsClient = "store-events"

// storeEvents stores flyball.events: findings, decisions, breakers, gates, verdicts, baseline orders and audit entries. A repeated event
// gives the same row again; the views merge such rows.
func (s *Store) storeEvents(ctx context.Context) error {
	client, closeAll, err := s.newReader(eventsClient, kgo.ConsumerGroup(wire.StoreEventsGroup), kgo.ConsumeTopics(wire.EventsTopic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(200*time.Millisecond))
	if err != nil {
		return err
	}
	defer closeAll()
	rows := newEventRows()
	consumer := s.addConsumer(&kafka.Consumer{Config: s.kafka, Client: client, Name: eventsClient, MaxRecords: 2_000, Drain: s.o.Drain})
	consumer.Handle = func(work context.Context, b kafka.Batch) error {
		for r := range b.RecordsAll() {
			e, err := wire.DecodeEvent(r.Value)
			switch {
			case errors.Is(err, wire.ErrNewerVersion):
				return fmt.Errorf("store: %s/%d at offset %d: %w", r.Topic, r.Partition, r.Offset, err)
			case err != nil:
				s.log.Error("skipping malformed event", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "error", err)
			default:
				rows.add(&e)
			}
		}
		for _, t := range rows.tables() {
			if err := s.insertRows(work, t); err != nil {
				return err
			}
		}
		return s.commitRecords(work, eventsClient, client, b.Records())
	}
	return ignoreEnd(ctx, consumer.Run(ctx))
}

// eventRows are the rows of a batch of events, by table.
type eventRows struct {
	findings  *clickhouse.Block[schema.Finding]
	decisions *clickhouse.Block[schema.Decision]
	breakers  *clickhouse.Block[schema.Breaker]
	gates     *clickhouse.Block[schema.Gate]
	audit     *clickhouse.Block[schema.AuditEntry]
	verdicts  *clickhouse.Block[schema.Verdict]
	history   *clickhouse.Block[schema.Verdict] // of verdicts
	orders    *clickhouse.Block[schema.BaselineOrder]
	losses    *clickhouse.Block[schema.LogLoss]
}

func newEventRows() *eventRows {
	return &eventRows{clickhouse.FindingsTable.NewBlock(), clickhouse.DecisionsTable.NewBlock(), clickhouse.BreakersTable.NewBlock(),
		clickhouse.GatesTable.NewBlock(), clickhouse.AuditTable.NewBlock(), clickhouse.VerdictsTable.NewBlock(),
		clickhouse.VerdictHistoryTable.NewBlock(), clickhouse.BaselineOrdersTable.NewBlock(), clickhouse.LogLossesTable.NewBlock()}
}

// add appends the rows of an event.
func (b *eventRows) add(e *schema.Event) {
	switch {
	case e.Finding != nil:
		b.findings.Append(e.Finding)
		if e.Finding.Decision != nil {
			b.decisions.Append(e.Finding.Decision)
		}
	case e.Breaker != nil:
		b.breakers.Append(e.Breaker)
	case e.Gate != nil:
		b.gates.Append(e.Gate)
	case e.Verdict != nil:
		b.verdicts.Append(e.Verdict)
		b.history.Append(e.Verdict)
	case e.Baseline != nil:
		b.orders.Append(e.Baseline)
	case e.Audit != nil:
		b.audit.Append(e.Audit)
	case e.Loss != nil:
		b.losses.Append(e.Loss)
	}
}

// tables returns the rows of each table in the order of insertion.
func (b *eventRows) tables() []clickhouse.Rows {
	return []clickhouse.Rows{b.findings, b.decisions, b.breakers, b.gates, b.audit, b.verdicts, b.history, b.orders, b.losses}
}

// insertRows inserts the rows collected for a table, if there are any, and clears them.
func (s *Store) insertRows(ctx context.Context, rows clickhouse.Rows) error {
	table, n := rows.Table(), rows.Rows()
	if n == 0 {
		return nil
	}
	native := rows.AppendNative(nil)
	rows.Reset()
	err := s.retry(ctx, "insert into "+table, func(ctx context.Context) error { return s.db.InsertNative(ctx, table, native) })
	if err == nil {
		s.m.rows.WithLabelValues(table).Add(float64(n))
	}
	return err
}
