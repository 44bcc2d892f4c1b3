package baselinestore

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"

	"flyball/detect/model/baseline"
	"flyball/schema/kafka"
	"flyball/schema/kafka/kafkatest"
	"flyball/schema/route"
	"flyball/schema/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// topic is flyball.baselines in a broker for the test.
type topic struct {
	t       *testing.T
	cluster *kfake.Cluster
	cfg     kafka.Config
	metrics *prometheus.Registry
	client  *kgo.Client
}

func newTopic(t *testing.T, seeded ...string) *topic {
	t.Helper()
	cluster := kafkatest.Start(t, kfake.SeedTopics(1, seeded...))
	reg := prometheus.NewRegistry()
	cfg := kafka.Config{Options: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}, Metrics: kafka.NewMetrics(reg)}
	client, err := kgo.NewClient(cfg.Options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return &topic{t, cluster, cfg, reg, client}
}

func (b *topic) send(key string, value []byte) {
	b.t.Helper()
	r := &kgo.Record{Topic: wire.BaselinesTopic, Key: []byte(key), Value: value}
	if err := b.client.ProduceSync(context.Background(), r).FirstErr(); err != nil {
		b.t.Fatal(err)
	}
}

func (b *topic) publish(version string) {
	b.t.Helper()
	value, err := wire.EncodeDocument(wire.BaselineVersion, &baseline.Baseline{Version: version})
	if err != nil {
		b.t.Fatal(err)
	}
	b.send(version, value)
}

func (b *topic) withdraw(version string) { b.send(version, nil) }

func (b *topic) publishRoutes(tenant, version string) {
	b.t.Helper()
	value, err := wire.EncodeDocument(wire.RoutesVersion, &route.Learned{Version: version})
	if err != nil {
		b.t.Fatal(err)
	}
	b.send(wire.RoutesKey(tenant), value)
}

// subscriber records the versions that it is called with.
type subscriber struct {
	mu       sync.Mutex
	versions []string
	calls    chan string
}

func newSubscriber() *subscriber { return &subscriber{calls: make(chan string, 100)} }

func (s *subscriber) take(version string) {
	s.mu.Lock()
	s.versions = append(s.versions, version)
	s.mu.Unlock()
	s.calls <- version
}

func (s *subscriber) next(t *testing.T) string {
	t.Helper()
	select {
	case v := <-s.calls:
		return v
	case <-time.After(20 * time.Second):
		t.Fatal("no version came")
		return ""
	}
}

func (s *subscriber) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.versions)
}

func (b *topic) watcher(log *slog.Logger) (w *Watcher, baselines, routes *subscriber) {
	w = NewWatcher(b.cfg, "acme", log)
	w.pause = time.Millisecond
	baselines, routes = newSubscriber(), newSubscriber()
	w.OnBaseline(func(body *baseline.Baseline) { baselines.take(body.Version) })
	w.OnRoutes(func(l route.Learned) error { routes.take(l.Version); return nil })
	return w, baselines, routes
}

func run(t *testing.T, w *Watcher) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the end that was asked for is an error: %v", err)
		}
	})
}

var discard = slog.New(slog.DiscardHandler)

func TestNewestVersionIsThereBeforeTheFirstCall(t *testing.T) {
	b := newTopic(t, wire.BaselinesTopic)
	b.publish("acme/1")
	b.publish("other/9")
	b.publishRoutes("acme", "acme/1")
	b.publish("acme/2")
	b.publishRoutes("acme", "acme/2")
	b.publishRoutes("other", "other/9")
	w, baselines, routes := b.watcher(discard)
	if err := w.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := baselines.all(); !slices.Equal(got, []string{"acme/2"}) {
		t.Errorf("baselines %q", got)
	}
	if got := routes.all(); !slices.Equal(got, []string{"acme/2"}) {
		t.Errorf("routes %q", got)
	}
}

// Each read made a new client: connections, logins and metadata requests every five seconds, for each subscriber.
func TestFollowingMakesNoConnectionForEachVersion(t *testing.T) {
	b := newTopic(t, wire.BaselinesTopic)
	b.publish("acme/1")
	w, baselines, routes := b.watcher(discard)
	if err := w.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	run(t, w)
	baselines.next(t)
	b.publish("acme/2")
	if got := baselines.next(t); got != "acme/2" {
		t.Fatal(got)
	}
	before := connections(t, b.metrics)
	more := []string{"acme/3", "acme/4", "acme/5", "acme/6", "acme/7"}
	for _, v := range more {
		b.publish(v)
		b.publishRoutes("acme", v)
		if got := baselines.next(t); got != v {
			t.Fatalf("baseline %s, want %s", got, v)
		}
		if got := routes.next(t); got != v {
			t.Fatalf("routes %s, want %s", got, v)
		}
	}
	// A client opens connections of each kind when it needs them for the first time.
	if after := connections(t, b.metrics); before == 0 || after-before >= float64(len(more)) {
		t.Errorf("%g connections, %g before %d more versions", after, before, len(more))
	}
}

func connections(t *testing.T, reg *prometheus.Registry) (n float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "flyball_kafka_connects_total" {
			for _, m := range f.GetMetric() {
				n += m.GetCounter().GetValue()
			}
		}
	}
	return n
}

func TestWithdrawnVersionGivesWayToTheOneBefore(t *testing.T) {
	b := newTopic(t, wire.BaselinesTopic)
	b.publish("acme/1")
	b.publish("acme/2")
	w, baselines, _ := b.watcher(discard)
	if err := w.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	run(t, w)
	b.withdraw("acme/2")
	for _, want := range []string{"acme/2", "acme/1"} {
		if got := baselines.next(t); got != want {
			t.Fatalf("%s, want %s", got, want)
		}
	}
	b.withdraw("acme/0") // not the current version
	b.publish("acme/3")
	if got := baselines.next(t); got != "acme/3" {
		t.Fatal(got)
	}
}

// A version that is withdrawn in the batch in which it was published is not given to subscribers.
func TestVersionThatIsWithdrawnAtOnceIsNotUsed(t *testing.T) {
	b := newTopic(t, wire.BaselinesTopic)
	b.publish("acme/1")
	w, baselines, _ := b.watcher(discard)
	if err := w.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	records := []*kgo.Record{
		{Key: []byte("acme/2"), Value: []byte(`{"v":1,"body":{"version":"acme/2"}}`), Offset: 1},
		{Key: []byte("acme/2"), Offset: 2},
	}
	fetches := kgo.Fetches{{Topics: []kgo.FetchTopic{{Topic: wire.BaselinesTopic,
		Partitions: []kgo.FetchPartition{{Records: records}}}}}}
	if err := w.handle(t.Context(), kafka.Batch{Fetches: fetches}); err != nil {
		t.Fatal(err)
	}
	if got := baselines.all(); !slices.Equal(got, []string{"acme/1"}) {
		t.Errorf("%q", got)
	}
}

func TestVersionThatCannotBeReadLeavesTheOneBefore(t *testing.T) {
	b := newTopic(t, wire.BaselinesTopic)
	b.publish("acme/1")
	var log strings.Builder
	w, baselines, routes := b.watcher(slog.New(slog.NewTextHandler(&log, nil)))
	fail := true
	w.OnRoutes(func(route.Learned) error {
		if fail {
			fail = false
			return errors.New("no such document")
		}
		return nil
	})
	if err := w.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.send("acme/2", []byte(`{"v":99,"body":{}}`))
	b.publishRoutes("acme", "acme/1")
	if err := w.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := baselines.all(); !slices.Equal(got, []string{"acme/1"}) {
		t.Errorf("baselines %q", got)
	}
	for _, want := range []string{"acme/2", "routes acme/1: no such document"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log does not name %q:\n%s", want, log.String())
		}
	}
	if err := w.Load(t.Context()); err != nil { // routes that a subscriber rejected are given to it again
		t.Fatal(err)
	}
	if got := routes.all(); len(got) != 2 || w.routes != "acme/1" {
		t.Errorf("routes %q, in place %q", got, w.routes)
	}
}

// An enforcement point keeps its versions while its rights on the topic are missing, and reads again when it has them.
func TestMissingRightsDoNotEndTheWatcher(t *testing.T) {
	b := newTopic(t, wire.BaselinesTopic)
	b.publish("acme/1")
	refused := make(chan struct{})
	var once sync.Once
	var mu sync.Mutex
	refusing := true
	b.cluster.ControlKey(int16(kmsg.ListOffsets), func(req kmsg.Request) (kmsg.Response, error, bool) {
		mu.Lock()
		defer mu.Unlock()
		if !refusing {
			return nil, nil, false
		}
		b.cluster.KeepControl()
		once.Do(func() { close(refused) })
		r := req.(*kmsg.ListOffsetsRequest)
		resp := r.ResponseKind().(*kmsg.ListOffsetsResponse)
		for _, t := range r.Topics {
			rt := kmsg.NewListOffsetsResponseTopic()
			rt.Topic = t.Topic
			for _, p := range t.Partitions {
				rp := kmsg.NewListOffsetsResponseTopicPartition()
				rp.Partition, rp.ErrorCode = p.Partition, kerr.TopicAuthorizationFailed.Code
				rt.Partitions = append(rt.Partitions, rp)
			}
			resp.Topics = append(resp.Topics, rt)
		}
		return resp, nil, true
	})
	w, baselines, _ := b.watcher(discard)
	if err := w.Load(t.Context()); !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Fatalf("%v", err)
	}
	run(t, w)
	<-refused
	mu.Lock()
	refusing = false
	mu.Unlock()
	if got := baselines.next(t); got != "acme/1" {
		t.Fatal(got)
	}
}
