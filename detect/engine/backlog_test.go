package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/wire"
)

// discard is a producer without a broker that counts what is written to each topic.
type discard struct{ bytes map[string]int }

func (d *discard) Produce(_ context.Context, r *kgo.Record, done func(*kgo.Record, error)) {
	d.bytes[r.Topic] += len(r.Value)
	done(r, nil)
}

func (d *discard) ProduceSync(_ context.Context, records ...*kgo.Record) kgo.ProduceResults {
	for _, r := range records {
		d.bytes[r.Topic] += len(r.Value)
	}
	return nil
}

// backlogRecords returns records of flyball.calls for 8 partitions in turn, as ingest writes them for the traffic of a backlog: lines of
// Envoy of 10,000 agents with one long run each.
func backlogRecords(n int) (records [][]byte) {
	const agents, partitions, perBlock = 10_000, 8, 180
	routes := []string{"/orders/{}", "/orders/{}/items", "/customers/{}", "/refunds/{}", "/search", "/files/{}/content"}
	kinds := []string{"order", "order", "customer", "refund", "", "file"}
	r := rand.New(rand.NewPCG(1, 2))
	var waiting [partitions][]*schema.Call
	var e wire.CallsEncoder
	source := schema.Source{Topic: "gw"}
	for i := range n {
		a, k := r.IntN(agents), r.IntN(len(routes))
		method, effect, reversibility := "GET", schema.EffectRead, schema.ReadOnly
		if k == 3 {
			method, effect, reversibility = "POST", schema.EffectPay, schema.Compensable
		} else if k == 5 && r.IntN(16) == 0 {
			method, effect, reversibility = "DELETE", schema.EffectDelete, schema.Irreversible
		}
		id := fmt.Sprint(r.IntN(100_000))
		agent := fmt.Sprint("agent-", a)
		c := &schema.Call{Source: source, Pos: schema.Position{Offset: int64(i)}, Tenant: "default", Format: "envoy_json/1",
			ObserverKind: schema.ObserverGateway, Start: night.UnixNano() + int64(i)*1e6, KafkaTime: night.UnixNano() + int64(i)*1e6,
			DurationNs: int64(r.IntN(100)) * 1e6, Method: method, Host: "orders.internal", Path: routes[k] + id, Route: routes[k],
			RouteKey: routes[k], Status: 200, Outcome: schema.OutcomeOK, UpstreamNs: int64(r.IntN(100)) * 1e6, BytesIn: uint64(r.IntN(500)),
			BytesOut: uint64(r.IntN(5000)), ClientIP: netip.AddrFrom4([4]byte{10, 0, byte(a / 256), byte(a)}),
			UserAgent: "python-httpx/0.27.0", UAProduct: "python-httpx",
			RequestID: fmt.Sprintf("%08x-6d84-429d-98bd-%012x", r.Uint32(), r.Int64N(1<<47)),
			AgentID:   agent, AgentSource: "header", AgentTrust: schema.TrustAsserted, CallerKind: schema.CallerAgent,
			RunKey: fmt.Sprint("gw-", a), RunKeySource: "x_agent_run_id", RoutingKey: "a:" + agent,
			ArgsDigest: r.Uint64(), ArgsDigestBasis: schema.DigestLogged, ResultDigest: r.Uint64(),
			Effect: effect, Reversibility: reversibility, Attrs: []schema.Attr{{Key: "upstream_host", Value: "10.1.2.3:8080"}}}
		if kinds[k] != "" {
			c.Resources = []schema.Resource{{Type: kinds[k], ID: id}}
		}
		for j := range c.TraceID {
			c.TraceID[j] = byte(r.Uint32())
		}
		copy(c.SpanID[:], c.TraceID[3:])
		copy(c.ParentSpanID[:], c.TraceID[5:])
		part := a % partitions
		if waiting[part] = append(waiting[part], c); len(waiting[part]) == perBlock {
			records = append(records, append([]byte{byte(part)}, e.Encode(nil, waiting[part])...))
			waiting[part] = waiting[part][:0]
		}
	}
	return records
}

// BenchmarkBacklog measures a call from its record of flyball.calls to the records of the journal, without a broker: 8 partitions in turn,
// so that the state of the others takes the caches. What it counts is CPU of the process, which other load changes least.
func BenchmarkBacklog(b *testing.B) {
	records := backlogRecords(200_000)
	body := readers()
	body.CallRates = paceOfDayWorkers()
	b.ReportAllocs()
	var all time.Duration
	calls := 0
	for range b.N {
		b.StopTimer()
		out := &discard{bytes: map[string]int{}}
		var workers []*worker
		for part := range int32(8) {
			f := newFloor(b)
			f.detectors.Activate(body)
			w := f.worker
			w.part, w.out.producer = part, out
			workers = append(workers, w)
		}
		b.StartTimer()
		before, _ := usedCPU(b)
		for i, r := range records {
			rec := &kgo.Record{Topic: wire.CallsTopic, Partition: int32(r[0]), Offset: int64(i), Value: r[1:]}
			if err := workers[r[0]].applyRecord(context.Background(), rec); err != nil {
				b.Fatal(err)
			}
		}
		after, _ := usedCPU(b)
		all += after - before
		calls += 180 * len(records)
		if out.bytes[wire.JournalTopic] == 0 {
			b.Fatal("no rows")
		}
		b.ReportMetric(float64(out.bytes[wire.JournalTopic])/float64(180*len(records)), "journal-B/call")
		b.ReportMetric(float64(out.bytes[wire.EventsTopic])/float64(180*len(records)), "events-B/call")
	}
	b.ReportMetric(float64(all.Nanoseconds())/float64(calls), "cpu-ns/call")
}
