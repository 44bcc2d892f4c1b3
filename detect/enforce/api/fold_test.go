package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"flyball/detect/enforce/breaker"
	"flyball/schema"
	"flyball/schema/wire"
)

// put writes records to a topic's first partition, as anybody could.
func put(t *testing.T, k *kfake.Cluster, name, key string, values ...[]byte) (last int64) {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(k.ListenAddrs()...), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, v := range values {
		r, err := c.ProduceSync(context.Background(), &kgo.Record{Topic: name, Key: []byte(key), Value: v}).First()
		if err != nil {
			t.Fatal(err)
		}
		last = r.Offset
	}
	return last
}

// records of a topic's first partition from its start, as many as are wanted.
func records(t *testing.T, k *kfake.Cluster, name string, want int64) (out []*kgo.Record) {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(k.ListenAddrs()...),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{name: {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	for int64(len(out)) < want && ctx.Err() == nil {
		out = append(out, c.PollFetches(ctx).Records()...)
	}
	if int64(len(out)) < want {
		t.Fatalf("%d of %d records", len(out), want)
	}
	return out
}

// lines is a log that can be read while it is written.
type logLines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logLines) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}

func (r *running) end(t *testing.T, want ...string) {
	t.Helper()
	select {
	case err := <-r.ended:
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Fatalf("the point ended with %v, and without a word of %q", err, w)
			}
		}
	case <-time.After(15 * time.Second):
		t.Fatal("the point goes on")
	}
	if r.Ready() == nil {
		t.Error("a point whose fold has ended is ready")
	}
}

func TestNewerCommandEndsThePointByNameAndUntilThenTheFailureModeHolds(t *testing.T) {
	k, log := broker(t), &logLines{}
	r := launch(t, k, "a", func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(log, nil)) })
	within(t, "ready", func() bool { return r.Ready() == nil })
	r.must(t, "POST", "/v1/breakers/trip", TripRequest{Scope: schema.Scope{Kind: schema.ScopeCredential, Value: "support"}, UntilReset: true, Force: true, Reason: "x"})
	at := put(t, k, wire.CommandsTopic, "", []byte(`{"v":99,"body":{}}`))
	r.end(t, wire.CommandsTopic, fmt.Sprintf("offset %d", at), "version 99")
	if log.count("cannot go on") != 1 || log.count("version 99") == 0 {
		t.Error("nothing in the log says why the point ended")
	}
	for _, tc := range []struct {
		agent, method string
		want          int
	}{{"billing", "GET", 200}, {"billing", "DELETE", 403}, {"support", "GET", 403}} {
		if v := r.ask(tc.agent, "r", tc.method, "/v1/orders/1", ""); v.status != tc.want {
			t.Errorf("%s of %s by a point that has ended: %+v", tc.method, tc.agent, v)
		}
	}
	trip := TripRequest{Scope: schema.Scope{Kind: schema.ScopeAgent, Value: "x"}, UntilReset: true, Force: true, Reason: "x"}
	if code, text := r.operate(t, "POST", "/v1/breakers/trip", trip, ""); code != 503 || !strings.Contains(text, "version 99") {
		t.Errorf("a command to a point that has ended: %d %s", code, text)
	}
	again := launch(t, k, "a", nil)
	again.end(t, wire.CommandsTopic, fmt.Sprintf("offset %d", at), "version 99")
}

func TestNewerSnapshotEndsThePointByNameAndABrokenOneIsPassedOver(t *testing.T) {
	k := broker(t)
	put(t, k, wire.BreakersTopic, "snapshot", []byte(`{"v":3,"body":{"offset":"x"}}`), []byte("\x00garbage"))
	r := run(t, k, "a", nil)
	if n := testutil.ToFloat64(r.m.malformed.WithLabelValues("snapshot")); n != 2 {
		t.Errorf("%v snapshots were counted", n)
	}
	put(t, k, wire.BreakersTopic, "snapshot", []byte(`{"v":99,"body":{}}`))
	launch(t, k, "b", nil).end(t, wire.BreakersTopic, "offset 2", "version 99")
}

// What no release writes is passed over by all, so that they stay the same.
func TestForgedCommandIsPassedOverAndCounted(t *testing.T) {
	k := broker(t)
	a, b := run(t, k, "a", nil), run(t, k, "b", nil)
	put(t, k, wire.CommandsTopic, "", []byte(`{"v":2,"body":{"id":"1","kind":"teleport"}}`),
		[]byte(`{"v":2,"body":{"id":"2","kind":"settings","tenant":"t","reason":"x","settings":{"trips_per_hour":0}}}`),
		[]byte(`{"v":1,"body":[]}`), []byte("\xff"))
	a.must(t, "POST", "/v1/breakers/trip", TripRequest{Scope: schema.Scope{Kind: schema.ScopeAgent, Value: "x"}, UntilReset: true, Force: true, Reason: "x"})
	for _, r := range []*running{a, b} {
		within(t, "the trip is folded", func() bool { return len(r.lines(false)) == 1 })
		for _, why := range []string{"unknown_kind", "malformed"} {
			if n := testutil.ToFloat64(r.m.malformed.WithLabelValues(why)); n != 2 {
				t.Errorf("%s: %v are counted", why, n)
			}
		}
		if s := r.settingsLine("t"); s.TripsPerHour != breaker.DefaultBudget().PerHour {
			t.Errorf("settings of version 2 were taken: %+v", s)
		}
	}
	if a.Audit() != b.Audit() {
		t.Error("the points have different trails")
	}
}

func heartbeat(t *testing.T, name string, reads int, at int64) []byte {
	b, err := wire.EncodeDocument(wire.PointVersion, &schema.PointState{Point: name, At: at, Reads: reads})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestOldPointBesideANewOneIsNeverGivenWhatItCannotRead(t *testing.T) {
	k := broker(t)
	put(t, k, wire.PointsTopic, "old", heartbeat(t, "old", 0, time.Now().UnixNano()))
	r := run(t, k, "new", nil)
	within(t, "the heartbeats are read", r.others.read.Load)
	trips := 3
	code, text := r.operate(t, "POST", "/v1/settings", ChangeSettingsRequest{TripsPerHour: &trips, Reason: "x"}, "")
	if code != 409 || !strings.Contains(text, "old") || strings.Contains(text, "new,") {
		t.Fatalf("%d %s", code, text)
	}
	r.manifest(t, billing)
	if s := r.settingsLine("t"); s.Generation != 0 {
		t.Fatalf("settings were written beside an old point: %+v", s)
	}
	for _, rec := range records(t, k, wire.CommandsTopic, r.Point().Applied+1) {
		var head struct{ V int }
		if err := json.Unmarshal(rec.Value, &head); err != nil || head.V > 2 {
			t.Errorf("offset %d cannot be read by the version before: %.80s", rec.Offset, rec.Value)
		}
	}
	put(t, k, wire.PointsTopic, "old", heartbeat(t, "old", schema.CommandsFeature, time.Now().UnixNano()))
	within(t, "the settings are written once the other point is upgraded", func() bool { return r.settingsLine("t").Generation != 0 })
	r.must(t, "POST", "/v1/settings", ChangeSettingsRequest{TripsPerHour: &trips, Reason: "x"})
	if s := r.settingsLine("t"); s.TripsPerHour != 3 || s.AgentsPercent != 10 || !s.Differ {
		t.Errorf("%+v", s)
	}
}

// runaways trips as many agents, and says what became of each.
func (r *running) runaways(t *testing.T, first, n int) (outcomes []string) {
	t.Helper()
	for i := range n {
		id := fmt.Sprint("d", first+i)
		scope := schema.Scope{Kind: schema.ScopeCredential, Value: id}
		got, err := r.Submit(context.Background(), schema.Command{ID: id, Kind: schema.CommandTrip, Tenant: "t", Scope: scope,
			TTL: int64(time.Hour), ActiveAgents: 1000, Reason: "x",
			Decision: &schema.Decision{ID: id, Mode: schema.ModeArmed, Action: schema.ActionDeny, Scope: scope, AgentID: id, CredentialID: id}})
		if err != nil {
			t.Fatal(err)
		}
		outcomes = append(outcomes, string(got.Code))
	}
	return outcomes
}

func (c *Control) became(ids int) (out []string) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for i := range ids {
		r, _ := c.state.Result(fmt.Sprint("d", i))
		out = append(out, string(r.Code))
	}
	return out
}

func TestBudgetOfTheFileChangedAndRestartedDecidesNothingAnew(t *testing.T) {
	k := broker(t)
	a := run(t, k, "a", nil)
	within(t, "the settings of the file stand", func() bool { return a.settingsLine("t").Generation != 0 })
	want := strings.Join(a.runaways(t, 0, 8), " ")
	if strings.Count(want, "applied") != 5 || strings.Count(want, "trip_withheld") != 3 {
		t.Fatal(want)
	}
	before := a.Audit()
	a.stop()
	log := &logLines{}
	b := run(t, k, "a", func(o *Options) {
		o.Budget, o.Logger = breaker.Budget{PerHour: 1000, Percent: 100}, slog.New(slog.NewTextHandler(log, nil))
	})
	if got := strings.Join(b.became(8), " "); got != want {
		t.Errorf("before the restart %s, after it %s", want, got)
	}
	b.mu.RLock()
	e, ok := b.state.EntryAt(before.Seq)
	b.mu.RUnlock()
	if !ok || e.Hash != before.Hash {
		t.Errorf("the trail is another one: %+v, before the restart %+v", e, before)
	}
	if out := b.runaways(t, 8, 1); out[0] != "trip_withheld" {
		t.Errorf("the file's budget holds against the log's: %s", out)
	}
	within(t, "the point says that its file differs", func() bool {
		return log.count("is not what holds") > 0 && testutil.ToFloat64(b.m.settingsDiffer) == 1 && b.Status().Settings.Differ
	})
	trips := 20
	b.must(t, "POST", "/v1/settings", ChangeSettingsRequest{TripsPerHour: &trips, Reason: "a busy week", By: "ann"})
	if out := b.runaways(t, 9, 1); out[0] != "applied" {
		t.Errorf("after the settings were changed: %s", out)
	}
	if log.count("is not what holds") != 1 {
		t.Error("it is not said once")
	}
}

func TestTwoPointsWithDifferentFilesComeToTheSameState(t *testing.T) {
	k := broker(t)
	a := launch(t, k, "a", func(o *Options) { o.Budget = breaker.Budget{PerHour: 2, Percent: 100} })
	b := launch(t, k, "b", func(o *Options) { o.Budget = breaker.Budget{PerHour: 1000, Percent: 100} })
	for _, r := range []*running{a, b} {
		within(t, "settings", func() bool { return r.settingsLine("t").Generation != 0 })
	}
	if x, y := a.settingsLine("t"), b.settingsLine("t"); x.TenantSettings != y.TenantSettings || x.Differ == y.Differ {
		t.Fatalf("%+v\n%+v", x, y)
	}
	a.runaways(t, 0, 5)
	end := a.Audit()
	within(t, "the other point has folded it", func() bool { return b.Audit().Seq >= end.Seq })
	if x, y := strings.Join(a.became(5), " "), strings.Join(b.became(5), " "); x != y || a.Audit() != b.Audit() {
		t.Errorf("%s and %s", x, y)
	}
}

func TestOnlyAnAdminChangesSettings(t *testing.T) {
	r := run(t, broker(t), "a", func(o *Options) {
		for name, role := range map[string]Role{"v": Viewer, "r": Responder, "a": Admin} {
			o.Tokens = append(o.Tokens, Token{Name: name, Role: role, Hash: hashOf(name)})
		}
	})
	within(t, "settings", func() bool { return r.settingsLine("t").Generation != 0 })
	n, tooMany := 7, 101
	for token, want := range map[string]int{"v": 403, "r": 403, "a": 200} {
		if code, text := r.operate(t, "POST", "/v1/settings", ChangeSettingsRequest{TripsPerHour: &n, Reason: "x"}, token); code != want {
			t.Errorf("%s: %d %s", token, code, text)
		}
	}
	for _, bad := range []ChangeSettingsRequest{{Reason: "x"}, {TripsPerHour: &n}, {AgentsPercent: &tooMany, Reason: "x"}} {
		if code, text := r.operate(t, "POST", "/v1/settings", bad, "a"); code != 400 {
			t.Errorf("%+v: %d %s", bad, code, text)
		}
	}
	code, text := r.operate(t, "GET", "/v1/settings", nil, "v")
	if code != 200 || !strings.Contains(text, `"trips_per_hour":7`) || !strings.Contains(text, `"by":"a"`) {
		t.Errorf("%d %s", code, text)
	}
}

// link is the way between one point and the broker: it can stand still, or take long.
type link struct {
	mu    sync.Mutex
	open  chan struct{}
	delay atomic.Int64
}

func newLink() *link { l := &link{open: make(chan struct{})}; close(l.open); return l }

func (l *link) use(o *Options) {
	o.Kafka = append(o.Kafka, kgo.Dialer(func(ctx context.Context, network, host string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, host)
		return &linked{c, l}, err
	}))
}

func (l *link) stop() { l.mu.Lock(); l.open = make(chan struct{}); l.mu.Unlock() }
func (l *link) goOn() { l.mu.Lock(); close(l.open); l.mu.Unlock() }
func (l *link) pass() {
	l.mu.Lock()
	open := l.open
	l.mu.Unlock()
	<-open
}

type linked struct {
	net.Conn
	l *link
}

func (c *linked) Write(p []byte) (int, error) {
	c.l.pass()
	time.Sleep(time.Duration(c.l.delay.Load()))
	return c.Conn.Write(p)
}

func (c *linked) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.l.pass()
	return n, err
}

// given is how much of a quota the log has given out.
func (c *Control) given() (n int64) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, q := range c.state.Quotas.List(c.state.Position.Time) {
		n += q.Units
	}
	return n
}

const quotaOfOneAgent = `version: 1
agent: billing
scope: {routes: ["GET /**", "PATCH /v1/orders/{id}", "DELETE /v1/orders/{order_id}"]}
autonomy: [{routes: ["DELETE /v1/orders/{order_id}"], ask: never}]
quotas: [{name: all, calls: 100, per: 744h, routes: ["GET /**", "PATCH /**", "DELETE /**"]}]
`

func TestOutageBurnsAtMostOneLeaseAndTheFailureModeDecidesMeanwhile(t *testing.T) {
	k, l := broker(t), newLink()
	r := run(t, k, "a", l.use)
	r.manifest(t, quotaOfOneAgent)
	if v := r.ask("billing", "r", "GET", "/v1/orders/1", ""); v.status != 200 {
		t.Fatalf("%+v", v)
	}
	l.stop()
	for r.ask("billing", "r", "GET", "/v1/orders/1", "").why == "clear" { // what the point still held
	}
	within(t, "the log counts as away", func() bool {
		v := r.ask("billing", "r", "GET", "/v1/orders/1", "")
		return v.status == 200 && v.why == whyQuotaAway
	})
	given, began := r.given(), time.Now()
	for range 200 {
		if v := r.ask("billing", "r", "GET", "/v1/orders/1", ""); v.status != 200 || v.why != whyQuotaAway {
			t.Fatalf("a read while the log is away: %+v", v)
		}
		v := r.ask("billing", "r", "DELETE", "/v1/orders/1", "")
		if v.status != 403 || !strings.Contains(v.why, "log_away") {
			t.Fatalf("an irreversible call while the log is away: %+v", v)
		}
	}
	if took := time.Since(began); took > 200*claimWithin/2 {
		t.Errorf("400 calls waited %s for a log that is known to be away", took)
	}
	l.goOn()
	within(t, "the log answers", func() bool {
		r.mu.RLock()
		defer r.mu.RUnlock()
		return !r.stale()
	})
	// What stands in the log before this one is folded after it.
	r.must(t, "POST", "/v1/breakers/trip", TripRequest{Scope: schema.Scope{Kind: schema.ScopeAgent, Value: "x"}, UntilReset: true, Force: true, Reason: "x"})
	if n := r.given() - given; n > 2 {
		t.Errorf("%d of a quota of 100 were given out in the outage; a lease is 2", n)
	}
	for range 30 { // a busy machine may be late; what is refused for good is not
		within(t, "a call passes after the outage", func() bool {
			v := r.ask("billing", "r", "PATCH", "/v1/orders/1", "")
			if v.status != 200 && v.why != whyQuotaLate {
				t.Fatalf("%+v", v)
			}
			return v.status == 200 && v.why == "clear"
		})
	}
	if n := r.given() - given; n > 32 {
		t.Errorf("%d units were given out for 30 calls: what came late was lost", n)
	}
}

// A lease whose answer comes after the call has been answered is not lost.
func TestBrokerThatAnswersInTwoSecondsLosesNothingOfAQuota(t *testing.T) {
	t.Parallel()
	k, l := broker(t), newLink()
	r := run(t, k, "a", l.use)
	r.manifest(t, quotaOfOneAgent)
	l.delay.Store(int64(2 * time.Second))
	passed := 0
	for end := time.Now().Add(60 * time.Second); passed < 4 && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if v := r.ask("billing", "r", "PATCH", "/v1/orders/1", ""); v.status == 200 && v.why == "clear" {
			passed++
		}
	}
	if passed < 4 {
		t.Fatalf("%d calls passed", passed)
	}
	l.delay.Store(0)
	within(t, "what is on its way is folded", func() bool {
		r.leases.mu.Lock()
		defer r.leases.mu.Unlock()
		return len(r.leases.asked) == 0
	})
	if n := r.given(); n > int64(passed)+2 {
		t.Errorf("%d units were given out for %d calls", n, passed)
	}
}

func TestPausedPointIsStaleUntilItHasCaughtUp(t *testing.T) {
	c, at := point(t, func(o *Options) { o.Armed = func(string, string) bool { return true } })
	c.folded()
	c.ticks.session = "t_x_"
	c.ticks.sent.Store(7)
	tick := func(offset, n int64, by string) {
		t.Helper()
		value, err := wire.EncodeCommand(&schema.Command{ID: fmt.Sprint("t_", by, "_", n), Kind: schema.CommandTick})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.fold(&kgo.Record{Topic: wire.CommandsTopic, Offset: offset, Timestamp: at.at, Value: value}); err != nil {
			t.Fatal(err)
		}
	}
	stale := func() bool { c.mu.RLock(); defer c.mu.RUnlock(); return c.stale() }
	if tick(1, 7, "x"); stale() {
		t.Fatal("stale while the log speaks")
	}
	at.at = at.at.Add(time.Minute) // the process stood still
	if !stale() {
		t.Error("a point that stood still for a minute answers as if it knew")
	}
	tick(2, 7, "x")     // written before
	tick(3, 1000, "yy") // of another point, of that time
	if !stale() {
		t.Error("it answers as if it knew after the first old record")
	}
	if w := ask(c, map[string]string{"X-Original-Method": "GET", "X-Original-URI": "/"}); w.Header().Get("X-Flyball-Stale") != "1" {
		t.Errorf("%v", w.Header())
	}
	if tick(4, 8, "x"); stale() {
		t.Error("it has caught up and does not say so")
	}
}

func TestClockOfOnePointIsSetByAnHour(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(step.String(), func(t *testing.T) {
			t.Parallel()
			k, l := broker(t), newLink()
			var off atomic.Int64
			now := func() time.Time { return time.Now().Add(time.Duration(off.Load())) }
			log := &logLines{}
			r := run(t, k, "a", func(o *Options) {
				l.use(o)
				o.Now, o.Logger = now, slog.New(slog.NewTextHandler(log, nil))
			})
			r.manifest(t, quotaOfOneAgent+"\n")
			r.must(t, "POST", "/v1/breakers/trip", TripRequest{Scope: schema.Scope{Kind: schema.ScopeCredential, Value: "support"}, TTL: 600, Force: true, Reason: "x"})
			off.Store(int64(step))
			within(t, "the point knows that it has caught up", func() bool { return !r.Status().Stale })
			if len(r.lines(false)) != 1 || r.ask("support", "r", "GET", "/", "").status != 403 {
				t.Error("a breaker closed because a point's clock was set")
			}
			if v := r.ask("billing", "r", "PATCH", "/v1/orders/1", ""); v.status != 200 || v.why != "clear" {
				t.Errorf("%+v", v)
			}
			if r.asks.first("x", schema.StandingEstablished, now(), time.Second) != askNow {
				t.Error("a question is not asked")
			}
			off.Store(0)
			if step > 0 && r.asks.first("x", schema.StandingEstablished, now(), time.Second) != askNow {
				t.Error("a question waits for an hour because the clock was set back")
			}
			within(t, "again", func() bool { return !r.Status().Stale })
			l.stop()
			off.Store(int64(step))
			if !r.Status().Stale {
				t.Error("a silent log is believed for an hour")
			}
			within(t, "the silence is logged", func() bool { return log.count("does not speak") > 0 })
			l.goOn()
			within(t, "and its end", func() bool { return log.count("speaks again") > 0 })
		})
	}
}

func TestLostTailOfTheCommandsIsSaidAndTripsWorkAtOnce(t *testing.T) {
	k := broker(t)
	a := run(t, k, "a", nil)
	within(t, "settings", func() bool { return a.settingsLine("t").Generation != 0 })
	a.must(t, "POST", "/v1/breakers/trip", TripRequest{Scope: schema.Scope{Kind: schema.ScopeCredential, Value: "support"}, UntilReset: true, Force: true, Reason: "x"})
	a.runaways(t, 0, 20)
	a.store(context.Background())
	within(t, "the state is stored", func() bool { return k.PartitionInfo(wire.BreakersTopic, 0).HighWatermark > 0 })
	a.stop()
	stored, log := records(t, k, wire.BreakersTopic, 1), records(t, k, wire.CommandsTopic, a.Point().Applied+1)
	cut := broker(t) // the same log, of which only the first five records came through
	put(t, cut, wire.BreakersTopic, "snapshot", stored[0].Value)
	for _, r := range log[:5] {
		put(t, cut, wire.CommandsTopic, "", r.Value)
	}
	text := &logLines{}
	b := run(t, cut, "a", func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(text, nil)) })
	if text.count("its tail was lost") != 1 || testutil.ToFloat64(b.m.lost.WithLabelValues("tail")) < 10 {
		t.Error("nothing says that commands were lost")
	}
	generations := map[uint64]bool{}
	for _, l := range b.lines(true) {
		generations[l.Generation] = true
	}
	began := time.Now()
	b.must(t, "POST", "/v1/breakers/trip", TripRequest{Scope: schema.Scope{Kind: schema.ScopeCredential, Value: "billing"}, UntilReset: true, Force: true, Reason: "x"})
	if v := b.ask("billing", "r", "GET", "/", ""); v.status != 403 || time.Since(began) > 2*time.Second {
		t.Errorf("%s after the trip: %+v", time.Since(began), v)
	}
	if v := b.ask("support", "r", "GET", "/", ""); v.status != 403 {
		t.Errorf("what was folded before is forgotten: %+v", v)
	}
	if g := b.lines(false)[0].Generation; generations[g] {
		t.Errorf("generation %d is given twice", g)
	}
	b.store(context.Background())
	within(t, "the state is stored", func() bool { return cut.PartitionInfo(wire.BreakersTopic, 0).HighWatermark > 1 })
	end := b.Audit()
	b.stop()
	c := run(t, cut, "a", nil)
	if n := testutil.ToFloat64(c.m.lost.WithLabelValues("tail")); n != 0 || len(c.lines(false)) != len(b.lines(false)) || c.Audit() != end {
		t.Errorf("%v lost at the next start; %+v and %+v", n, c.Audit(), end)
	}
}

func TestMissingRightsEndThePointByName(t *testing.T) {
	for name, refuse := range map[string]func(*kfake.Cluster){
		"to read": func(k *kfake.Cluster) {
			k.ControlKey(int16(kmsg.Fetch), func(q kmsg.Request) (kmsg.Response, error, bool) {
				k.KeepControl()
				req := q.(*kmsg.FetchRequest)
				resp := req.ResponseKind().(*kmsg.FetchResponse)
				for _, rt := range req.Topics {
					st := kmsg.NewFetchResponseTopic()
					st.Topic, st.TopicID = rt.Topic, rt.TopicID
					for _, rp := range rt.Partitions {
						sp := kmsg.NewFetchResponseTopicPartition()
						sp.Partition, sp.ErrorCode = rp.Partition, kerr.TopicAuthorizationFailed.Code
						st.Partitions = append(st.Partitions, sp)
					}
					resp.Topics = append(resp.Topics, st)
				}
				return resp, nil, true
			})
		},
		"to write": func(k *kfake.Cluster) {
			k.ControlKey(int16(kmsg.Produce), func(q kmsg.Request) (kmsg.Response, error, bool) {
				k.KeepControl()
				req := q.(*kmsg.ProduceRequest)
				resp := req.ResponseKind().(*kmsg.ProduceResponse)
				for _, rt := range req.Topics {
					st := kmsg.NewProduceResponseTopic()
					st.Topic, st.TopicID = rt.Topic, rt.TopicID
					for _, rp := range rt.Partitions {
						sp := kmsg.NewProduceResponseTopicPartition()
						sp.Partition, sp.ErrorCode = rp.Partition, kerr.TopicAuthorizationFailed.Code
						st.Partitions = append(st.Partitions, sp)
					}
					resp.Topics = append(resp.Topics, st)
				}
				return resp, nil, true
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			k := broker(t)
			put(t, k, wire.BreakersTopic, "snapshot", []byte("x"))
			refuse(k)
			launch(t, k, "a", nil).end(t, "flyball.", "AUTHORIZATION")
		})
	}
}

func TestAuditOfTheLogIsComparedAtAnyOfItsLastEntries(t *testing.T) {
	r := run(t, broker(t), "a", nil)
	within(t, "settings", func() bool { return r.settingsLine("t").Generation != 0 })
	r.runaways(t, 0, 4)
	var end AuditEnd
	w := httptest.NewRecorder()
	r.APIHandler().ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1/v1/audit?at=3", nil))
	if err := json.Unmarshal(w.Body.Bytes(), &end); err != nil || end.At == nil || end.Next == nil {
		t.Fatalf("%v %s", err, w.Body)
	}
	if end.Seq != 5 || end.At.Seq != 3 || end.Next.Seq != 4 || end.Hash == end.At.Hash || end.Stale || end.Clock == 0 {
		t.Errorf("%s", w.Body)
	}
}
