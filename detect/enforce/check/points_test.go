package check

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/enforce/api"
	"flyball/detect/enforce/breaker"
	"flyball/detect/enforce/enforcetest"
	"flyball/detect/enforce/sightings"
	"flyball/schema"
	"flyball/schema/wire"
)

func TestIrreversibleCallIsHeldGrantedAndPassesOnce(t *testing.T) {
	k := enforcetest.Broker(t)
	a, b := run(t, k, "a", nil), run(t, k, "b", nil)
	a.PutManifest(t, enforcetest.Billing)
	enforcetest.Within(t, "the manifest is at the other point", func() bool { return b.Manifests() == 1 })
	held := a.ask("billing", "r1", "DELETE", "/v1/orders/7", "")
	if held.status != 403 || held.why != "policy.autonomy:irreversible_not_granted" || held.gate == "" ||
		held.body["type"] != "urn:flyball:problem:step-up" {
		t.Fatalf("%+v", held)
	}
	enforcetest.Within(t, "the question is at the other point", func() bool { return b.Gate(held.gate) != nil })
	if again := b.ask("billing", "r1", "DELETE", "/v1/orders/8", ""); again.status != 403 || again.gate != held.gate {
		t.Fatalf("the same run and route asked again: %+v", again)
	}
	b.Must(t, "POST", "/v1/grants/"+held.gate+"/grant", api.GrantRequest{Reason: "the customer is right"})
	enforcetest.Within(t, "the yes is at the first point", func() bool { return a.Gate(held.gate).State == schema.GateGranted })
	if other := a.ask("billing", "r1", "DELETE", "/v1/orders/8", ""); other.status != 403 {
		t.Fatalf("a yes to order 7 let order 8 pass: %+v", other)
	}
	// Both points try to claim the one use.
	var passed atomic.Int32
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() {
			if v := []*site{a, b}[i%2].ask("billing", "r1", "DELETE", "/v1/orders/7", ""); v.status == 200 {
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
	r := run(t, enforcetest.Broker(t), "a", nil)
	r.PutManifest(t, enforcetest.Billing)
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
	k := enforcetest.Broker(t)
	r := run(t, k, "a", func(o *enforcetest.Options) {
		o.Armed = func(_, family string) bool { return family == "policy.hours" }
	})
	r.PutManifest(t, enforcetest.Billing)
	v := r.ask("billing", "r1", "DELETE", "/v1/orders/7", "")
	if v.status != 200 || v.would != "gate policy.autonomy:irreversible_not_granted" {
		t.Fatalf("%+v", v)
	}
	if r.Gates() != 0 {
		t.Fatal("somebody was asked")
	}
	// It is in flyball.events, like an armed one.
	c, err := kgo.NewClient(kgo.SeedBrokers(k.ListenAddrs()...), kgo.ConsumeTopics(wire.EventsTopic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	enforcetest.Within(t, "the event", func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		for _, rec := range c.PollFetches(ctx).Records() {
			if e, err := wire.DecodeEvent(rec.Value); err == nil && e.Gate != nil && e.Gate.Mode == schema.ModeObserve &&
				e.Gate.Resource == "order:7" {
				return true
			}
		}
		return false
	})
}

func TestEightPointsNeverPassAQuotaTogether(t *testing.T) {
	k := enforcetest.Broker(t)
	var points [8]*site
	for i := range points {
		points[i] = run(t, k, fmt.Sprint("p", i), nil)
	}
	points[0].PutManifest(t, enforcetest.Billing)
	for _, p := range points {
		enforcetest.Within(t, "the manifest is everywhere", func() bool { return p.Manifests() == 1 })
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
						points[i].quotas.leases.mu.Lock()
						for of := range points[i].quotas.leases.held {
							clear(points[i].quotas.leases.held[of])
						} // as in a crash: its leases are lost
						points[i].quotas.leases.mu.Unlock()
					}
				}
			})
		}
	}
	all.Wait()
	// A result that was late for its calls is still the point's lease: those units pass now.
	enforcetest.Within(t, "the quota is spent", func() bool {
		v := points[3].ask("billing", "last", "PATCH", "/v1/orders/7", "")
		if v.status == 200 {
			passed.Add(1)
		}
		return v.status == 403 && v.why == "policy.quota:spent"
	})
	if n := passed.Load(); n > 100 || n < 60 {
		t.Fatalf("%d of a quota of 100 passed", n)
	}
}

func TestTaskNarrowsAndItsEndEnds(t *testing.T) {
	r := run(t, enforcetest.Broker(t), "a", func(o *enforcetest.Options) {
		o.Tokens = []enforcetest.Token{{Name: "orchestrator", Role: "orchestrator", Hash: enforcetest.TokenHash("o")}, {Name: "agent",
			Role: "viewer", Hash: enforcetest.TokenHash("v")}, {Name: "admin", Role: "admin", Hash: enforcetest.TokenHash("a")}}
	})
	if code, text := r.Operate(t, "PUT", "/v1/manifests", api.PutManifestRequest{Text: enforcetest.Billing, Reason: "x"}, "a"); code != 200 {
		t.Fatal(code, text)
	}
	task := api.DeclareTaskRequest{RunKey: "r1", Agent: "billing", Targets: []string{"order:7"}, Seconds: 600}
	if code, _ := r.Operate(t, "POST", "/v1/runs", task, "v"); code != 403 {
		t.Fatalf("an agent's own credential declared a task: %d", code)
	}
	code, text := r.Operate(t, "POST", "/v1/runs", task, "o")
	if code != 200 {
		t.Fatal(code, text)
	}
	var d api.ChangeResult
	if err := json.Unmarshal([]byte(text), &d); err != nil {
		t.Fatal(err)
	}
	if v := r.ask("billing", "r1", "DELETE", "/v1/orders/8", ""); v.status != 403 || v.why != "policy.task:target_outside" {
		t.Fatalf("%+v", v)
	}
	if v := r.ask("billing", "r1", "GET", "/v1/orders/8", ""); v.status != 200 {
		t.Fatalf("%+v", v)
	}
	if code, text := r.Operate(t, "POST", "/v1/runs/"+d.Ref+"/end", api.EndTaskRequest{}, "o"); code != 200 {
		t.Fatal(code, text)
	}
	if v := r.ask("billing", "r1", "GET", "/v1/orders/8", ""); v.status != 403 || v.why != "policy.task:after_task" {
		t.Fatalf("after its task: %+v", v)
	}
}

func TestTaskOfAnAgentWithoutAManifestHolds(t *testing.T) {
	r := run(t, enforcetest.Broker(t), "a", nil)
	r.Must(t, "POST", "/v1/runs", api.DeclareTaskRequest{RunKey: "r1", Agent: "support", Targets: []string{"order:7"}, Seconds: 600,
		Force: true})
	for path, want := range map[string]int{"/v1/orders/7": 200, "/v1/orders/8": 403} {
		if v := r.ask("support", "r1", "DELETE", path, ""); v.status != want {
			t.Errorf("%s: %+v", path, v)
		}
	}
}

func TestRestartInTheMiddleOfAProbe(t *testing.T) {
	k := enforcetest.Broker(t)
	a := run(t, k, "a", nil)
	scope := schema.Scope{Kind: schema.ScopeCredential, Value: "billing"}
	trip := schema.Command{ID: "d", Kind: schema.CommandTrip, Tenant: "t", Scope: scope, TTL: int64(time.Second), ActiveAgents: 1,
		Decision: &schema.Decision{ID: "d", Mode: schema.ModeArmed, Action: schema.ActionDeny, Scope: scope, AgentID: "billing",
			CredentialID: "billing"}}
	if _, err := a.Point.Log().Submit(context.Background(), trip); err != nil {
		t.Fatal(err)
	}
	half := func(r *site) bool {
		l := r.Breakers()
		return len(l) == 1 && l[0].State == schema.BreakerHalfOpen
	}
	enforcetest.Within(t, "half open", func() bool { return half(a) })
	passed := 0
	for range 5 {
		if v := a.ask("billing", "r", "GET", "/v1/orders/1", ""); v.status == 200 {
			passed++
		}
	}
	if passed != 1 {
		t.Fatalf("%d reads passed as one probe", passed)
	}
	a.Stop()
	b := run(t, k, "a", nil)
	if !half(b) || b.Breakers()[0].Probes != 1 {
		t.Fatalf("after a restart: %+v", b.Breakers())
	}
	if v := b.ask("billing", "r", "DELETE", "/v1/orders/1", ""); v.status != 403 || v.why != breaker.WhyHalfOpenWrite {
		t.Fatalf("%+v", v)
	}
}

func TestLogAwayIrreversibleIsDeniedAndReadsPass(t *testing.T) {
	k := enforcetest.Broker(t)
	var off atomic.Int64
	r := run(t, k, "a", func(o *enforcetest.Options) {
		o.Now = func() time.Time { return time.Now().Add(time.Duration(off.Load())) }
	})
	r.PutManifest(t, strings.Replace(enforcetest.Billing, "autonomy: [",
		"autonomy: [{routes: [\"DELETE /v1/orders/{order_id}\"], ask: never}, ", 1))
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

// A point's own clock decides nothing: ten minutes wrong, the point gives the same answers.
func TestPointWithAWrongClockAnswersTheSame(t *testing.T) {
	k := enforcetest.Broker(t)
	points := map[string]*site{}
	for name, off := range map[string]time.Duration{"right": 0, "slow": -10 * time.Minute, "fast": 10 * time.Minute} {
		points[name] = run(t, k, name, func(o *enforcetest.Options) { o.Now = func() time.Time { return time.Now().Add(off) } })
	}
	points["right"].PutManifest(t, enforcetest.Billing)
	points["right"].Must(t, "POST", "/v1/breakers/trip", api.TripRequest{Scope: schema.Scope{Kind: schema.ScopeCredential, Value: "support"},
		TTL: 2, Force: true, Reason: "x"})
	for name, p := range points {
		enforcetest.Within(t, name+" has it", func() bool { return len(p.Breakers()) == 1 && p.Manifests() == 1 })
		if v := p.ask("support", "r", "GET", "/", ""); v.status != 403 {
			t.Errorf("%s: %+v", name, v)
		}
		if v := p.ask("billing", name, "DELETE", "/v1/orders/1", ""); v.status != 403 || v.gate == "" {
			t.Errorf("%s: %+v", name, v)
		}
	}
	for name, p := range points {
		enforcetest.Within(t, name+" has closed it", func() bool { return len(p.Breakers()) == 0 })
	}
}

func TestManyInventedRunsAreBoundedAndCostTheSame(t *testing.T) {
	r := run(t, enforcetest.Broker(t), "a", nil)
	r.PutManifest(t, enforcetest.Billing)
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
	if n := r.o.Runs.Len(); n > sightings.MaxRuns {
		t.Fatalf("%d runs are remembered", n)
	}
}

func TestForgedHeadersOfFlyballsOwnAreNotBelieved(t *testing.T) {
	r := run(t, enforcetest.Broker(t), "a", nil)
	r.PutManifest(t, enforcetest.Billing)
	v := r.ask("billing", "r", "DELETE", "/v1/orders/7", "", "X-Flyball-Run", "00000000-0000-0000-0000-000000000001", "X-Flyball-Decision",
		"c_0", "X-Flyball-Gate", "g_x", "X-Flyball-Why", "granted",
		"X-Task-Type", "admin", "X-Agent-Id", "root")
	if v.status != 403 || v.why != "policy.autonomy:irreversible_not_granted" {
		t.Fatalf("%+v", v)
	}
}
