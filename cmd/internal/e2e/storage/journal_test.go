package storage

import (
	"context"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/wire"
)

const partitions = 2

// snapshotEvery is the number of calls for each run snapshot.
const snapshotEvery = 30

// broker returns a Kafka in memory with the topics that the store reads.
func broker(t testing.TB) (*kfake.Cluster, []kgo.Opt) {
	t.Helper()
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(partitions, wire.JournalTopic),
		kfake.SeedTopics(1, wire.DeadLettersTopic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}
}

func produce(t testing.TB, kafka []kgo.Opt, rs ...*kgo.Record) {
	t.Helper()
	cl, err := kgo.NewClient(append([]kgo.Opt{kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(900_000)},
		kafka...)...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	if err := cl.ProduceSync(context.Background(), rs...).FirstErr(); err != nil {
		t.Fatal(err)
	}
}

// writer makes the journal of one partition, as detect does: rec calls in a record, with one
// calls offset each.
type writer struct {
	g    *gateway
	part int32
	next int64
	sent int
}

func newWriter(part int32) *writer {
	g := newGateway(uint64(part)+1, 20, true)
	g.n = int(part) * 1_000_000 * 50
	return &writer{g: g, part: part}
}

var callsTopic = schema.TopicID{4, 2}

func (w *writer) record(rows int) *kgo.Record {
	calls, traces, touches, runs := clickhouse.CallsTable.NewBlock(), clickhouse.CallIDsTable.NewBlock(),
		clickhouse.TouchesTable.NewBlock(), clickhouse.RunsTable.NewBlock()
	j := wire.Journal{CallsTopicID: callsTopic, CallsPart: w.part, From: w.next, To: w.next}
	var c schema.Call
	for range rows {
		w.g.next(&c)
		c.Source.Partition, c.CallsPart, c.CallsOffset = w.part, w.part, w.next
		c.Pos = schema.Position{Offset: int64(w.sent)}
		w.sent++
		calls.Append(&c)
		traces.AppendValue(idOf(&c))
		touches.AppendValue(touchOf(&c))
		j.MaxStart = max(j.MaxStart, c.Start)
		if w.sent%snapshotEvery != 1 {
			continue
		}
		runs.Append(&schema.RunSnapshot{RunID: c.RunID, Tenant: c.Tenant, Version: uint64(2 * w.sent), State: schema.RunOpen, AgentID: c.AgentID,
			Calls: 1, StartedAt: c.Start, LastAt: c.Start})
	}
	w.next++
	j.Sections = []wire.Section{
		{Table: "runs_v5", Rows: runs.Rows(), Native: runs.AppendNative(nil)}, // out of order on purpose
		{Table: "calls_v5", Rows: rows, Native: calls.AppendNative(nil)},
		{Table: "call_ids", Rows: rows, Native: traces.AppendNative(nil)},
		{Table: "touches_v5", Rows: rows, Native: touches.AppendNative(nil)},
	}
	return &kgo.Record{Topic: wire.JournalTopic, Partition: w.part, Value: wire.EncodeJournal(nil, &j)}
}

func counter(t testing.TB, g prometheus.Gatherer, name, label string) float64 {
	t.Helper()
	fams, err := g.Gather()
	if err != nil {
		t.Fatal(err)
	}
	total := 0.0
	for _, f := range fams {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			match := label == ""
			for _, l := range m.GetLabel() {
				match = match || l.GetValue() == label
			}
			if match {
				total += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return total
}
