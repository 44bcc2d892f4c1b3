package api

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/enforce/breaker"
	"flyball/detect/enforce/ledger"
	"flyball/schema"
	"flyball/schema/identity"
	"flyball/schema/route"
	"flyball/schema/wire"
)

// broker is an in-memory Kafka with the topics that points use.
func broker(t *testing.T) *kfake.Cluster {
	t.Helper()
	k, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, wire.CommandsTopic, wire.BreakersTopic, wire.PointsTopic), kfake.SeedTopics(4, wire.CallsTopic, wire.EventsTopic))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	return k
}

// running is a point that folds a log.
type running struct {
	*Control
	stop  func()
	ended chan error // what Run returned
}

func run(t *testing.T, k *kfake.Cluster, name string, change func(*Options)) *running {
	t.Helper()
	r := launch(t, k, name, change)
	t.Cleanup(func() {
		r.stop()
		if err := <-r.ended; err != nil {
			t.Error(err)
		}
	})
	within(t, "ready", func() bool { return r.Ready() == nil })
	return r
}

// launch is run for a point that may end by itself.
func launch(t *testing.T, k *kfake.Cluster, name string, change func(*Options)) *running {
	t.Helper()
	key := identity.Key(strings.Repeat("k", 32))
	id, err := identity.NewResolver(identity.Options{Tenant: "t", Key: key, Registry: []identity.Entry{{Agent: "billing", Consumer: "billing"}, {Agent: "support", Consumer: "support"}}})
	if err != nil {
		t.Fatal(err)
	}
	table, err := route.NewTable(route.Options{Version: "test", DigestKey: key, Operator: []route.Rule{
		{Method: "DELETE", Template: "/v1/orders/{order_id}", Effect: schema.EffectDelete, Reversibility: schema.Irreversible, Resources: []string{"order_id:order"}},
		{Method: "POST", Template: "/v1/refunds", Effect: schema.EffectPay, Reversibility: schema.Irreversible, Amount: "arg:amount", Currency: "arg:currency"}}})
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Kafka: []kgo.Opt{kgo.SeedBrokers(k.ListenAddrs()...)}, Name: name, Tenant: "t", Partitions: 4, Resolver: id, Routes: table, Now: time.Now, Logger: slog.New(slog.DiscardHandler),
		Budget: breaker.DefaultBudget(), Armed: func(string, string) bool { return true }}
	if change != nil {
		change(&o)
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(done)
		ended <- c.Run(ctx)
	}()
	r := &running{Control: c, ended: ended, stop: sync.OnceFunc(func() { cancel(); <-done })}
	t.Cleanup(r.stop)
	return r
}

// Audit is the end of the trail as the point has folded it.
func (c *Control) Audit() ledger.Chain {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.state.Audit
}

func within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(15 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 15 s: %s", what)
		}
	}
}

type verdict struct {
	status int
	why    string
	gate   string
	would  string
	body   map[string]any
}

func (r *running) ask(agent, runKey, method, path, body string, headers ...string) verdict {
	q := httptest.NewRequest("POST", "/check", strings.NewReader(body))
	for k, v := range map[string]string{"X-Original-Method": method, "X-Original-URI": path, "X-Consumer": agent, "X-Agent-Run-Id": runKey} {
		q.Header.Set(k, v)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		q.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	r.CheckHandler().ServeHTTP(w, q)
	v := verdict{status: w.Code, why: w.Header().Get("X-Flyball-Why"), gate: w.Header().Get("X-Flyball-Gate"), would: w.Header().Get("X-Flyball-Would")}
	_ = json.Unmarshal(w.Body.Bytes(), &v.body)
	return v
}

// operate does what an operator does, over the API of a point.
func (r *running) operate(t *testing.T, method, path string, body any, token string) (int, string) {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	q := httptest.NewRequest(method, "http://127.0.0.1"+path, strings.NewReader(string(b)))
	q.Header.Set("Content-Type", "application/json")
	if token != "" {
		q.Header.Set("Authorization", "Bearer "+token)
	}
	w := httptest.NewRecorder()
	r.APIHandler().ServeHTTP(w, q)
	return w.Code, w.Body.String()
}

func (r *running) must(t *testing.T, method, path string, body any) {
	t.Helper()
	if code, text := r.operate(t, method, path, body, ""); code != 200 {
		t.Fatalf("%s %s: %d %s", method, path, code, text)
	}
}

const billing = `version: 1
agent: billing
scope: {routes: [GET /**, POST /v1/refunds, "DELETE /v1/orders/{order_id}", "PATCH /v1/orders/{id}"]}
autonomy: [{routes: [POST /v1/refunds], alone_below: 50, currency: EUR}]
quotas: [{name: notes, calls: 100, per: 744h, routes: ["PATCH /v1/orders/{id}"]}]
`

func (r *running) manifest(t *testing.T, text string) {
	r.must(t, "PUT", "/v1/manifests", PutManifestRequest{Text: text, Reason: "test"})
}

func TestIrreversibleCallIsHeldGrantedAndPassesOnce(t *testing.T) {
	k := broker(t)
	a, b := run(t, k, "a", nil), run(t, k, "b", nil)
	a.manifest(t, billing)
	within(t, "the manifest is at the other point", func() bool { return len(b.manifests()) == 1 })
	held := a.ask("billing", "r1", "DELETE", "/v1/orders/7", "")
	if held.status != 403 || held.why != "policy.autonomy:irreversible_not_granted" || held.gate == "" || held.body["type"] != "urn:flyball:problem:step-up" {
		t.Fatalf("%+v", held)
	}
	within(t, "the question is at the other point", func() bool { return b.gateOf(held.gate) != nil })
	if again := b.ask("billing", "r1", "DELETE", "/v1/orders/8", ""); again.status != 403 || again.gate != held.gate {
		t.Fatalf("the same run and route asked again: %+v", again)
	}
	b.must(t, "POST", "/v1/grants/"+held.gate+"/grant", GrantRequest{Reason: "the customer is right"})
	within(t, "the yes is at the first point", func() bool { return a.gateOf(held.gate).State == schema.GateGranted })
	if other := a.ask("billing", "r1", "DELETE", "/v1/orders/8", ""); other.status != 403 {
		t.Fatalf("a yes to order 7 let order 8 pass: %+v", other)
	}
	// Both points race for the one use.
	var passed atomic.Int32
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			if v := []*running{a, b}[i%2].ask("billing", "r1", "DELETE", "/v1/orders/7", ""); v.status == 200 {
				passed.Add(1)
			}
		})
	}
	all.Wait()
	if passed.Load() != 1 {
		t.Fatalf("one yes let %d calls pass", passed.Load())
	}
}

func TestAmountDecidesWhetherARefundAsks(t *testing.T) {
	r := run(t, broker(t), "a", nil)
	r.manifest(t, billing)
	for body, want := range map[string]string{
		`{"amount": 49.99, "currency": "EUR"}`: "",
		`{"amount": 50, "currency": "EUR"}`:    "policy.autonomy:amount_above",
		`{"amount": 20, "currency": "USD"}`:    "policy.autonomy:currency_differs",
		`{"amount": "a lot"}`:                  "policy.autonomy:amount_unknown",
		``:                                     "policy.autonomy:amount_unknown",
		`{"amount": 5` + strings.Repeat(" ", MaxBody) + `}`: "policy.autonomy:amount_unknown",
	} {
		v := r.ask("billing", "r"+fmt.Sprint(rand.Uint64()), "POST", "/v1/refunds", body)
		if (v.status == 200) != (want == "") || want != "" && v.why != want {
			t.Errorf("%.40s: %d %s, want %s", body, v.status, v.why, want)
		}
	}
}

func TestObserveModeTellsWhatItWouldHaveDone(t *testing.T) {
	k := broker(t)
	r := run(t, k, "a", func(o *Options) { o.Armed = func(_, family string) bool { return family == "policy.hours" } })
	r.manifest(t, billing)
	v := r.ask("billing", "r1", "DELETE", "/v1/orders/7", "")
	if v.status != 200 || v.would != "gate policy.autonomy:irreversible_not_granted" {
		t.Fatalf("%+v", v)
	}
	if len(r.gates()) != 0 {
		t.Fatal("somebody was asked")
	}
	// It stands in flyball.events as an armed one would.
	c, err := kgo.NewClient(kgo.SeedBrokers(k.ListenAddrs()...), kgo.ConsumeTopics(wire.EventsTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	within(t, "the event", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		for _, rec := range c.PollFetches(ctx).Records() {
			if e, err := wire.DecodeEvent(rec.Value); err == nil && e.Gate != nil && e.Gate.Mode == schema.ModeObserve && e.Gate.Resource == "order:7" {
				return true
			}
		}
		return false
	})
}

func TestEightPointsNeverPassAQuotaTogether(t *testing.T) {
	k := broker(t)
	var points [8]*running
	for i := range points {
		points[i] = run(t, k, fmt.Sprint("p", i), nil)
	}
	points[0].manifest(t, billing)
	for _, p := range points {
		within(t, "the manifest is everywhere", func() bool { return len(p.manifests()) == 1 })
	}
	var passed atomic.Int32
	var all sync.WaitGroup
	for i, p := range points {
		for j := range 4 {
			all.Go(func() {
				for n := range 30 {
					if v := p.ask("billing", fmt.Sprint("r", i, j, n), "PATCH", "/v1/orders/7", ""); v.status == 200 {
						passed.Add(1)
					}
					if j == 0 && n == 10 && i%3 == 0 {
						points[i].leases.mu.Lock()
						for of := range points[i].leases.all {
							clear(points[i].leases.all[of])
						} // as if it had died: what it held is lost
						points[i].leases.mu.Unlock()
					}
				}
			})
		}
	}
	all.Wait()
	if n := passed.Load(); n > 100 || n < 60 {
		t.Fatalf("%d of a quota of 100 passed", n)
	}
	if v := points[3].ask("billing", "last", "PATCH", "/v1/orders/7", ""); v.status != 403 || v.why != "policy.quota:spent" {
		t.Fatalf("%+v", v)
	}
}

func TestTaskNarrowsAndItsEndEnds(t *testing.T) {
	r := run(t, broker(t), "a", func(o *Options) {
		o.Tokens = []Token{{Name: "orchestrator", Role: Orchestrator, Hash: hashOf("o")}, {Name: "agent", Role: Viewer, Hash: hashOf("v")}, {Name: "admin", Role: Admin, Hash: hashOf("a")}}
	})
	if code, text := r.operate(t, "PUT", "/v1/manifests", PutManifestRequest{Text: billing, Reason: "x"}, "a"); code != 200 {
		t.Fatal(code, text)
	}
	task := DeclareTaskRequest{RunKey: "r1", Agent: "billing", Targets: []string{"order:7"}, Seconds: 600}
	if code, _ := r.operate(t, "POST", "/v1/runs", task, "v"); code != 403 {
		t.Fatalf("an agent's own credential declared a task: %d", code)
	}
	code, text := r.operate(t, "POST", "/v1/runs", task, "o")
	if code != 200 {
		t.Fatal(code, text)
	}
	var d ChangeResult
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatal(err)
	}
	if v := r.ask("billing", "r1", "DELETE", "/v1/orders/8", ""); v.status != 403 || v.why != "policy.task:target_outside" {
		t.Fatalf("%+v", v)
	}
	if v := r.ask("billing", "r1", "GET", "/v1/orders/8", ""); v.status != 200 {
		t.Fatalf("%+v", v)
	}
	if code, text := r.operate(t, "POST", "/v1/runs/"+d.Ref+"/end", EndTaskRequest{}, "o"); code != 200 {
		t.Fatal(code, text)
	}
	if v := r.ask("billing", "r1", "GET", "/v1/orders/8", ""); v.status != 403 || v.why != "policy.task:after_task" {
		t.Fatalf("after its task: %+v", v)
	}
}

func TestTaskOfAnAgentWithoutAManifestHolds(t *testing.T) {
	r := run(t, broker(t), "a", nil)
	r.must(t, "POST", "/v1/runs", DeclareTaskRequest{RunKey: "r1", Agent: "support", Targets: []string{"order:7"}, Seconds: 600})
	for path, want := range map[string]int{"/v1/orders/7": 200, "/v1/orders/8": 403} {
		if v := r.ask("support", "r1", "DELETE", path, ""); v.status != want {
			t.Errorf("%s: %+v", path, v)
		}
	}
}

func TestRestartInTheMiddleOfAProbe(t *testing.T) {
	k := broker(t)
	a := run(t, k, "a", nil)
	scope := schema.Scope{Kind: schema.ScopeCredential, Value: "billing"}
	trip := schema.Command{ID: "d", Kind: schema.CommandTrip, Tenant: "t", Scope: scope, TTL: int64(time.Second), ActiveAgents: 1,
		Decision: &schema.Decision{ID: "d", Mode: schema.ModeArmed, Action: schema.ActionDeny, Scope: scope, AgentID: "billing", CredentialID: "billing"}}
	if _, err := a.Submit(context.Background(), trip); err != nil {
		t.Fatal(err)
	}
	half := func(r *running) bool {
		l := r.lines(false)
		return len(l) == 1 && l[0].State == schema.BreakerHalfOpen
	}
	within(t, "half open", func() bool { return half(a) })
	passed := 0
	for range 5 {
		if v := a.ask("billing", "r", "GET", "/v1/orders/1", ""); v.status == 200 {
			passed++
		}
	}
	if passed != 1 {
		t.Fatalf("%d reads passed as one probe", passed)
	}
	a.stop()
	b := run(t, k, "a", nil)
	if !half(b) || b.lines(false)[0].Probes != 1 {
		t.Fatalf("after a restart: %+v", b.lines(false))
	}
	if v := b.ask("billing", "r", "DELETE", "/v1/orders/1", ""); v.status != 403 || v.why != breaker.WhyHalfOpenWrite {
		t.Fatalf("%+v", v)
	}
}

func TestLogAwayIrreversibleIsDeniedAndReadsPass(t *testing.T) {
	k := broker(t)
	var off atomic.Int64
	r := run(t, k, "a", func(o *Options) {
		o.Now = func() time.Time { return time.Now().Add(time.Duration(off.Load())) }
	})
	r.manifest(t, strings.Replace(billing, "autonomy: [", "autonomy: [{routes: [\"DELETE /v1/orders/{order_id}\"], ask: never}, ", 1))
	if v := r.ask("billing", "r", "DELETE", "/v1/orders/1", ""); v.status != 200 {
		t.Fatalf("%+v", v)
	}
	k.Close()
	time.Sleep(50 * time.Millisecond)
	off.Store(int64(time.Minute))
	for _, tc := range []struct {
		method string
		want   int
	}{{"GET", 200}, {"DELETE", 403}} {
		if v := r.ask("billing", "r", tc.method, "/v1/orders/1", ""); v.status != tc.want {
			t.Errorf("%s with the log away: %+v", tc.method, v)
		}
	}
	start := time.Now()
	if v := r.ask("support", "r", "GET", "/v1/orders/1", ""); v.status != 200 || time.Since(start) > 100*time.Millisecond {
		t.Errorf("%+v after %s", v, time.Since(start))
	}
}

// A point's own clock decides nothing: ten minutes off, it answers the same.
func TestPointWithAWrongClockAnswersTheSame(t *testing.T) {
	k := broker(t)
	points := map[string]*running{}
	for name, off := range map[string]time.Duration{"right": 0, "slow": -10 * time.Minute, "fast": 10 * time.Minute} {
		points[name] = run(t, k, name, func(o *Options) { o.Now = func() time.Time { return time.Now().Add(off) } })
	}
	points["right"].manifest(t, billing)
	points["right"].must(t, "POST", "/v1/breakers/trip", TripRequest{Scope: schema.Scope{Kind: schema.ScopeCredential, Value: "support"}, TTL: 2, Force: true, Reason: "x"})
	for name, p := range points {
		within(t, name+" has it", func() bool { return len(p.lines(false)) == 1 && len(p.manifests()) == 1 })
		if v := p.ask("support", "r", "GET", "/", ""); v.status != 403 {
			t.Errorf("%s: %+v", name, v)
		}
		if v := p.ask("billing", name, "DELETE", "/v1/orders/1", ""); v.status != 403 || v.gate == "" {
			t.Errorf("%s: %+v", name, v)
		}
	}
	for name, p := range points {
		within(t, name+" has closed it", func() bool { return len(p.lines(false)) == 0 })
	}
}

func TestManyInventedRunsAreBoundedAndCostTheSame(t *testing.T) {
	r := run(t, broker(t), "a", nil)
	r.manifest(t, billing)
	for i := range 250_000 {
		q := &request{method: "GET", path: "/v1/orders/1", headers: func(name string) string {
			switch name {
			case "x-consumer":
				return "billing"
			case "x-agent-run-id":
				return fmt.Sprint("r", i)
			}
			return ""
		}}
		if a := r.check(q); a.status != 200 {
			t.Fatalf("%+v", a)
		}
	}
	if n := r.seen.len(); n > rememberedRuns {
		t.Fatalf("%d runs are remembered", n)
	}
}

func TestForgedHeadersOfFlyballsOwnAreNotBelieved(t *testing.T) {
	r := run(t, broker(t), "a", nil)
	r.manifest(t, billing)
	v := r.ask("billing", "r", "DELETE", "/v1/orders/7", "", "X-Flyball-Run", "00000000-0000-0000-0000-000000000001", "X-Flyball-Decision", "c_0", "X-Flyball-Gate", "g_x", "X-Flyball-Why", "granted",
		"X-Task-Type", "admin", "X-Agent-Id", "root")
	if v.status != 403 || v.why != "policy.autonomy:irreversible_not_granted" {
		t.Fatalf("%+v", v)
	}
}
