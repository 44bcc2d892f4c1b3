package storage

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/engine"
	"flyball/schema"
	"flyball/schema/clickhouse"
	clients "flyball/schema/kafka"
	"flyball/schema/wire"
)

// detected is a log of calls that detect reads, and the calls that were written to it.
type detected struct {
	t      *testing.T
	kafka  []kgo.Opt
	client *kgo.Client
	random *rand.Rand
	at     time.Time
	clock  atomic.Int64      // at as Unix ns, for the processes
	sent   int               // rows of calls
	next   [partitions]int64 // positions of the sources
	lines  bool              // every call has one line and nothing else
}

func newDetected(t *testing.T, seed uint64) *detected {
	t.Helper()
	k, err := kfake.NewCluster(kfake.NumBrokers(1))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	d := &detected{t: t, kafka: []kgo.Opt{kgo.SeedBrokers(k.ListenAddrs()...)}, random: rand.New(rand.NewPCG(seed, 2)),
		at: time.Date(2026, 11, 26, 9, 50, 0, 0, time.UTC)}
	if d.client, err = kgo.NewClient(append(d.kafka, kgo.RecordPartitioner(kgo.ManualPartitioner()))...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.client.Close)
	if _, err := clients.EnsureTopics(t.Context(), kadm.NewClient(d.client),
		clients.TopicOptions{Partitions: partitions, Replication: 1, BrokerTrims: true}); err != nil {
		t.Fatal(err)
	}
	return d
}

func (d *detected) write(topic string, part int32, key, value []byte) {
	d.t.Helper()
	rec := &kgo.Record{Topic: topic, Partition: part, Key: key, Value: value}
	if err := d.client.ProduceSync(context.Background(), rec).FirstErr(); err != nil {
		d.t.Fatal(err)
	}
}

// send writes some records of calls to each partition: calls of agents of two tenants in their runs, of which some have a second
// line of another observer, and some only a row of the check, which counts a minute later.
func (d *detected) send(records int) {
	d.t.Helper()
	for range records {
		for part := range int32(partitions) {
			var calls []*schema.Call
			for range 1 + d.random.IntN(30) {
				d.at = d.at.Add(time.Duration(d.random.IntN(4000)) * time.Millisecond)
				calls = append(calls, d.call(part)...)
			}
			d.clock.Store(d.at.UnixNano())
			var enc wire.CallsEncoder
			d.write(wire.CallsTopic, part, nil, enc.Encode(nil, calls))
			d.sent += len(calls)
			d.write(wire.CallsTopic, part, nil, wire.EncodeMarks(nil, &wire.Marks{At: d.at.UnixNano()}))
		}
	}
}

// call makes the rows of a call.
func (d *detected) call(part int32) (rows []*schema.Call) {
	r := d.random
	agent := fmt.Sprintf("team-%d/bot-%d", part, r.IntN(6))
	c := schema.Call{Source: schema.Source{Topic: "gateway-logs", TopicID: schema.TopicID{7}, Partition: part}, Format: "json",
		ObserverKind: schema.ObserverGateway, Observer: fmt.Sprint("edge-", r.IntN(2)), Tenant: fmt.Sprint("tenant-", r.IntN(2)),
		RoutingKey: "g:" + agent, AgentID: agent, AgentTrust: schema.TrustVerified, RunKey: fmt.Sprint("run-", d.at.Unix()/900, "-", r.IntN(3)),
		Start: d.at.Add(-time.Duration(r.IntN(90)) * time.Second).UnixNano(), DurationNs: 1e6, Method: "GET",
		Path: fmt.Sprint("/orders/", d.sent), RouteKey: "/orders/{}", Status: 200, Outcome: schema.Outcome(r.IntN(9)),
		Reversibility: schema.Reversibility(r.IntN(3)), BytesOut: r.Uint64N(1000), RequestID: fmt.Sprintf("q-%d-%d", part, d.next[part])}
	if r.IntN(4) == 0 {
		c.RunKey, c.TraceID = "", [16]byte{1, byte(r.IntN(5)), byte(d.at.Minute())}
	}
	row := func(c schema.Call) {
		c.Pos = schema.Position{Offset: d.next[part]}
		d.next[part]++
		rows = append(rows, &c)
	}
	switch k := r.IntN(8); {
	case k == 0 && !d.lines:
		c.ObserverKind, c.Observer, c.Outcome, c.Status = schema.ObserverGate, "point", schema.OutcomeUnknown, 0
		row(c)
	case k == 1 && !d.lines:
		row(c)
		c.ObserverKind, c.Observer = schema.ObserverSidecar, "mesh"
		row(c)
	default:
		row(c)
	}
	return rows
}

// process is a process of detect that can be killed.
type process struct {
	*engine.Engine
	stop func() error
	dead atomic.Int32 // partitions that were killed
}

// detect starts a process. kill, called by the goroutine of a partition between two durable writes (with their names) and for each
// call (with "call"), reports whether the process ends there.
func (d *detected) detect(kill func(stage string) bool) *process {
	d.t.Helper()
	p := &process{}
	end := func(stage string) {
		if kill(stage) {
			p.dead.Add(1)
			runtime.Goexit()
		}
	}
	cfg := engine.DefaultConfig()
	cfg.Kafka = clients.Config{Options: d.kafka}
	began := time.Now()
	cfg.Now = func() time.Time { return time.Unix(0, d.clock.Load()).Add(time.Since(began)) }
	cfg.CheckpointEvery, cfg.SnapshotEvery, cfg.JournalEvery = 100*time.Millisecond, 50*time.Millisecond, 20*time.Millisecond
	cfg.Logger, cfg.Registerer = slog.New(slog.NewTextHandler(io.Discard, nil)), prometheus.NewRegistry()
	cfg.Stage = end
	cfg.ProvenCommands = func() bool { end("call"); return false }
	var err error
	if p.Engine, err = engine.New(cfg, "test"); err != nil {
		d.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- p.Run(ctx) }()
	p.stop = sync.OnceValue(func() error { cancel(); return <-done })
	d.t.Cleanup(func() { _ = p.stop() })
	return p
}

// handled waits until processes have applied all records.
func (d *detected) handled(of ...*process) {
	d.t.Helper()
	ends, err := kadm.NewClient(d.client).ListEndOffsets(d.t.Context(), wire.CallsTopic)
	if err != nil {
		d.t.Fatal(err)
	}
	until(d.t, "all calls to be applied", func() bool {
		n := 0
		for _, p := range of {
			for part, at := range p.Handled() {
				if o, ok := ends.Lookup(wire.CallsTopic, part); ok && at >= o.Offset {
					n++
				}
			}
		}
		return n >= partitions
	})
}

// checkCounts stores the journal, and compares the counts with the calls.
func (d *detected) checkCounts(c *clickhouse.Conn) {
	d.t.Helper()
	d.stored(c)
	if got, want := sql(d.t, c, "SELECT count(), "+positions+" FROM {db}.calls"), fmt.Sprintf("%d\t%d", d.sent, d.sent); got != want {
		d.t.Errorf("calls stored, distinct positions: %s, want %s", got, want)
	}
	const of = "count(), countIf(outcome = 'ok'), countIf(outcome = 'denied'), sum(bytes_out) FROM {db}.calls WHERE counted "
	const sums = "sum(calls), sum(outcome_ok), sum(outcome_denied), sum(bytes_out) FROM {db}."
	for _, q := range [][3]string{
		{"minutes", "SELECT tenant, minute AS at, " + sums + "minute_counts", "SELECT tenant, toStartOfMinute(start_time) AS at, " + of},
		{"hours", "SELECT tenant, agent_id, hour AS at, " + sums + "hour_counts",
			"SELECT tenant, agent_id, toStartOfHour(start_time) AS at, " + of},
		{"bindings", "SELECT tenant, hour AS at, producer, format, run_rule, sum(calls) FROM {db}.stitching",
			"SELECT tenant, toStartOfHour(start_time) AS at, observer, format, run_rule, count() FROM {db}.calls WHERE counted "},
		{"runs", "SELECT run_id, sum(calls) AS n FROM {db}.runs", "SELECT run_id, countIf(counted) AS n FROM {db}.calls"},
	} {
		got, want := sql(d.t, c, q[1]+" GROUP BY ALL ORDER BY ALL"), sql(d.t, c, q[2]+" GROUP BY ALL ORDER BY ALL")
		if n := strings.Count(want, "\n"); got != want || n < 5 {
			d.t.Errorf("%s differ from the calls, %d and %d rows: %s", q[0], strings.Count(got, "\n")+1, n+1, different(got, want))
		}
	}
}

// different returns the first lines of two texts that differ.
func different(a, b string) string {
	x, y := strings.Split(a, "\n"), strings.Split(b, "\n")
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return fmt.Sprintf("%q, want %q", x[i], y[i])
		}
	}
	return "the end"
}

// stored stores the journal.
func (d *detected) stored(c *clickhouse.Conn) {
	d.t.Helper()
	ends, err := kadm.NewClient(d.client).ListEndOffsets(d.t.Context(), wire.JournalTopic)
	if err != nil {
		d.t.Fatal(err)
	}
	total := int64(0)
	ends.Each(func(o kadm.ListedOffset) { total += o.Offset })
	s := start(d.t, quick(), d.kafka, &gate{Conn: c})
	until(d.t, "the journal to be stored", func() bool { return committed(d.t, d.kafka, wire.StoreGroup) >= total })
	if err := s.end(); err != nil {
		d.t.Fatal(err)
	}
}

// Processes are killed between durable writes and in the middle of records, partitions move to other processes, and what was read
// is read again: minutes, hours and bindings are those of the calls, and every call is stored once.
func TestCountsDifferFromTheirCalls(t *testing.T) {
	c := migrated(t)
	d := newDetected(t, 1)
	kills := map[string]int{}
	var mu sync.Mutex
	for round := range 14 {
		stage := []string{"detect.output|checkpoint", "detect.entries|record", "call"}[round%3]
		left := d.random.IntN(2)
		if stage == "call" {
			left = d.random.IntN(50)
		}
		p := d.detect(func(s string) bool {
			mu.Lock()
			defer mu.Unlock()
			if s != stage {
				return false
			}
			left--
			if left < 0 {
				kills[s]++
			}
			return left < 0
		})
		d.send(4)
		until(t, "the process to be killed at "+stage, func() bool { return p.dead.Load() > 0 })
		_ = p.stop()
	}
	never := func(string) bool { return false }
	first := d.detect(never)
	d.send(3)
	second := d.detect(never) // half of the partitions move to it
	until(t, "the second process to have a partition", func() bool { return len(second.Handled()) > 0 })
	d.send(3)
	d.handled(first, second)
	if err := first.stop(); err != nil {
		t.Fatal(err)
	}
	d.send(3)
	d.at = d.at.Add(20 * time.Minute) // rows of the check count
	d.send(1)
	d.handled(second)
	if err := second.stop(); err != nil {
		t.Fatal(err)
	}
	if len(kills) != 3 {
		t.Fatalf("killed at %v", kills)
	}
	d.checkCounts(c)
	got := sql(t, c, "SELECT calls_partition, sum(runs) FROM {db}.hours FINAL GROUP BY ALL ORDER BY ALL")
	if want := sql(t, c, `SELECT calls_partition, uniqExactIf((run_id, segment), counted) FROM {db}.calls GROUP BY ALL ORDER BY ALL`); got != want {
		t.Errorf("runs by hour: %s", different(got, want))
	}
	if n := sql(t, c, "SELECT count() > 5, countIf(NOT counted) > 20 FROM {db}.calls WHERE observer_kind = 'gate' OR NOT counted"); n !=
		"1\t1" {
		t.Errorf("too few rows of the check and further observations: the test shows nothing")
	}
}

// A database and a log of schema version 4 are upgraded in the middle of runs, and the new processes are killed: every call is in
// one table, and every run has the totals of its calls.
func TestUpgradeInTheMiddleOfRunsLosesCalls(t *testing.T) {
	c := released(t, "4")
	d := newDetected(t, 2)
	d.lines = true
	for part := range int32(partitions) { // a process of version 4 was lost before its first checkpoint
		d.write(wire.StateTopic, part, []byte("claim"), []byte("old"))
	}
	d.send(6)
	before := d.sent
	left := 150
	var mu sync.Mutex
	p := d.detect(func(s string) bool {
		mu.Lock()
		defer mu.Unlock()
		if s == "call" {
			left--
		}
		return left < 0
	})
	d.send(6)
	until(t, "the first process to be killed", func() bool { return p.dead.Load() > 0 })
	_ = p.stop()
	d.stored(c)
	migrate(t, c, false)
	for _, stage := range []string{"detect.output|checkpoint", "detect.entries|record"} {
		p = d.detect(func(s string) bool { return s == stage })
		d.send(4)
		until(t, "the process to be killed at "+stage, func() bool { return p.dead.Load() > 0 })
		_ = p.stop()
	}
	p = d.detect(func(string) bool { return false })
	d.send(4)
	d.handled(p)
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}
	d.checkCounts(c)
	old := sql(t, c, "SELECT count() FROM {db}.calls_store FINAL")
	if _, err := fmt.Sscan(old, &before); err != nil || before == 0 || before == d.sent {
		t.Errorf("%d of %d calls are in the table of version 4: the test shows nothing", before, d.sent)
	}
	if n := sql(t, c, `SELECT count() > 10 FROM (SELECT run_id FROM {db}.runs_store FINAL INTERSECT DISTINCT SELECT run_id FROM {db}.calls_v5)`); n !=
		"1" {
		t.Error("no run goes on after the upgrade: the test shows nothing")
	}
}
