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
	client, closeAll, err := s.newReader(eventsClient, kgo.ConsumerGroup(wire.StoreEventsGroup), kgo.SessionTimeout(kafka.SessionTimeout),
		kgo.ConsumeTopics(wire.EventsTopic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(500*time.Millisecond))
	if err != nil {
		return err
	}
	defer closeAll()
	work, stop := kafka.Outlive(ctx, s.o.Drain)
	defer stop()
	batch := &eventBatch{eventRows: newEventRows()}
	due := func() time.Duration { return batch.untilDue(&s.o) }
	consumer := s.addConsumer(&kafka.Consumer{Config: s.kafka, Client: client, Name: eventsClient, MaxRecords: maxEvents, Wait: due})
	consumer.Handle = func(_ context.Context, b kafka.Batch) error {
		for r := range b.RecordsAll() {
			e, err := wire.DecodeEvent(r.Value)
			switch {
			case errors.Is(err, wire.ErrNewerVersion):
				return fmt.Errorf("store: %s/%d at offset %d: %w", r.Topic, r.Partition, r.Offset, err)
			case err != nil:
				s.log.Error("skipping malformed event", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "error", err)
			default:
				batch.add(&e)
			}
			batch.records = append(batch.records, r)
		}
		if len(batch.records) == 0 || due() > 0 {
			return nil
		}
		return s.flushEvents(work, client, batch)
	}
	if err := consumer.Run(ctx); err != nil {
		return ignoreEnd(ctx, err)
	}
	return ignoreEnd(ctx, s.flushEvents(work, client, batch))
}

// maxEvents is how many events are inserted at once.
const maxEvents = 2_000

// eventBatch are events that were read and are not stored.
type eventBatch struct {
	*eventRows
	records  []*kgo.Record
	inserted time.Time // when the batch before was
}

// untilDue returns how long the batch may wait for further events. An event after a quiet time is inserted
// at once: an insert costs the engine some 35 ms of CPU with its merges, however few rows it has.
func (b *eventBatch) untilDue(o *Options) time.Duration {
	switch {
	case len(b.records) == 0:
		return maxIdle
	case len(b.records) >= maxEvents:
		return 0
	}
	return max(0, o.MaxAge-o.Now().Sub(b.inserted))
}

// flushEvents inserts the rows of a batch and commits its records.
func (s *Store) flushEvents(ctx context.Context, client *kgo.Client, b *eventBatch) error {
	for _, t := range b.tables() {
		if err := s.write.insertRows(ctx, eventsClient, t); err != nil {
			return err
		}
	}
	records := b.records
	b.records, b.inserted = nil, s.o.Now()
	return s.commits.records(ctx, eventsClient, client, records)
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
	holds     *clickhouse.Block[schema.Hold]
}

func newEventRows() *eventRows {
	return &eventRows{clickhouse.FindingsTable.NewBlock(), clickhouse.DecisionsTable.NewBlock(), clickhouse.BreakersTable.NewBlock(),
		clickhouse.GatesTable.NewBlock(), clickhouse.AuditTable.NewBlock(), clickhouse.VerdictsTable.NewBlock(),
		clickhouse.VerdictHistoryTable.NewBlock(), clickhouse.BaselineOrdersTable.NewBlock(), clickhouse.LogLossesTable.NewBlock(),
		clickhouse.HoldsTable.NewBlock()}
}

// add appends the rows of an event.
func (b *eventRows) add(e *schema.Event) {
	switch {
	case e.Finding != nil && e.Finding.Tenant == schema.CanaryTenant, e.Breaker != nil && e.Breaker.Tenant == schema.CanaryTenant:
		return // the canary leaves no rows, beside the entries of the audit trail
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
	case e.Hold != nil:
		b.holds.Append(e.Hold)
	}
}

// tables returns the rows of each table in the order of insertion.
func (b *eventRows) tables() []clickhouse.Rows {
	return []clickhouse.Rows{b.findings, b.decisions, b.breakers, b.gates, b.audit, b.verdicts, b.history, b.orders, b.losses, b.holds}
}
