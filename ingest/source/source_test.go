package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"flyball/ingest/decode"
	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/kafka/kafkatest"
	"flyball/schema/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// words decodes "word word …": each word is a call, "bad" is a dead letter.
type words struct{}

func (words) Decode(r *decode.Record, calls []schema.Call) ([]schema.Call, []decode.Rejected) {
	var dead []decode.Rejected
	for i, w := range strings.Fields(string(r.Value)) {
		if w == "bad" {
			dead = append(dead, decode.Rejected{Item: uint32(i), Reason: decode.NotJSON, Value: []byte(w)})
			continue
		}
		calls = append(calls, schema.Call{Source: schema.Source{Topic: r.Topic, TopicID: r.TopicID, Partition: r.Partition},
			Pos: schema.Position{Offset: r.Offset, Item: uint32(i)}, RoutingKey: w, Path: w, Start: r.Timestamp, KafkaTime: r.Timestamp})
	}
	return calls, dead
}

type world struct {
	t       *testing.T
	cluster *kfake.Cluster
	opts    []kgo.Opt
	client  *kgo.Client
}

func newWorld(t *testing.T) *world {
	t.Helper()
	c := kafkatest.Start(t)
	w := &world{t: t, cluster: c, opts: []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}}
	var err error
	if w.client, err = kgo.NewClient(append(w.opts, kgo.RecordPartitioner(kgo.ManualPartitioner()))...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.client.Close)
	adm := kadm.NewClient(w.client)
	options := kafka.TopicOptions{Partitions: 3, Replication: 1, BrokerTrims: true}
	if _, err := kafka.EnsureTopics(context.Background(), adm, options); err != nil {
		t.Fatal(err)
	}
	if _, err := adm.CreateTopic(context.Background(), 2, 1, nil, "in"); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) send(part int32, values ...string) {
	w.t.Helper()
	for _, v := range values {
		if err := w.client.ProduceSync(context.Background(), &kgo.Record{Topic: "in", Partition: part, Value: []byte(v)}).FirstErr(); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) config() Config {
	cfg := DefaultConfig()
	cfg.Kafka = kafka.Config{Options: w.opts, Metrics: kafka.NewMetrics(nil)}
	cfg.Topics, cfg.Partitions, cfg.Now = []string{"in"}, 3, time.Now
	cfg.Logger, cfg.Registerer = slog.New(slog.NewTextHandler(io.Discard, nil)), prometheus.NewRegistry()
	return cfg
}

func (w *world) start(change ...func(*Config)) (s *Source, stop func() error) {
	w.t.Helper()
	cfg := w.config()
	for _, f := range change {
		f(&cfg)
	}
	s, err := New(cfg, words{})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	var once sync.Once
	var result error
	stop = func() error {
		once.Do(func() { cancel(); result = <-done })
		return result
	}
	w.t.Cleanup(func() { _ = stop() })
	return s, stop
}

// emitted reads flyball.calls until it has n positions, and a short time longer. It returns how often each position was written.
func (w *world) emitted(n int) map[string]int {
	w.t.Helper()
	c, err := kgo.NewClient(append(w.opts, kgo.ConsumeTopics(wire.CallsTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(50*time.Millisecond))...)
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	got := map[string]int{}
	last := map[string]schema.Position{}
	var dec wire.CallsDecoder
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
		fetches := c.PollFetches(ctx)
		cancel()
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Value[0] != wire.KindCalls {
				return
			}
			calls, err := dec.Decode(r.Value)
			if err != nil {
				w.t.Fatal(err)
			}
			for _, k := range calls {
				if want := wire.PartitionOf(k.RoutingKey, 3); want != r.Partition {
					w.t.Errorf("%s is in partition %d, its actor's is %d", k.RoutingKey, r.Partition, want)
				}
				reader := fmt.Sprint(k.Source, "/", r.Partition)
				if p, ok := last[reader]; ok && !k.Pos.After(p) && got[fmt.Sprint(k.Source, k.Pos)] == 0 {
					w.t.Errorf("%s: position %v is new and comes after %v", reader, k.Pos, p)
				}
				last[reader] = k.Pos
				got[fmt.Sprint(k.Source, k.Pos)]++
			}
		})
		if len(got) >= n && fetches.NumRecords() == 0 {
			break
		}
	}
	if len(got) != n {
		w.t.Fatalf("%d positions in flyball.calls, want %d", len(got), n)
	}
	return got
}

func (w *world) committed() map[int32]int64 {
	w.t.Helper()
	out := map[int32]int64{}
	if g := w.cluster.GroupInfo(wire.IngestGroup); g != nil {
		for p, c := range g.Commits["in"] {
			out[p] = c.Offset
		}
	}
	return out
}

func TestOneBadItemStopsNothing(t *testing.T) {
	w := newWorld(t)
	_, stop := w.start()
	w.send(0, "a b", "bad", "c bad d", "e")
	w.emitted(5)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if got := w.committed()[0]; got != 4 {
		t.Fatalf("committed %d, 4 records were read", got)
	}
	letters, err := kgo.NewClient(append(w.opts, kgo.ConsumeTopics(wire.DeadLettersTopic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))...)
	if err != nil {
		t.Fatal(err)
	}
	defer letters.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var items []string
	for len(items) < 2 && ctx.Err() == nil {
		letters.PollFetches(ctx).EachRecord(func(r *kgo.Record) {
			h := map[string]string{}
			for _, x := range r.Headers {
				h[x.Key] = string(x.Value)
			}
			items = append(items, fmt.Sprintf("%s/%s %s %s %s", h[wire.HeaderOffset], h[wire.HeaderItem], h[wire.HeaderReason], r.Value,
				h["__connect.errors.topic"]))
		})
	}
	if got := strings.Join(items, "; "); got != "1/0 not_json bad in; 2/1 not_json bad in" {
		t.Fatal(got)
	}
}

// A commit that Kafka rejects for missing rights does not count as successful: the part ends with an error that names the reason.
func TestForbiddenCommitPassesForAGoodOne(t *testing.T) {
	w := newWorld(t)
	kafkatest.RefuseCommits(w.cluster, wire.IngestGroup, kerr.GroupAuthorizationFailed, 0)
	s, stop := w.start()
	w.send(0, "a", "b")
	w.emitted(2)
	for end := time.Now().Add(20 * time.Second); !errors.Is(s.Ready(), kerr.GroupAuthorizationFailed); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("ready: %v", s.Ready())
		}
	}
	if err := s.Ready(); !strings.Contains(err.Error(), wire.IngestGroup) || !strings.Contains(err.Error(), "in/0") {
		t.Errorf("the error names neither the group nor the partition: %v", err)
	}
	if err := stop(); !errors.Is(err, kerr.GroupAuthorizationFailed) {
		t.Errorf("Run returned %v", err)
	}
}

// A commit that is rejected for one partition is stored for the other.
func TestRefusedCommitOfOnePartitionCountsForAll(t *testing.T) {
	w := newWorld(t)
	kafkatest.RefuseCommits(w.cluster, wire.IngestGroup, kerr.InvalidCommitOffsetSize, 0)
	s, _ := w.start()
	w.send(0, "a")
	w.send(1, "b")
	w.emitted(2)
	committed := func(part int32) int64 {
		if p := s.current()[key{"in", part}]; p != nil {
			return p.committed.Load()
		}
		return -1
	}
	for end := time.Now().Add(20 * time.Second); committed(1) != 1; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("the good partition is not committed")
		}
	}
	if got := committed(0); got >= 0 {
		t.Errorf("offset %d counts as committed, and the broker refused it", got)
	}
}

// Without the rights to read, the part ends with an error that names it.
func TestIngestThatMayNotReadIsSilent(t *testing.T) {
	w := newWorld(t)
	kafkatest.RefuseFetches(w.cluster, "", kerr.TopicAuthorizationFailed)
	w.send(0, "a")
	s, err := New(w.config(), words{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := s.Run(ctx); !errors.Is(err, kerr.TopicAuthorizationFailed) || !strings.HasPrefix(err.Error(), "ingest: read in/") {
		t.Fatal(err)
	}
}

// A commit that never succeeds causes repeats, which are recognised by their positions, and no loss.
func TestCommitFails(t *testing.T) {
	w := newWorld(t)
	kafkatest.RefuseCommits(w.cluster, wire.IngestGroup, kerr.InvalidCommitOffsetSize, 0, 1)
	_, stop := w.start()
	w.send(0, "a", "b c")
	w.send(1, "d")
	w.emitted(4)
	_ = stop()
	_, stop = w.start()
	w.send(0, "e")
	for pos, n := range w.emitted(5) {
		if n > 2 {
			t.Errorf("%s was emitted %d times", pos, n)
		}
	}
	_ = stop()
}

// Offsets are committed only after the broker's acknowledgement.
func TestNothingIsCommittedBeforeItIsDurable(t *testing.T) {
	w := newWorld(t)
	hold := make(chan struct{})
	id := w.cluster.TopicInfo(wire.CallsTopic).TopicID
	w.cluster.ControlKey(int16(kmsg.Produce), func(req kmsg.Request) (kmsg.Response, error, bool) {
		w.cluster.KeepControl()
		body := req.AppendTo(nil)
		if bytes.Contains(body, id[:]) || bytes.Contains(body, []byte(wire.CallsTopic)) {
			select {
			case <-hold:
			default:
				w.cluster.SleepControl(func() { <-hold })
			}
		}
		return nil, nil, false
	})
	s, stop := w.start()
	w.send(0, "a", "b")
	for end := time.Now().Add(5 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if l := s.current()[key{"in", 0}]; l != nil {
			if next, _, _ := l.progress(); next == 2 {
				break
			}
		}
	}
	time.Sleep(1500 * time.Millisecond) // long enough for a commit
	if got, ok := w.committed()[0]; ok && got > 0 {
		t.Fatalf("offset %d is committed and nothing is durable", got)
	}
	close(hold)
	w.emitted(2)
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if got := w.committed()[0]; got != 2 {
		t.Fatalf("committed %d of 2", got)
	}
}

// The timestamp of a producer whose clock shows the year 2100 is not used.
func TestTimestampOfTheFarFutureIsNotBelieved(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC).UnixNano()
	for at, want := range map[time.Time]int64{
		time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC): now,
		time.UnixMilli(-1):                          now,
		time.Unix(0, now).Add(-24 * time.Hour):      now - int64(24*time.Hour),
		time.Unix(0, now).Add(9 * time.Minute):      now + int64(9*time.Minute),
		time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC): time.Date(1999, 1, 1, 0, 0, 0, 0, time.UTC).UnixNano(),
	} {
		if got := recordTime(&kgo.Record{Timestamp: at}, now); got != want {
			t.Errorf("%s: %s", at, time.Unix(0, got).UTC())
		}
	}
}
