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

// events stores findings, decisions, breakers, gates and the audit trail. An event that comes again is
// the same row again, and the views merge it.
func (s *Store) events(ctx context.Context) error {
	client, err := kgo.NewClient(append(append([]kgo.Opt{}, s.kafka...),
		kgo.ConsumerGroup(wire.StoreEventsGroup), kgo.ConsumeTopics(wire.EventsTopic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchMaxWait(200*time.Millisecond))...)
	if err != nil {
		return fmt.Errorf("store: Kafka client for events: %w", err)
	}
	defer client.Close()
	work, stop := drain(ctx, s.o.Drain)
	defer stop()
	findings, decisions, breakers := clickhouse.FindingsTable.NewBlock(), clickhouse.DecisionsTable.NewBlock(), clickhouse.BreakersTable.NewBlock()
	gates, audit, verdicts, orders := clickhouse.GatesTable.NewBlock(), clickhouse.AuditTable.NewBlock(), clickhouse.VerdictsTable.NewBlock(), clickhouse.BaselineOrdersTable.NewBlock()
	for ctx.Err() == nil {
		fetches := client.PollRecords(ctx, 2_000)
		if fetches.IsClientClosed() {
			return errors.New("store: the Kafka client for events was closed under it")
		}
		var newer error
		fetches.EachRecord(func(r *kgo.Record) {
			e, err := wire.DecodeEvent(r.Value)
			switch {
			case errors.Is(err, wire.ErrNewerVersion):
				newer = fmt.Errorf("store: %s/%d at offset %d: %w", r.Topic, r.Partition, r.Offset, err)
			case err != nil:
				s.log.Error("event passed over", "topic", r.Topic, "partition", r.Partition, "offset", r.Offset, "error", err)
			case e.Finding != nil:
				findings.Append(e.Finding)
				if e.Finding.Decision != nil {
					decisions.Append(e.Finding.Decision)
				}
			case e.Breaker != nil:
				breakers.Append(e.Breaker)
			case e.Gate != nil:
				gates.Append(e.Gate)
			case e.Verdict != nil:
				verdicts.Append(e.Verdict)
			case e.Baseline != nil:
				orders.Append(e.Baseline)
			case e.Audit != nil:
				audit.Append(e.Audit)
			}
		})
		if newer != nil {
			return newer
		}
		if len(fetches.Records()) == 0 {
			continue
		}
		for _, part := range []struct {
			table string
			block interface {
				Rows() int
				AppendNative([]byte) []byte
				Reset()
			}
		}{{"findings_store", findings}, {"decisions_store", decisions}, {"breakers_store", breakers}, {"gates_store", gates}, {"audit_store", audit}, {"verdicts_store", verdicts}, {"baseline_orders_store", orders}} {
			if part.block.Rows() == 0 {
				continue
			}
			native, rows := part.block.AppendNative(nil), part.block.Rows()
			part.block.Reset()
			if err := s.insist(work, "insert into "+part.table, func(ctx context.Context) error { return s.db.InsertNative(ctx, part.table, native) }); err != nil {
				return ended(ctx, err)
			}
			s.m.rows.WithLabelValues(part.table).Add(float64(rows))
		}
		if err := client.CommitRecords(work, fetches.Records()...); err != nil && ctx.Err() == nil {
			s.log.Warn("commit of events failed; their rows merge when they come again", "error", err)
		}
	}
	return nil
}
