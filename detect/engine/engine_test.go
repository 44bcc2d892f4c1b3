package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/kafka/kafkatest"
	"flyball/schema/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const parts = 2

type log struct {
	t       *testing.T
	cluster *kfake.Cluster
	opts    []kgo.Opt
	client  *kgo.Client
	over    chan struct{} // closed when the last started engine has ended
}

func newLog(t *testing.T) *log {
	t.Helper()
	c := kafkatest.Start(t)
	l := &log{t: t, cluster: c, opts: []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}}
	var err error
	if l.client, err = kgo.NewClient(append(l.opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.client.Close)
	if _, err := kafka.EnsureTopics(context.Background(), kadm.NewClient(l.client),
		kafka.TopicOptions{Partitions: parts, Replication: 1, BrokerTrims: true}); err != nil {
		t.Fatal(err)
	}
	return l
}

// block writes calls [from, to) of the source as one block.
func (l *log) block(from, to int64) {
	l.t.Helper()
	var calls []*schema.Call
	for i := from; i < to; i++ {
		calls = append(calls, &schema.Call{Source: schema.Source{Topic: "gw", TopicID: schema.TopicID{7}}, Pos: schema.Position{Offset: i},
			Tenant:     "default",
			RoutingKey: fmt.Sprint("g:agent-", i%5), CredentialID: fmt.Sprint("agent-", i%5), RunKey: fmt.Sprint("run-",
				i%10), Start: 1795176000e9 + i*1e9, DurationNs: 1e6,
			Method: "GET", RouteKey: "/orders/{}", Resources: []schema.Resource{{Type: "order", ID: fmt.Sprint(i)}}})
	}
	var enc wire.CallsEncoder
	l.write(enc.Encode(nil, calls))
}

func (l *log) write(value []byte) {
	l.t.Helper()
	if err := l.client.ProduceSync(context.Background(), &kgo.Record{Topic: wire.CallsTopic, Partition: 0,
		Value: value}).FirstErr(); err != nil {
		l.t.Fatal(err)
	}
}

// start runs an engine; stop ends it regularly.
func (l *log) start(change ...func(*Config)) (e *Engine, stop func() error) {
	l.t.Helper()
	cfg := DefaultConfig()
	cfg.Kafka, cfg.Now = kafka.Config{Options: l.opts}, time.Now
	cfg.CheckpointEvery, cfg.SnapshotEvery, cfg.JournalEvery = 50*time.Millisecond, 50*time.Millisecond, 20*time.Millisecond
	cfg.Logger, cfg.Registerer = slog.New(slog.NewTextHandler(io.Discard, nil)), prometheus.NewRegistry()
	for _, f := range change {
		f(&cfg)
	}
	e, err := New(cfg, "test")
	if err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	over := make(chan struct{})
	l.over = over
	go func() { done <- e.Run(ctx); close(over) }()
	ended := false
	var result error
	stop = func() error {
		cancel()
		if !ended {
			result, ended = <-done, true
		}
		return result
	}
	l.t.Cleanup(func() { _ = stop() })
	return e, stop
}

func (l *log) topicID(name string) schema.TopicID {
	l.t.Helper()
	c, err := kgo.NewClient(l.opts...)
	if err != nil {
		l.t.Fatal(err)
	}
	defer c.Close()
	id, err := topicID(context.Background(), c, name)
	if err != nil {
		l.t.Fatal(err)
	}
	return id
}

// rows reads the journal until it contains n calls, and a moment longer.
func (l *log) rows(n int) int {
	l.t.Helper()
	c, err := kgo.NewClient(append(l.opts, kgo.ConsumeTopics(wire.JournalTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(50*time.Millisecond))...)
	if err != nil {
		l.t.Fatal(err)
	}
	defer c.Close()
	got := 0
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		fetches := c.PollFetches(ctx)
		cancel()
		fetches.EachRecord(func(r *kgo.Record) {
			j, err := wire.DecodeJournal(r.Value)
			if err != nil {
				l.t.Fatal(err)
			}
			for _, s := range j.Sections {
				if s.Table == "calls_v5" || s.Table == "calls_store" {
					got += s.Rows
				}
			}
		})
		if got >= n && fetches.NumRecords() == 0 {
			break
		}
	}
	return got
}

func TestPositionSeenBeforeIsDropped(t *testing.T) {
	l := newLog(t)
	_, stop := l.start()
	l.block(0, 20)
	l.block(10, 30) // an ingest that crashed sends uncommitted calls again
	l.block(0, 30)
	if got := l.rows(30); got != 30 {
		t.Fatalf("%d calls in the journal, 30 were made", got)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

func TestDrainedPartitionReplaysNothing(t *testing.T) {
	l := newLog(t)
	_, stop := l.start()
	l.block(0, 20)
	l.rows(20)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	_, stop = l.start()
	l.block(20, 25)
	l.block(15, 25)
	if got := l.rows(25); got != 25 {
		t.Fatalf("%d calls in the journal, 25 were made", got)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

// An earlier owner was lost before it wrote a checkpoint: its journal rows are written again, with
// the same runs.
func TestOwnerLostBeforeItsCheckpoint(t *testing.T) {
	l := newLog(t)
	first, stop := l.start(func(c *Config) { c.CheckpointEvery = time.Hour })
	l.block(0, 20)
	l.rows(20)
	first.release(context.Background(), nil, false) // as when the group has removed it
	_ = stop()
	_, stop = l.start()
	l.block(20, 30)
	if got := l.rows(50); got != 50 {
		t.Fatalf("%d rows in the journal: 20, the same 20 again and 10 were to be there", got)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

func TestNewerVersionStopsThePartition(t *testing.T) {
	l := newLog(t)
	e, stop := l.start()
	l.block(0, 5)
	l.rows(5)
	l.write([]byte{wire.KindCalls, wire.CallsVersion + 1, 0, 0})
	for end := time.Now().Add(10 * time.Second); e.failureOf() == nil && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	if err := stop(); !errors.Is(err, wire.ErrNewerVersion) || !strings.Contains(err.Error(), "partition 0") {
		t.Fatalf("got %v", err)
	}
}

func TestRecordThatCannotBeReadStopsNothing(t *testing.T) {
	l := newLog(t)
	_, stop := l.start()
	l.write([]byte{})
	l.write([]byte("garbage"))
	l.write([]byte{wire.KindCalls, 1, 99})
	l.write([]byte{wire.KindMarks, 1, 99})
	l.block(0, 5)
	if got := l.rows(5); got != 5 {
		t.Fatalf("%d calls", got)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
}

// A version becomes active at its mark, and a replay activates it at the same call.
func TestActivationSurvivesARestart(t *testing.T) {
	l := newLog(t)
	_, stop := l.start()
	l.block(0, 5)
	l.write(wire.EncodeMarks(nil, &wire.Marks{At: 1, Activate: []wire.Activation{{What: "route", Version: "v2"}}}))
	l.block(5, 10)
	l.rows(10)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	e, _ := l.start()
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		if w := e.worker(0); w != nil {
			if got := w.log.now.versions["route"]; got != "v2" {
				t.Fatalf("version %q is active after the restart", got)
			}
			return
		}
	}
	t.Fatal("partition not restored")
}
