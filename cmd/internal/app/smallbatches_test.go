package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"runtime/metrics"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"flyball/cmd/internal/config"
	"flyball/cmd/internal/embedded/broker"
	"flyball/detect/engine"
	"flyball/ingest/decode"
	"flyball/ingest/publish"
	"flyball/ingest/source"
	"flyball/schema"
	"flyball/schema/identity"
	"flyball/schema/kafka"
)

// requests counts the requests of all clients.
type requests struct{ produce, fetch atomic.Int64 }

func (r *requests) OnBrokerWrite(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, _ error) {
	switch kmsg.Key(key) {
	case kmsg.Produce:
		r.produce.Add(1)
	case kmsg.Fetch:
		r.fetch.Add(1)
	}
}

// smallBatches is ingest and detect beside an embedded broker.
type smallBatches struct {
	kafka    kafka.Config
	out      *kgo.Client
	pipeline *decode.Pipeline
	engine   *engine.Engine
}

func startSmallBatches(b *testing.B, count *requests, partitions int) *smallBatches {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	const password = "0123456789abcdef"
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	br, err := broker.Start(broker.Options{Listen: addr, Dir: b.TempDir(), Partitions: partitions, TrimEvery: time.Hour,
		Password: password}, log, prometheus.NewRegistry())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(br.Close)
	s := &smallBatches{kafka: kafka.Config{Options: []kgo.Opt{kgo.SeedBrokers(addr), kgo.Dialer(br.Dial),
		kgo.SASL(broker.Mechanism(password)), kgo.WithHooks(count)}}}
	s.out, err = kgo.NewClient(kgo.SeedBrokers(addr), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0),
		kgo.Dialer(br.Dial), kgo.SASL(broker.Mechanism(password)), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(s.out.Close)
	admin := kadm.NewClient(s.out)
	topics := kafka.TopicOptions{Partitions: int32(partitions), Replication: -1, BrokerTrims: true}
	if _, err := kafka.EnsureTopics(b.Context(), admin, topics); err != nil {
		b.Fatal(err)
	}
	if _, err := kafka.CreateTopic(b.Context(), admin, "gw", int32(partitions), -1, nil); err != nil {
		b.Fatal(err)
	}
	c := config.Default()
	c.Kafka.Inputs = []config.Input{{Topic: "gw", Format: "envoy_json"}}
	id, routes, err := NewClassifiers(c, make(identity.Key, 32))
	if err != nil {
		b.Fatal(err)
	}
	if s.pipeline, err = NewPipeline(c, id, routes); err != nil {
		b.Fatal(err)
	}
	in := source.DefaultConfig()
	in.Kafka, in.Now, in.Partitions, in.Topics, in.Logger, in.Registerer = s.kafka, time.Now, int32(partitions), []string{"gw"}, log,
		prometheus.NewRegistry()
	in.MarksEvery = time.Hour
	src, err := source.New(in, s.pipeline)
	if err != nil {
		b.Fatal(err)
	}
	o := detectConfig(c)
	o.Kafka, o.Logger, o.Registerer = s.kafka, log, prometheus.NewRegistry()
	if s.engine, err = engine.New(o, "bench"); err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- src.Run(ctx) }()
	go func() { ended <- s.engine.Run(ctx) }()
	b.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				b.Error(err)
			}
		}
	})
	for src.Ready() != nil || s.engine.Ready() != nil {
		time.Sleep(time.Millisecond)
	}
	return s
}

// handled is how many records of flyball.calls detect has applied.
func (s *smallBatches) handled() (n int64) {
	for _, at := range s.engine.Handled() {
		n += at
	}
	return n
}

func cpuOf() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkSmallBatches measures the CPU of a call from its log line to its run, for batches that a shipper writes at 3,000 calls a second:
// 15 calls each 5 ms, or more of them less often, in turns to the partitions of the input. A batch waits until the one before the last
// was applied, so that other load of the machine does not make batches larger. The CPU of the generator is included.
func BenchmarkSmallBatches(b *testing.B) {
	for _, calls := range []int{15, 30, 60, 240} {
		b.Run(fmt.Sprintf("batch=%d", calls), func(b *testing.B) { measureSmallBatches(b, calls) })
	}
}

func measureSmallBatches(b *testing.B, calls int) {
	const partitions, agents, most = 8, 112, 100 * time.Millisecond
	tick := time.Duration(calls) * time.Second / 3000
	var count requests
	s := startSmallBatches(b, &count, partitions)
	lines, blocks := s.batches(b, b.N/calls+1, calls, agents, partitions)
	produced, fetched, switches := count.produce.Load(), count.fetch.Load(), scheduled()
	b.ResetTimer()
	cpu := cpuOf()
	var want, before int64
	for i := range lines {
		due := time.Now().Add(tick)
		if err := s.out.ProduceSync(b.Context(), lines[i]...).FirstErr(); err != nil {
			b.Fatal(err)
		}
		for began := time.Now(); s.handled() < before && time.Since(began) < most; { // fewer blocks, if batches were put together
			time.Sleep(200 * time.Microsecond)
		}
		before, want = want+blocks[i], want+blocks[i]
		time.Sleep(time.Until(due))
	}
	for began := time.Now(); s.handled() < want && time.Since(began) < most; {
		time.Sleep(time.Millisecond)
	}
	steps := float64(len(lines))
	b.ReportMetric(float64((cpuOf()-cpu).Nanoseconds())/1e3/steps/float64(calls), "cpu-µs/call")
	b.ReportMetric(float64(count.produce.Load()-produced)/steps, "produces/batch")
	b.ReportMetric(float64(count.fetch.Load()-fetched)/steps, "fetches/batch")
	b.ReportMetric(float64(scheduled()-switches)/steps, "switches/batch")
	b.ReportMetric(float64(want)/steps, "blocks/batch")
}

// batches returns records of the input, and how many records of flyball.calls each batch makes.
func (s *smallBatches) batches(b *testing.B, n, calls, agents, partitions int) (lines [][]*kgo.Record, blocks []int64) {
	r := rand.New(rand.NewPCG(1, 2))
	out := &countRecords{}
	publisher, binder := publish.New(out, int32(partitions)), publish.NewBinder(int32(partitions))
	var decoded []schema.Call
	at := time.Now()
	for i := range n {
		decoded = decoded[:0]
		var batch []*kgo.Record
		for k := range calls {
			line := envoyLine(r, at.Add(time.Duration(i*calls+k)*time.Millisecond/3), r.IntN(agents))
			batch = append(batch, &kgo.Record{Topic: "gw", Partition: int32(i % partitions), Value: line})
			in := decode.Record{Topic: "gw", Offset: int64(i), Timestamp: at.UnixNano(), Value: line}
			decoded, _ = s.pipeline.Decode(&in, decoded)
		}
		before := out.n
		binder.Bind(b.Context(), out, decoded, func(error) {})
		publisher.Publish(b.Context(), decoded, func(error) {})
		lines, blocks = append(lines, batch), append(blocks, out.n-before)
	}
	return lines, blocks
}

// scheduled is how often goroutines have been scheduled.
func scheduled() uint64 {
	m := []metrics.Sample{{Name: "/sched/latencies:seconds"}}
	metrics.Read(m)
	var n uint64
	for _, c := range m[0].Value.Float64Histogram().Counts {
		n += c
	}
	return n
}

// countRecords is a producer without a broker.
type countRecords struct{ n int64 }

func (o *countRecords) Produce(_ context.Context, r *kgo.Record, done func(*kgo.Record, error)) {
	o.n++
	done(r, nil)
}

func (o *countRecords) ProduceSync(context.Context, ...*kgo.Record) kgo.ProduceResults { return nil }
