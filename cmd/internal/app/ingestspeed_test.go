package app

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/cmd/internal/config"
	"flyball/ingest/decode"
	"flyball/ingest/publish"
	"flyball/schema"
	"flyball/schema/identity"
)

// discard is a producer without a broker.
type discard struct{ bytes int }

func (d *discard) Produce(_ context.Context, r *kgo.Record, done func(*kgo.Record, error)) {
	d.bytes += len(r.Value)
	done(r, nil)
}

func (d *discard) ProduceSync(_ context.Context, r ...*kgo.Record) kgo.ProduceResults { return nil }

// envoyLine is a line of about 650 bytes, as a gateway writes for a call of agent a.
func envoyLine(r *rand.Rand, at time.Time, a int) []byte {
	paths := []string{"/orders/%d", "/orders/%d/items", "/customers/%d", "/refunds/%d", "/search?q=%d", "/files/%d/content"}
	methods := []string{"GET", "GET", "GET", "POST", "GET", "DELETE"}
	k := r.IntN(len(paths))
	return fmt.Appendf(nil, `{"start_time":"%s","method":"%s","path":"%s","protocol":"HTTP/1.1","response_code":200,"response_flags":"-",`+
		`"response_code_details":"via_upstream","connection_termination_details":null,"bytes_received":%d,"bytes_sent":%d,"duration":%d,`+
		`"upstream_service_time":"%d","x_forwarded_for":"10.0.%d.%d","user_agent":"python-httpx/0.27.0","request_id":"%08x-6d84-429d-98bd-%012x",`+
		`"authority":"orders.internal","upstream_host":"10.1.2.3:8080","upstream_cluster":"outbound|8080||orders","x_agent_id":"agent-%d",`+
		`"x_agent_run_id":"run-%d","traceparent":"00-%016x%016x-%016x-01"}`,
		at.Format(time.RFC3339Nano), methods[k], fmt.Sprintf(paths[k], r.IntN(100_000)), r.IntN(500), r.IntN(5000), r.IntN(100), r.IntN(100),
		a/256, a%256, r.Uint32(), r.Int64N(1<<47), a, a, r.Uint64(), r.Uint64()|1, r.Uint64()|1)
}

// BenchmarkIngestCall measures a call from its log line to its place in a block of flyball.calls.
func BenchmarkIngestCall(b *testing.B) {
	c := config.Default()
	c.Kafka.Inputs = []config.Input{{Topic: "gw", Format: "envoy_json"}}
	id, routes, err := NewClassifiers(c, make(identity.Key, 32))
	if err != nil {
		b.Fatal(err)
	}
	pipeline, err := NewPipeline(c, id, routes)
	if err != nil {
		b.Fatal(err)
	}
	const lines, agents, partitions = 200, 1000, 8
	r := rand.New(rand.NewPCG(1, 2))
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	records := make([]decode.Record, lines)
	for i := range records {
		records[i] = decode.Record{Topic: "gw", Offset: int64(i), Timestamp: at.UnixNano(),
			Value: envoyLine(r, at.Add(time.Duration(i)*time.Millisecond), r.IntN(agents))}
	}
	out := &discard{}
	publisher, binder := publish.New(out, partitions), publish.NewBinder(partitions)
	var calls []schema.Call
	b.ReportAllocs()
	n, least := 0, time.Hour
	for b.Loop() {
		began := time.Now()
		calls = calls[:0]
		for i := range records {
			var dead []decode.Rejected
			if calls, dead = pipeline.Decode(&records[i], calls); len(dead) > 0 {
				b.Fatal(dead)
			}
		}
		binder.Bind(context.Background(), out, calls, func(error) {})
		publisher.Publish(context.Background(), calls, func(error) {})
		n += len(calls)
		least = min(least, time.Since(began))
	}
	// The shortest pass is what other load of the machine disturbs least.
	b.ReportMetric(float64(least.Nanoseconds())/lines, "least-ns/call")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/call")
	b.ReportMetric(float64(out.bytes)/float64(n), "B/call")
	if n%lines != 0 {
		b.Fatalf("%d calls", n)
	}
}
