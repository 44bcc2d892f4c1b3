package app

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/cmd/internal/config"
	"flyball/cmd/internal/embedded/broker"
	"flyball/detect/detector"
	"flyball/detect/engine"
	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// storedState returns the deltas of one partition with many runs of eight calls each of some agents, stored after the fourth call and
// after the last one, as the records of flyball.state.
func storedState(t *testing.T, runs, agents int) (keys, values [][]byte, open int) {
	o := detectConfig(config.Default())
	o.Now = time.Now
	p := stitch.NewPartition(0, stitch.Limits{OpenRuns: 1 << 30, ClosedRuns: 1 << 30, OpenRunsPerActor: 1 << 30, ClaimedRunsPerActor: 1 << 30,
		ClosedRunsPerActor: 1 << 30, Actors: 1 << 20, SessionGap: time.Hour, ConversationGap: time.Hour, RunGap: time.Hour,
		Lateness: time.Minute, EvictAfter: time.Hour})
	set := o.Detectors(o.Options, detector.NewMetrics(prometheus.NewRegistry()))
	p.SetRunAttachment(set.NewRunState)
	p.SetActorAttachment(set.NewActorState)
	at, offset := time.Now().Add(-time.Minute), int64(0)
	for n := range 8 {
		for run := range runs {
			agent, id := fmt.Sprint("soak/agent-", run%agents), uint64(run*1000+n+1)
			c := schema.Call{Source: schema.Source{Topic: "gateway-access-log", Partition: 3}, Pos: schema.Position{Offset: offset},
				Tenant: "default", RoutingKey: agent, CredentialID: "key-" + agent, CredentialTrust: schema.TrustVerified,
				AgentID: agent, AgentName: agent, AgentVersion: "1.4.2", AgentSource: "x-agent-id", AgentTrust: schema.TrustVerified,
				CallerKind: schema.CallerAgent, RunKey: fmt.Sprint("run-", run), RunKeySource: "x-agent-run-id",
				Start: at.UnixNano() + int64(n)*1e9, DurationNs: 1e6, Observer: "edge", ObserverKind: schema.ObserverGateway, Format: "envoy",
				Method: "GET", RouteKey: []string{"/orders/{}", "/users/{}", "/items/{}"}[((run*31+n)*2654435761>>7)%3],
				Host: "api.example.com", Status: 200, Outcome: schema.OutcomeOK, Effect: schema.EffectRead, Reversibility: schema.ReadOnly,
				ArgsDigest: id, ArgsDigestBasis: schema.DigestLogged, ResultDigest: id, ResultDigestBasis: schema.DigestLogged, BytesOut: 100,
				RequestID: fmt.Sprint("req-", id), Resources: []schema.Resource{{Type: "order", ID: fmt.Sprint(id)}}}
			r := p.Apply(&c, offset)
			set.Judge(r, &c, schema.CallRef{Offset: offset})
			offset++
		}
		if n%4 != 3 {
			continue
		}
		for _, r := range p.TakeChanged(nil) {
			r.Emitted = r.Snapshot().Version
		}
		for _, a := range p.Dirty() {
			deltas, _, _ := p.EncodeChanges(a, 1)
			for _, d := range deltas {
				keys, values = append(keys, fmt.Appendf(nil, "d/1/%d/%s", d.Number, a.Key)), append(values, d.Value)
			}
		}
		p.Saved(len(p.Dirty()))
	}
	return keys, values, p.OpenRuns()
}

// TestMeasureRestart measures a restart of the embedded broker and detect with 500,000 open runs, if FLYBALL_MEASURE is set. It prints
// figures and checks nothing.
func TestMeasureRestart(t *testing.T) {
	if os.Getenv("FLYBALL_MEASURE") == "" {
		t.Skip("a measurement: set FLYBALL_MEASURE=1")
	}
	const all, partitions, password = 500_000, 8, "0123456789abcdef"
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	dir := t.TempDir()
	start := func() (*broker.Broker, kafka.Config) {
		br, err := broker.Start(broker.Options{Listen: addr, Dir: dir, Partitions: partitions, TrimEvery: time.Hour, Password: password,
			Compacted: []string{wire.StateTopic}}, log, prometheus.NewRegistry())
		if err != nil {
			t.Fatal(err)
		}
		return br, kafka.Config{Options: []kgo.Opt{kgo.SeedBrokers(addr), kgo.Dialer(br.Dial), kgo.SASL(broker.Mechanism(password)),
			kgo.ProducerBatchCompression(kgo.NoCompression())}}
	}
	br, k := start()
	out, err := k.NewClient("fill", kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerBatchMaxBytes(15<<20),
		kgo.ProducerLinger(0))
	if err != nil {
		t.Fatal(err)
	}
	topics := kafka.TopicOptions{Partitions: partitions, Replication: -1, BrokerTrims: true}
	if _, err := kafka.EnsureTopics(t.Context(), kadm.NewClient(out), topics); err != nil {
		t.Fatal(err)
	}
	keys, values, open := storedState(t, all/partitions, 125)
	var size int64
	for part := range int32(partitions) {
		for i := range keys {
			size += int64(len(values[i]))
			out.Produce(t.Context(), &kgo.Record{Topic: wire.StateTopic, Partition: part, Key: keys[i], Value: values[i]}, nil)
		}
		if err := out.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	out.Close()
	br.Close()
	keys, values = nil, nil
	runtime.GC()

	began, cpu := time.Now(), cpuOf()
	br, k = start()
	defer br.Close()
	fmt.Printf("broker: %s, CPU %s\n", time.Since(began).Round(time.Millisecond), (cpuOf() - cpu).Round(time.Millisecond))

	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	most := heapPeak(t)
	began, cpu = time.Now(), cpuOf()
	o := detectConfig(config.Default())
	o.Limits.OpenRuns = 1 << 30
	o.Kafka, o.Logger, o.Registerer = k, log, prometheus.NewRegistry()
	e, err := engine.New(o, "restarted")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	go paceCollector(ctx)
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	for e.Ready() != nil {
		time.Sleep(time.Millisecond)
	}
	took, used := time.Since(began), cpuOf()-cpu
	peak := most()
	runtime.GC()
	runtime.ReadMemStats(&now)
	n := time.Duration(open * partitions)
	fmt.Printf("detect: %d open runs, %d MiB of state, in %s, CPU %s (%s a run), %.0f MB/s; heap at most %d MiB, then %d\n", n, size>>20,
		took.Round(time.Millisecond), used.Round(time.Millisecond), used/n, float64(size)/1e6/took.Seconds(),
		(peak-before.HeapAlloc)>>20, (now.HeapAlloc-before.HeapAlloc)>>20)
	cancel()
	<-ended
}

// heapPeak returns a function that returns the highest size of the heap since then.
func heapPeak(t *testing.T) func() uint64 {
	var most atomic.Uint64
	done := make(chan struct{})
	go func() {
		var m runtime.MemStats
		for {
			runtime.ReadMemStats(&m)
			most.Store(max(most.Load(), m.HeapAlloc))
			select {
			case <-done:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	}()
	return func() uint64 { close(done); return most.Load() }
}
