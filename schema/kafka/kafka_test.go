package kafka

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"flyball/schema/kafka/kafkatest"
	"flyball/schema/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// buffer is a log that tests can read while it is written.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) lines(with string) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for line := range strings.Lines(b.b.String()) {
		if strings.Contains(line, with) {
			n++
		}
	}
	return n
}

type bench struct {
	*kfake.Cluster
	cfg Config
	log *buffer
	reg *prometheus.Registry
}

func newBench(t *testing.T, partitions int32, topics ...string) *bench {
	t.Helper()
	c := kafkatest.Start(t, kfake.SeedTopics(partitions, topics...))
	b := &bench{Cluster: c, log: &buffer{}, reg: prometheus.NewRegistry()}
	b.cfg = Config{Options: []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}, Metrics: NewMetrics(b.reg),
		Log: NewLog(slog.New(slog.NewTextHandler(b.log, nil)), time.Now)}
	return b
}

func (b *bench) client(t *testing.T, name string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	common := []kgo.Opt{kgo.FetchMaxWait(50 * time.Millisecond), kgo.RecordPartitioner(kgo.ManualPartitioner())}
	c, err := b.cfg.NewClient(name, append(common, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.CloseAllowingRebalance)
	return c
}

func (b *bench) send(t *testing.T, topic string, part int32, values ...string) {
	t.Helper()
	c := b.client(t, "send")
	for _, v := range values {
		if err := c.ProduceSync(context.Background(), &kgo.Record{Topic: topic, Partition: part, Value: []byte(v)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
}

func (b *bench) counted(client, operation, class string) float64 {
	return testutil.ToFloat64(b.cfg.Metrics.errors.WithLabelValues(client, operation, class))
}

func start(t *testing.T, c *Consumer) (stop func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	stop = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() { _ = stop() })
	return stop
}

func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// A retry does not resolve missing rights.
func TestConsumerEndsWhenFetchesAreNotAuthorized(t *testing.T) {
	b := newBench(t, 1, "in")
	kafkatest.RefuseFetches(b.Cluster, "", kerr.TopicAuthorizationFailed)
	c := &Consumer{Config: b.cfg, Name: "reader", Client: b.client(t, "reader", kgo.ConsumeTopics("in")),
		Handle: func(context.Context, Batch) error { return nil }}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	err := c.Run(ctx)
	if !errors.Is(err, kerr.TopicAuthorizationFailed) || !strings.HasPrefix(err.Error(), "reader: read in/0: ") {
		t.Fatalf("%v", err)
	}
	if b.counted("reader", OpFetch, "not_authorized") == 0 || b.log.lines("TOPIC_AUTHORIZATION_FAILED") == 0 || c.Ready() == nil {
		t.Error("the refusal is not counted, not logged, or the consumer is ready")
	}
}

func TestConsumerEndsWhenItsGroupIsNotAuthorized(t *testing.T) {
	b := newBench(t, 1, "in")
	b.ControlKey(int16(kmsg.JoinGroup), func(req kmsg.Request) (kmsg.Response, error, bool) {
		b.KeepControl()
		resp := req.ResponseKind().(*kmsg.JoinGroupResponse)
		resp.ErrorCode = kerr.GroupAuthorizationFailed.Code
		return resp, nil, true
	})
	c := &Consumer{Config: b.cfg, Name: "reader", Client: b.client(t, "reader", kgo.ConsumerGroup("g"), kgo.ConsumeTopics("in")),
		Handle: func(context.Context, Batch) error { return nil }}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := c.Run(ctx); !errors.Is(err, kerr.GroupAuthorizationFailed) {
		t.Fatalf("%v", err)
	}
	if b.counted("reader", OpGroup, "not_authorized") == 0 {
		t.Error("not counted")
	}
}

// A rejected fetch returns at once: without a pause the client would send tens of thousands of
// requests.
func TestConsumerSpinsOnErrorsThatPass(t *testing.T) {
	b := newBench(t, 1, "in")
	count := kafkatest.RefuseFetches(b.Cluster, "", kerr.UnknownServerError)
	c := &Consumer{Config: b.cfg, Name: "reader", Client: b.client(t, "reader", kgo.ConsumeTopics("in")),
		Handle: func(context.Context, Batch) error { return nil }}
	stop := start(t, c)
	await(t, "a few refusals", func() bool { return count() > 3 })
	began := time.Now()
	await(t, "a second", func() bool { return time.Since(began) > time.Second })
	if n := count(); n > 60 {
		t.Errorf("%d fetches in about a second", n)
	}
	if c.Ready() == nil {
		t.Error("ready, and nothing can be read")
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	if n := b.log.lines("reading from Kafka failed"); n != 1 {
		t.Errorf("%d log lines within ten seconds, want 1", n)
	}
}

// A handler that may block allows the rebalance, and is notified when it must stop.
func TestBlockedHandlerHoldsRebalancesUp(t *testing.T) {
	b := newBench(t, 2, "in")
	b.send(t, "in", 0, "x")
	b.send(t, "in", 1, "y")
	revoked := make(chan struct{})
	var once sync.Once
	group := []kgo.Opt{kgo.ConsumerGroup("g"), kgo.ConsumeTopics("in"), kgo.DisableAutoCommit(), kgo.BlockRebalanceOnPoll(),
		kgo.HeartbeatInterval(50 * time.Millisecond)}
	one := &Consumer{Config: b.cfg, Name: "one", Drain: time.Second,
		Client: b.client(t, "one", append(group, kgo.OnPartitionsRevoked(func(context.Context, *kgo.Client, map[string][]int32) {
			once.Do(func() { close(revoked) })
		}))...),
		Handle: func(ctx context.Context, batch Batch) error {
			batch.AllowRebalance()
			select {
			case <-revoked:
			case <-ctx.Done():
			}
			return nil
		}}
	start(t, one)
	await(t, "the first member to hold both", func() bool { g := b.GroupInfo("g"); return g != nil && len(g.Members) == 1 })
	other := make(chan struct{}, 10)
	start(t, &Consumer{Config: b.cfg, Name: "other", Client: b.client(t, "other", group...),
		Handle: func(context.Context, Batch) error { other <- struct{}{}; return nil }})
	select {
	case <-other:
	case <-time.After(20 * time.Second):
		t.Fatal("the second member got no partition while the first one's handler waited")
	}
}

func TestHandlerIsCutOffAtTheEnd(t *testing.T) {
	b := newBench(t, 1, "in")
	b.send(t, "in", 0, "x")
	began, finished := make(chan struct{}), false
	stop := start(t, &Consumer{Config: b.cfg, Name: "reader", Drain: time.Minute, Client: b.client(t, "reader", kgo.ConsumeTopics("in")),
		Handle: func(ctx context.Context, _ Batch) error {
			close(began)
			finished = Sleep(ctx, 30*time.Millisecond)
			return nil
		}})
	<-began
	if err := stop(); err != nil || !finished {
		t.Fatalf("%v, finished %v", err, finished)
	}
}

func TestHandlersErrorIsSwallowed(t *testing.T) {
	b := newBench(t, 1, "in")
	b.send(t, "in", 0, "x")
	bad := errors.New("bad")
	c := &Consumer{Config: b.cfg, Name: "reader", Client: b.client(t, "reader", kgo.ConsumeTopics("in")),
		Handle: func(context.Context, Batch) error { return bad }}
	if err := c.Run(context.Background()); !errors.Is(err, bad) {
		t.Fatal(err)
	}
}

// Kafka reports a rejected commit for each partition, in a response that is not an error
// itself.
func TestRefusedCommitPassesForAGoodOne(t *testing.T) {
	b := newBench(t, 2, "in")
	b.send(t, "in", 0, "x")
	kafkatest.RefuseCommits(b.Cluster, "", kerr.GroupAuthorizationFailed, 1)
	c := b.client(t, "reader", kgo.ConsumerGroup("g"), kgo.ConsumeTopics("in"), kgo.DisableAutoCommit())
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c.PollFetches(ctx)
	err := b.cfg.Commit(ctx, "reader", c, map[string]map[int32]kgo.EpochOffset{"in": {0: {Epoch: -1, Offset: 1}, 1: {Epoch: -1, Offset: 1}}})
	if !errors.Is(err, kerr.GroupAuthorizationFailed) || !IsPermanent(err) || !strings.Contains(err.Error(), "in/1") {
		t.Fatalf("%v", err)
	}
	if !Committed(err, "in", 0) || Committed(err, "in", 1) || Committed(&CommitError{Request: err}, "in", 0) || !Committed(nil, "in", 0) {
		t.Error("which partitions were committed is wrong")
	}
	if b.counted("reader", OpCommit, "not_authorized") != 1 {
		t.Error("not counted")
	}
}

func read(t *testing.T, b *bench, from map[int32]int64) (values []string, ends map[int32]int64, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	ends, err = ReadToEnd(ctx, b.cfg, "read", "in", from, func(r *kgo.Record) error {
		values = append(values, string(r.Value))
		return nil
	})
	return values, ends, err
}

func TestReadToEndReadsTheWrongRecords(t *testing.T) {
	b := newBench(t, 2, "in")
	if values, ends, err := read(t, b, nil); err != nil || len(values) != 0 || len(ends) != 2 {
		t.Fatalf("empty topic: %q %v %v", values, ends, err)
	}
	b.send(t, "in", 0, "a", "b")
	b.send(t, "in", 1, "c")
	if values, ends, err := read(t, b, nil); err != nil || len(values) != 3 || ends[0] != 2 || ends[1] != 1 {
		t.Fatalf("%q %v %v", values, ends, err)
	}
	if values, ends, err := read(t, b, map[int32]int64{0: 1}); err != nil || fmt.Sprint(values) != "[b]" || len(ends) != 1 {
		t.Fatalf("from an offset: %q %v %v", values, ends, err)
	}
	adm := kadm.NewClient(b.client(t, "admin"))
	if _, err := adm.DeleteRecords(context.Background(), kadm.Offsets{"in": {0: {Topic: "in", Partition: 0, At: 2}}}); err != nil {
		t.Fatal(err)
	}
	if values, _, err := read(t, b, nil); err != nil || fmt.Sprint(values) != "[c]" {
		t.Fatalf("records that were deleted: %q %v", values, err)
	}
	bad := errors.New("bad")
	if _, err := ReadToEnd(context.Background(), b.cfg, "read", "in", nil, func(*kgo.Record) error { return bad }); !errors.Is(err, bad) {
		t.Fatal(err)
	}
}

// The last record of a topic can be a control record of a transaction, which is not returned
// as a record.
func TestReadToEndWaitsForTheMarkOfATransaction(t *testing.T) {
	b := newBench(t, 1, "in")
	c := b.client(t, "send", kgo.TransactionalID("t"))
	ctx := context.Background()
	if err := c.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := c.ProduceSync(ctx, &kgo.Record{Topic: "in", Value: []byte("a")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := c.EndTransaction(ctx, kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	if values, ends, err := read(t, b, nil); err != nil || fmt.Sprint(values) != "[a]" || ends[0] != 2 {
		t.Fatalf("%q %v %v", values, ends, err)
	}
}

func TestReadToEndNeverEnds(t *testing.T) {
	t.Run("not authorized", func(t *testing.T) {
		b := newBench(t, 1, "in")
		b.send(t, "in", 0, "a")
		kafkatest.RefuseFetches(b.Cluster, "", kerr.TopicAuthorizationFailed)
		if _, _, err := read(t, b, nil); !errors.Is(err, kerr.TopicAuthorizationFailed) {
			t.Fatal(err)
		}
	})
	t.Run("refused for ever", func(t *testing.T) {
		b := newBench(t, 1, "in")
		b.send(t, "in", 0, "a")
		kafkatest.RefuseFetches(b.Cluster, "", kerr.UnknownServerError)
		impatient := reader{cfg: b.cfg, name: "read", topic: "in", stall: 300 * time.Millisecond}
		_, err := impatient.run(context.Background(), nil, func(*kgo.Record) error { return nil })
		if !errors.Is(err, errStalled) || !errors.Is(err, kerr.UnknownServerError) {
			t.Fatal(err)
		}
	})
	t.Run("refused for a while", func(t *testing.T) {
		b := newBench(t, 1, "in")
		b.send(t, "in", 0, "a")
		kafkatest.RefuseFirstFetches(b.Cluster, 3, kerr.UnknownServerError)
		if values, _, err := read(t, b, nil); err != nil || len(values) != 1 {
			t.Fatal(values, err)
		}
	})
}

// later is an error that requests a pause.
type later struct{}

func (later) Error() string             { return "later" }
func (later) RetryAfter() time.Duration { return 20 * time.Millisecond }

func TestRetry(t *testing.T) {
	b := Backoff{First: time.Millisecond, Max: 4 * time.Millisecond}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	bad := errors.New("bad")
	n := 0
	count := func(err error) func(context.Context) error {
		n = 0
		return func(context.Context) error { n++; return err }
	}
	if err := Retry(ctx, b, func(context.Context) error {
		if n++; n < 4 {
			return bad
		}
		return nil
	}, nil); err != nil || n != 4 {
		t.Errorf("%v after %d attempts", err, n)
	}
	if err := Retry(ctx, b, count(Permanent(bad)), nil); !errors.Is(err, bad) || n != 1 {
		t.Errorf("an error that stays: %v after %d attempts", err, n)
	}
	bounded := b
	bounded.Attempts = 3
	if err := Retry(ctx, bounded, count(bad), nil); !errors.Is(err, bad) || n != 3 {
		t.Errorf("a bound of attempts: %v after %d", err, n)
	}
	timed := Backoff{First: time.Millisecond, Max: time.Millisecond, Attempts: 1, Timeout: time.Millisecond}
	endless := func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }
	if err := Retry(ctx, timed, endless, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("an attempt without an end: %v", err)
	}
	waited := time.Duration(0)
	two := Backoff{First: time.Millisecond, Max: time.Millisecond, Attempts: 2}
	_ = Retry(ctx, two, count(fmt.Errorf("wrapped: %w", later{})), func(_ error, wait time.Duration) { waited = wait })
	if waited != 20*time.Millisecond {
		t.Errorf("waits %s, and the receiver asked for 20 ms", waited)
	}
	if err := Retry(ctx, b, count(bad), func(error, time.Duration) { cancel() }); !errors.Is(err, context.Canceled) || !errors.Is(err, bad) {
		t.Errorf("the end: %v", err)
	}
}

func TestBackoffIsBoundedAndNotTheSameForAll(t *testing.T) {
	b := Backoff{First: time.Second, Max: time.Minute}
	seen := map[time.Duration]bool{}
	for attempt := 1; attempt < 200; attempt++ {
		w := b.Wait(attempt)
		if w < time.Second/2 || w > time.Minute {
			t.Fatalf("attempt %d waits %s", attempt, w)
		}
		seen[w] = true
	}
	if len(seen) < 50 {
		t.Errorf("%d different waits of 199", len(seen))
	}
	if w := (Backoff{}).Wait(1); w <= 0 {
		t.Errorf("an empty backoff waits %s", w)
	}
}

func TestCallbackKeepsAnErrorToItself(t *testing.T) {
	b := newBench(t, 1)
	var got error
	done := b.cfg.ProduceCallback("point", "heartbeat", func(err error) { got = err })
	r := &kgo.Record{Topic: "points"}
	done(r, nil)
	done(r, context.Canceled)
	done(r, kgo.ErrRecordTimeout)
	if got != nil || b.counted("point", OpProduce, "not_delivered") != 1 || b.log.lines("record not written") != 1 {
		t.Errorf("%v, counted %v", got, b.counted("point", OpProduce, "not_delivered"))
	}
	done(r, kerr.TopicAuthorizationFailed)
	if !errors.Is(got, kerr.TopicAuthorizationFailed) || b.counted("point", OpProduce, "not_authorized") != 1 {
		t.Errorf("an error that stays: %v", got)
	}
	Config{}.ProduceCallback("x", "y", nil)(nil, kerr.TopicAuthorizationFailed)
}

func TestLogIsFlooded(t *testing.T) {
	now := time.Unix(0, 0)
	var out buffer
	l := NewLog(slog.New(slog.NewTextHandler(&out, nil)), func() time.Time { return now })
	for range 100 {
		l.Warn("a", "first kind")
	}
	l.Warn("b", "second kind")
	now = now.Add(logEvery)
	l.Warn("a", "first kind")
	if out.lines("first kind") != 2 || out.lines("second kind") != 1 || out.lines("omitted=99") != 1 {
		t.Error(out.b.String())
	}
	for i := range 2 * maxLogKinds {
		l.Warn(fmt.Sprint(i), "x")
	}
	if len(l.kinds) > maxLogKinds {
		t.Errorf("%d kinds are remembered", len(l.kinds))
	}
	(*Log)(nil).Warn("a", "nobody listens")
}

// The warnings of the library contain the reason of a problem with a broker; they must be
// logged.
func TestClientsWarningsAreDiscarded(t *testing.T) {
	b := newBench(t, 1)
	b.Close()
	c := b.client(t, "lonely", kgo.RecordDeliveryTimeout(time.Second))
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := c.ProduceSync(ctx, &kgo.Record{Topic: "in", Value: []byte("x")}).FirstErr(); err == nil {
		t.Fatal("written, and there is no broker")
	}
	if b.log.lines("client=lonely") == 0 || b.counted("lonely", OpConnect, "unreachable") == 0 {
		t.Errorf("nothing is logged or counted: %s", b.log.b.String())
	}
}

func TestTopicsAreCreatedOnceAndVerified(t *testing.T) {
	b := newBench(t, 1)
	ctx := context.Background()
	ensure := func(o TopicOptions) ([]TopicState, error) {
		return EnsureTopics(ctx, kadm.NewClient(b.client(t, "admin")), o) // a new client, because a client caches the list of topics
	}
	o := TopicOptions{Partitions: 3, Replication: 1, BrokerTrims: true}
	dry := o
	dry.DryRun = true
	for _, step := range []struct {
		o       TopicOptions
		created bool
	}{{dry, true}, {o, true}, {o, false}, {dry, false}} {
		states, err := ensure(step.o)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range states {
			if s.Created != step.created || s.Spec.Name != wire.Specs[i].Name || len(s.Drift) > 0 {
				t.Errorf("%+v: %+v", step.o, s)
			}
		}
	}
	o.Partitions = 4
	if _, err := ensure(o); err == nil || !strings.Contains(err.Error(), "has 3 partitions") {
		t.Errorf("another number of partitions: %v", err)
	}
	// The state of a version before is compacted: the embedded broker answers nobody meanwhile.
	policy := func(want string) {
		t.Helper()
		r, err := kadm.NewClient(b.client(t, "admin")).DescribeTopicConfigs(ctx, wire.StateTopic)
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]string{}
		for _, c := range r[0].Configs {
			got[c.Key] = c.MaybeValue()
		}
		if got["cleanup.policy"] != want || want == "delete" && got["retention.ms"] != "-1" {
			t.Errorf("%s has the policy %s and the retention %s ms", wire.StateTopic, got["cleanup.policy"], got["retention.ms"])
		}
	}
	policy("delete")
	alter := []kadm.AlterConfig{{Name: "cleanup.policy", Value: new("compact")}, {Name: "retention.ms", Op: kadm.DeleteConfig}}
	if _, err := kadm.NewClient(b.client(t, "admin")).AlterTopicConfigs(ctx, alter, wire.StateTopic); err != nil {
		t.Fatal(err)
	}
	policy("compact")
	o.Partitions = 3
	for _, changes := range []int{2, 0} {
		states, err := ensure(o)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range states {
			if s.Spec.Name == wire.StateTopic && (len(s.Changed) != changes || len(s.Drift) > 0) {
				t.Errorf("changed %q, differs %q", s.Changed, s.Drift)
			}
		}
	}
	policy("delete")
	o.BrokerTrims = false
	states, err := ensure(o)
	if err != nil || len(states[0].Drift) != 1 {
		t.Errorf("another retention: %v %v", states[0].Drift, err)
	}
	if _, err := CreateTopic(ctx, kadm.NewClient(b.client(t, "admin")), wire.CallsTopic, 3, 1, nil); err != nil {
		t.Errorf("a topic that is there: %v", err)
	}
}
