package pager

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"flyball/alerts/incident"
	"flyball/alerts/notify"
	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/kafka/kafkatest"
	"flyball/schema/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// receiver records the ids of the pages that it acknowledges.
type receiver struct {
	mu       sync.Mutex
	answer   func(*incident.Page) error // nil: the page is acknowledged
	attempts int
	ids      []string
	incident []string
}

func (r *receiver) Deliver(_ context.Context, p *incident.Page) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.attempts++
	if r.answer != nil {
		if err := r.answer(p); err != nil {
			return err
		}
	}
	r.ids = append(r.ids, p.ID)
	r.incident = append(r.incident, p.Incident)
	return nil
}

func (r *receiver) setAnswer(f func(*incident.Page) error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = f
}

func (r *receiver) seen() (ids []string, attempts int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.ids), r.attempts
}

type world struct {
	t       *testing.T
	cluster *kfake.Cluster
	kafka   kafka.Config
	metrics *Metrics
	reg     *prometheus.Registry
}

func newWorld(t *testing.T, partitions int32) *world {
	t.Helper()
	c := kafkatest.Start(t, kfake.SeedTopics(partitions, wire.AlertsTopic))
	reg := prometheus.NewRegistry()
	return &world{t: t, cluster: c, metrics: NewMetrics(reg), reg: reg,
		kafka: kafka.Config{Options: []kgo.Opt{kgo.SeedBrokers(c.ListenAddrs()...)}, Metrics: kafka.NewMetrics(reg)}}
}

// write opens one incident, of an agent of its own, for each name in a partition of flyball.alerts.
func (w *world) write(part int32, names ...string) {
	w.t.Helper()
	now := time.Now()
	for _, name := range names {
		e := schema.FindingEvent(&schema.Finding{ID: name, Version: 1, Family: schema.FamilyLoop, AgentID: name, AgentTrust: schema.TrustVerified,
			Level: schema.LevelTrip, State: schema.FindingOpen, OpenedAt: now.UnixNano(), UpdatedAt: now.UnixNano(), Summary: name})
		value, err := wire.EncodeEvent(&e)
		if err != nil {
			w.t.Fatal(err)
		}
		w.writeRaw(&kgo.Record{Partition: part, Timestamp: now, Value: value})
	}
}

func (w *world) writeRaw(r *kgo.Record) {
	w.t.Helper()
	c, err := w.kafka.NewClient("test", kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.DefaultProduceTopic(wire.AlertsTopic))
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	if err := c.ProduceSync(context.Background(), r).FirstErr(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) pager(r Receiver, change ...func(*Options)) *Pager {
	o := Options{Name: "phone", Receiver: r, NewFold: incident.NewFold, Kafka: w.kafka, Now: time.Now,
		Backoff: kafka.Backoff{First: time.Millisecond, Max: 5 * time.Millisecond},
		Logger:  slog.New(slog.NewTextHandler(io.Discard, nil)), Metrics: w.metrics}
	for _, f := range change {
		f(&o)
	}
	return New(o)
}

// run runs a pager until stop is called. A panic in its stages simulates a kill.
func (w *world) run(p *Pager) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				done <- fmt.Errorf("killed %v", r)
			}
		}()
		done <- p.Run(ctx)
	}()
	stop = sync.OnceValue(func() error { cancel(); return <-done })
	w.t.Cleanup(func() { _ = stop() })
	return stop
}

func (w *world) await(what string, ok func() bool) {
	w.t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			w.t.Fatalf("waited in vain for %s", what)
		}
	}
}

func (w *world) committed(part int32) int64 {
	if g := w.cluster.GroupInfo(Group("phone")); g != nil {
		return g.Commits[wire.AlertsTopic][part].Offset
	}
	return 0
}

func TestPagesComeOnceAndInOrder(t *testing.T) {
	w := newWorld(t, 1)
	r := &receiver{}
	p := w.pager(r)
	if p.Ready() == nil {
		t.Error("ready before it runs")
	}
	stop := w.run(p)
	w.write(0, "a", "b", "c")
	w.writeRaw(&kgo.Record{Value: []byte("no event")})
	w.await("the pages", func() bool { return w.committed(0) == 4 })
	if err := p.Ready(); err != nil {
		t.Error(err)
	}
	if got := testutil.ToFloat64(w.metrics.lag.WithLabelValues("phone", "0")); got != 0 {
		t.Errorf("lag %v", got)
	}
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	w.write(0, "d")
	w.run(w.pager(r))
	w.await("the page after a restart", func() bool { return w.committed(0) == 5 })
	if got := strings.Join(r.incident, " "); got != "a b c d" {
		t.Errorf("delivered %s", got)
	}
}

// A pager that may not read the topic sends no pages and must not report that it is ready.
func TestPagerThatMayNotReadIsSilent(t *testing.T) {
	w := newWorld(t, 1)
	w.write(0, "a")
	count := kafkatest.RefuseFetches(w.cluster, "", kerr.TopicAuthorizationFailed)
	p := w.pager(&receiver{})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	err := p.Run(ctx)
	if !errors.Is(err, kerr.TopicAuthorizationFailed) || !strings.Contains(err.Error(), "alert-phone: read "+wire.AlertsTopic+"/0") {
		t.Fatalf("%v", err)
	}
	if !errors.Is(p.Ready(), kerr.TopicAuthorizationFailed) {
		t.Errorf("ready: %v", p.Ready())
	}
	if n := count(); n > 20 {
		t.Errorf("%d fetches were refused before it ended", n)
	}
}

func TestPagerSpinsOnRefusedFetches(t *testing.T) {
	w := newWorld(t, 1)
	w.write(0, "a")
	count := kafkatest.RefuseFetches(w.cluster, "", kerr.UnknownServerError)
	p := w.pager(&receiver{})
	w.run(p)
	w.await("refusals", func() bool { return count() > 3 && p.Ready() != nil })
	began, before := time.Now(), count()
	w.await("a second", func() bool { return time.Since(began) > time.Second })
	if n := count() - before; n > 30 {
		t.Errorf("%d fetches in a second", n)
	}
	if err := p.Ready(); !errors.Is(err, kerr.UnknownServerError) {
		t.Errorf("ready: %v", err)
	}
}

// A receiver that is down delays its pages but not the group: a second pager gets its share of partitions, the first stays a member, and
// each page is acknowledged once.
func TestReceiverThatIsDownHoldsTheGroup(t *testing.T) {
	w := newWorld(t, 2)
	down := errors.New("no route to host")
	r := &receiver{answer: func(*incident.Page) error { return down }}
	w.write(0, "a", "b")
	w.write(1, "c", "d")
	fast := func(o *Options) {
		o.Kafka.Options = append(slices.Clone(o.Kafka.Options), kgo.HeartbeatInterval(50*time.Millisecond), kgo.RebalanceTimeout(5*time.Second))
	}
	one, two := w.pager(r, fast), w.pager(r, fast)
	w.run(one)
	w.await("attempts", func() bool { _, n := r.seen(); return n > 3 })
	began := time.Now()
	w.run(two)
	w.await("each pager to hold a partition", func() bool { return len(one.assigned()) == 1 && len(two.assigned()) == 1 })
	if took := time.Since(began); took > 4*time.Second {
		t.Errorf("the rebalance took %s", took)
	}
	if n := w.evictions(); n != 0 {
		t.Errorf("%v members were thrown out", n)
	}
	if waits := testutil.ToFloat64(w.metrics.failures.WithLabelValues("phone")); waits == 0 {
		t.Error("failed attempts are not counted")
	}
	r.setAnswer(nil)
	w.await("the pages", func() bool { return w.committed(0) == 2 && w.committed(1) == 2 })
	ids, _ := r.seen()
	if slices.Sort(ids); len(ids) != 4 || len(slices.Compact(ids)) != 4 {
		t.Errorf("%d pages were acknowledged: %v", len(ids), r.incident)
	}
}

// evictions counts the sessions of the group that ended with an error.
func (w *world) evictions() (n float64) {
	families, err := w.reg.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.Metric {
			for _, l := range m.Label {
				if f.GetName() == "flyball_kafka_errors_total" && l.GetName() == "operation" && l.GetValue() == kafka.OpGroup {
					n += m.Counter.GetValue()
				}
			}
		}
	}
	return n
}

// If a process is killed between a delivery and its commit, the page is delivered again with the same id, and the next one is delivered
// once.
func TestPagerIsKilledBetweenDeliveryAndCommit(t *testing.T) {
	for stage, want := range map[string]int{"alert.event|page": 1, "alert.page|committed": 2} {
		t.Run(stage, func(t *testing.T) {
			w := newWorld(t, 1)
			r := &receiver{}
			w.write(0, "a", "b")
			var once sync.Once
			killed := make(chan struct{})
			stop := w.run(w.pager(r, func(o *Options) {
				o.Stage = func(s string) {
					if s == stage {
						once.Do(func() { close(killed); panic(s) })
					}
				}
			}))
			<-killed
			if err := stop(); err == nil || err.Error() != "killed "+stage {
				t.Fatal(err)
			}
			w.run(w.pager(r))
			w.await("both pages", func() bool { return w.committed(0) == 2 })
			times := map[string]int{}
			for _, id := range r.ids {
				times[id]++
			}
			if len(times) != 2 || times[r.ids[0]] != want || times[r.ids[len(r.ids)-1]] != 1 {
				t.Errorf("pages %v, want the first %d times and the second once", r.incident, want)
			}
		})
	}
}

func TestRefusedPageStopsThoseBehindIt(t *testing.T) {
	w := newWorld(t, 1)
	r := &receiver{answer: func(p *incident.Page) error {
		if p.Incident == "bad" {
			return &notify.Refused{Receiver: "phone", Status: 400}
		}
		return nil
	}}
	w.write(0, "bad", "good")
	w.run(w.pager(r))
	w.await("the good one", func() bool { return w.committed(0) == 2 })
	if ids, attempts := r.seen(); len(ids) != 1 || attempts != 2 {
		t.Errorf("%d pages after %d attempts", len(ids), attempts)
	}
	if n := testutil.ToFloat64(w.metrics.undelivered.WithLabelValues("phone")); n != 1 {
		t.Errorf("%v are counted as refused", n)
	}
}

// Events that are too old for a page of a new receiver counted as unread for ever.
func TestOldEventsOfANewReceiverStayUnread(t *testing.T) {
	w := newWorld(t, 1)
	w.write(0, "a", "b")
	r := &receiver{}
	stop := w.run(w.pager(r, func(o *Options) {
		o.Since = time.Nanosecond
		later := time.Now().Add(time.Hour)
		o.Now = func() time.Time { return later }
	}))
	w.await("the commit", func() bool { return w.committed(0) == 2 })
	if err := stop(); err != nil {
		t.Fatal(err)
	}
	w.write(0, "c")
	w.run(w.pager(r))
	w.await("the new event", func() bool { return w.committed(0) == 3 })
	if ids, _ := r.seen(); len(ids) != 1 {
		t.Errorf("%d pages, want that of the new event alone", len(ids))
	}
}

// A receiver whose token has expired: the pager says so until a page is acknowledged.
func TestReceiverThatRefusesEveryPageIsCountedOnly(t *testing.T) {
	w := newWorld(t, 1)
	var refuses atomic.Bool
	refuses.Store(true)
	r := &receiver{answer: func(*incident.Page) error {
		if refuses.Load() {
			return &notify.Refused{Receiver: "phone", Status: 401}
		}
		return nil
	}}
	var mu sync.Mutex
	var settled []string
	p := w.pager(r, func(o *Options) {
		o.Settled = func(page *incident.Page, err error) {
			mu.Lock()
			defer mu.Unlock()
			settled = append(settled, fmt.Sprint(page.Incident, " ", err == nil))
		}
	})
	w.run(p)
	w.write(0, "a", "b")
	w.await("both refusals", func() bool { return w.committed(0) == 2 })
	if err := p.Problem(); err == nil || !strings.Contains(err.Error(), "2 pages were not delivered: receiver phone refused") {
		t.Errorf("trouble: %v", err)
	}
	if s := p.State(); s.Refused == nil || s.Undelivered != 2 || s.Since.IsZero() || s.Failing != nil {
		t.Errorf("%+v", s)
	}
	if n := testutil.ToFloat64(w.metrics.refusing.WithLabelValues("phone")); n != 1 {
		t.Errorf("flyball_alert_refusing is %v", n)
	}
	refuses.Store(false)
	w.write(0, "c")
	w.await("the acknowledged one", func() bool { return w.committed(0) == 3 })
	if s := p.State(); s.Refused != nil || s.Undelivered != 2 || p.Problem() != nil {
		t.Errorf("%+v", s)
	}
	if n := testutil.ToFloat64(w.metrics.refusing.WithLabelValues("phone")); n != 0 {
		t.Errorf("flyball_alert_refusing is %v", n)
	}
	mu.Lock()
	defer mu.Unlock()
	if got := strings.Join(settled, ", "); got != "a false, b false, c true" {
		t.Errorf("settled: %s", got)
	}
}

func TestEventOfANewerVersionIsSkipped(t *testing.T) {
	w := newWorld(t, 1)
	e := schema.FindingEvent(&schema.Finding{ID: "f"})
	value, err := wire.EncodeEvent(&e)
	if err != nil {
		t.Fatal(err)
	}
	w.writeRaw(&kgo.Record{Value: []byte(strings.Replace(string(value), `"v":`, `"v":9`, 1))})
	p := w.pager(&receiver{})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := p.Run(ctx); !errors.Is(err, wire.ErrNewerVersion) || p.Ready() == nil {
		t.Fatalf("%v, ready %v", err, p.Ready())
	}
}

type refresher struct {
	receiver
	open chan int
}

func (r *refresher) Refresh(_ context.Context, open []incident.Page) error {
	select {
	case r.open <- len(open):
	default:
	}
	return nil
}

func TestOpenIncidentsAreNotRefreshed(t *testing.T) {
	w := newWorld(t, 1)
	r := &refresher{open: make(chan int, 1000)}
	w.write(0, "a")
	w.run(w.pager(r, func(o *Options) { o.RefreshEvery = time.Millisecond }))
	w.await("a refresh with the incident", func() bool {
		select {
		case n := <-r.open:
			return n == 1
		default:
			return false
		}
	})
}

func TestWhereANewPagerBegins(t *testing.T) {
	at := func(offset int64) kadm.ListedOffsets {
		return kadm.ListedOffsets{wire.AlertsTopic: {0: {Topic: wire.AlertsTopic, Offset: offset}}}
	}
	for _, tc := range []struct {
		committed, end, recent, want int64
	}{
		{committed: 7, end: 10, recent: 3, want: 7},
		{committed: 11, end: 10, recent: 3, want: 0}, // the topic was deleted and created again
		{committed: -1, end: 10, recent: 3, want: 3},
		{committed: -2, end: 10, recent: -1, want: 0},
	} {
		if got := deliverFrom(0, tc.committed, at(tc.end), at(tc.recent)); got != tc.want {
			t.Errorf("%+v: from %d", tc, got)
		}
	}
	if got := deliverFrom(0, -1, nil, nil); got != 0 {
		t.Errorf("nothing is known: from %d", got)
	}
}

// Pagers of one receiver come and go while incidents open: the partition moves from one to the next, with its incidents.
func TestRebalanceOfPagersLosesOrDoublesAPage(t *testing.T) {
	w := newWorld(t, 1)
	r := &receiver{}
	fast := func(o *Options) {
		o.Kafka.Options = append(slices.Clone(o.Kafka.Options), kgo.HeartbeatInterval(50*time.Millisecond), kgo.RebalanceTimeout(5*time.Second))
	}
	var want []string
	write := func() {
		for range 3 {
			name := fmt.Sprintf("i%02d", len(want))
			want = append(want, name)
			w.write(0, name)
		}
	}
	first := w.pager(r, fast)
	stop := w.run(first)
	w.await("the first pager to hold the partition", func() bool { return len(first.assigned()) == 1 })
	for round := range 3 { // fewer incidents than have pages of their own
		write()
		next := w.pager(r, fast)
		leave := w.run(next)
		write() // while the second one joins
		if err := stop(); err != nil {
			t.Fatal(err)
		}
		write()
		w.await(fmt.Sprint("the partition to move, round ", round), func() bool { return len(next.assigned()) == 1 })
		stop = leave
	}
	w.await("the pages", func() bool { return w.committed(0) == int64(len(want)) })
	r.mu.Lock()
	defer r.mu.Unlock()
	if !slices.Equal(r.incident, want) {
		t.Errorf("acknowledged %v\nwant %v", r.incident, want)
	}
	if n := w.evictions(); n != 0 {
		t.Errorf("%v members were thrown out", n)
	}
}
