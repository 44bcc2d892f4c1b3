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

// storeEvents stores what flyball.events says: findings, decisions, breakers, questions,
// verdicts, orders about baselines, and the audit trail. An event that comes again is the
// same row again, and the views merge it.
func (s *Store) storeEvents(ctx context.Context) error {
	client, err := s.kafka.NewClient(eventsClient,
		kgo.ConsumerGroup(wire.StoreEventsGroup), kgo.ConsumeTopics(wire.EventsTopic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(200*time.Millisecond))
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer client.Close()
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
			if err := s.insertRows(work, t.name, t.rows); err != nil {
				return err
			}
		}
		return s.commitRecords(work, eventsClient, client, b.Records())
	}
	return ignoreEnd(ctx, consumer.Run(ctx))
}

// nativeRows are rows that are collected for one table.
type nativeRows interface {
	Rows() int
	AppendNative([]byte) []byte
	Reset()
}

// eventRows are the rows of a batch of events, by table.
type eventRows struct {
	findings  *clickhouse.FindingsBlock
	decisions *clickhouse.DecisionsBlock
	breakers  *clickhouse.BreakersBlock
	gates     *clickhouse.GatesBlock
	audit     *clickhouse.AuditBlock
	verdicts  *clickhouse.VerdictsBlock
	orders    *clickhouse.BaselineOrdersBlock
}

func newEventRows() *eventRows {
	return &eventRows{clickhouse.NewFindingsBlock(), clickhouse.NewDecisionsBlock(), clickhouse.NewBreakersBlock(),
		clickhouse.NewGatesBlock(), clickhouse.NewAuditBlock(), clickhouse.NewVerdictsBlock(), clickhouse.NewBaselineOrdersBlock()}
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
	case e.Baseline != nil:
		b.orders.Append(e.Baseline)
	case e.Audit != nil:
		b.audit.Append(e.Audit)
	}
}

// tableRows are the rows of one table.
type tableRows struct {
	name string
	rows nativeRows
}

// tables are in the order of insertion.
func (b *eventRows) tables() []tableRows {
	return []tableRows{{"findings_store", b.findings}, {"decisions_store", b.decisions}, {"breakers_store", b.breakers},
		{"gates_store", b.gates}, {"audit_store", b.audit}, {"verdicts_store", b.verdicts}, {"baseline_orders_store", b.orders}}
}

// insertRows inserts the rows collected for a table, if there are any, and empties them.
func (s *Store) insertRows(ctx context.Context, table string, rows nativeRows) error {
	n := rows.Rows()
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
