package check

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"flyball/detect/enforce/breaker"
	"flyball/detect/enforce/enforcetest"
	"flyball/detect/enforce/ledger"
	"flyball/detect/enforce/manifest"
	"flyball/detect/enforce/point"
	"flyball/schema"
)

var (
	standingClaimed     = schema.StandingClaimed
	standingProven      = schema.StandingProven
	standingEstablished = schema.StandingEstablished
)

// invented returns a request of a caller with an invented key and run that claims the name of an
// agent with a manifest.
func invented(method, path string, i int64) *request {
	key, run := fmt.Sprint("key", i), fmt.Sprint("run", i)
	return requestOf(method, path, map[string]string{"x-agent-id": "billing", "x-api-key": key, "x-agent-run-id": run})
}

func requestOf(method, path string, headers map[string]string) *request {
	return &request{method: method, path: path, headers: func(name string) string { return headers[strings.ToLower(name)] },
		client: netip.MustParseAddr("192.0.2.1")}
}

// An anonymous caller sends requests as fast as it can under an agent's name, with a new key and
// run each time. The agent's own questions are still asked.
func TestGateStormOfAClaimedCaller(t *testing.T) {
	r := run(t, enforcetest.Broker(t), "a", nil)
	r.PutManifest(t, enforcetest.Billing)
	var stop atomic.Bool
	var crowded, asked atomic.Int64
	var flood sync.WaitGroup
	for g := range int64(8) {
		flood.Go(func() {
			for i := g << 32; !stop.Load(); i++ {
				switch a := r.check(invented("DELETE", "/v1/orders/1", i)); {
				case a.status != 403:
					t.Errorf("%d %s", a.status, a.why)
					return
				case a.why == ledger.WhyShareExceeded:
					crowded.Add(1)
				case a.gate != "":
					asked.Add(1)
				}
			}
		})
	}
	enforcetest.Within(t, "the flood is more than its share", func() bool { return crowded.Load() > 1000 })
	for i := range 20 { // fewer than an agent's limit of questions, and fewer than a point's limit per second
		name := fmt.Sprint("real", i)
		enforcetest.Within(t, "the question of "+name, func() bool { return r.ask("billing", name, "DELETE", "/v1/orders/1", "").gate != "" })
	}
	stop.Store(true)
	flood.Wait()
	if n := asked.Load(); n == 0 || n > 250 {
		t.Errorf("%d questions of claimed callers were asked", n)
	}
}

func TestQuestionsOfEachStandingHaveARateOfTheirOwn(t *testing.T) {
	m, now := newQuestionLimits(), time.Unix(1000, 0)
	n := 0
	for i := range 20_000 {
		if m.allow(fmt.Sprint("invented", i), standingClaimed, now, time.Second) == mayAsk {
			n++
		}
	}
	if n != maxQuestionsPerSecond[standingClaimed] {
		t.Errorf("%d questions of claimed callers in a second", n)
	}
	for _, of := range []schema.Standing{standingProven, standingEstablished} {
		for i := range maxQuestionsPerSecond[of] {
			if m.allow(fmt.Sprint("real", i), of, now, time.Second) != mayAsk {
				t.Fatalf("question %d of %v callers is not asked", i, of)
			}
		}
	}
	// Inventions of claimed callers do not cause the questions of others to be written again.
	for s := range 2000 {
		for i := range 10 {
			m.allow(fmt.Sprint("invented", s, i), standingClaimed, now.Add(time.Duration(s)*time.Second), time.Hour)
		}
	}
	if m.allow("real1", standingEstablished, now.Add(time.Minute), time.Hour) != askedBefore ||
		len(m.pools[standingClaimed].last) > maxPlaces {
		t.Errorf("a question of an established caller was forgotten, or %d are remembered", len(m.pools[standingClaimed].last))
	}
	if m.allow("again", standingEstablished, now.Add(-time.Hour), time.Hour) != mayAsk {
		t.Error("a clock that was set back keeps a question from being asked")
	}
}

// Invented credentials under the quotas of a pattern fill the leases of a point: the leases of
// established callers remain.
func TestInventedSpendersTakeNoLeaseOfOthers(t *testing.T) {
	c := newChecker(t, nil)
	c.replay()
	spend := func(of string) *manifest.Spend {
		return &manifest.Spend{Quota: "n", Of: of, Units: 1, Limit: 10, Per: int64(time.Hour), Window: 1}
	}
	for i := range maxLeases {
		c.quotas.leases.held[standingClaimed][leaseKey{"t", "*", "n", fmt.Sprint("invented", i)}] = &lease{window: 1, ends: 2 * int64(time.Hour)}
	}
	if got := c.quotas.leases.spend(standingClaimed, "t", "*", spend("one more")); got != spendCrowd {
		t.Errorf("one more claimed spender: %d", got)
	}
	c.quotas.leases.held[standingEstablished][leaseKey{"t", "*", "n", "real"}] = &lease{window: 1, left: 1}
	if got := c.quotas.leases.spend(standingEstablished, "t", "*", spend("real")); got != spendDone {
		t.Errorf("an established spender: %d", got)
	}
	for i := range point.MaxClaims(standingClaimed) {
		c.quotas.leases.pending[fmt.Sprint(i)] = &leaseRequest{standing: standingClaimed}
		c.quotas.leases.n[standingClaimed]++
	}
	clear(c.quotas.leases.held[standingClaimed])
	if got := c.quotas.leases.spend(standingClaimed, "t", "*", spend("invented")); got != spendCrowd {
		t.Errorf("more leases of claimed callers than may be asked for: %d", got)
	}
}

func TestFloodOfClaimedCallersCostsNoOtherItsRecord(t *testing.T) {
	c := newChecker(t, nil)
	c.replay()
	for i := range int64(2 * maxClaimedObservations) {
		c.check(invented("GET", "/v1/orders/1", i))
	}
	if len(c.observer.claimed) != maxClaimedObservations || len(c.observer.in) != 0 {
		t.Errorf("%d of claimed callers wait, %d of others", len(c.observer.claimed), len(c.observer.in))
	}
	c.check(requestOf("GET", "/v1/orders/1", map[string]string{"x-consumer": "billing"}))
	if len(c.observer.in) != 1 {
		t.Error("an established caller's check left no record")
	}
}

// Claimed callers use more than their share of the work: the failure mode decides for them,
// breakers still hold them, and other callers are not affected.
func TestClaimedWorkBeyondItsShare(t *testing.T) {
	for _, armed := range []bool{true, false} {
		c := newChecker(t, func(o *enforcetest.Options) { o.Armed = func(string, string) bool { return armed } })
		held := identityOf(c, "held")
		c.replay(schema.Command{ID: "d", Kind: schema.CommandForceOpen, Tenant: "t", Scope: schema.Scope{Kind: schema.ScopeCredential,
			Value: held}, By: "ann", Reason: "stop"},
			schema.Command{ID: "p", Kind: schema.CommandProven, Tenant: "t", TTL: int64(time.Hour),
				Scope: schema.Scope{Kind: schema.ScopeCredential, Value: identityOf(c, "proven")}})
		for range cap(c.work.places) {
			c.work.enter()
		}
		for _, tc := range []struct {
			name, method string
			headers      map[string]string
			status       int
			why          string
		}{
			{"a claimed caller deletes", "DELETE", map[string]string{"x-api-key": "junk", "x-agent-run-id": "r"}, 403, ledger.WhyShareExceeded},
			{"a claimed caller reads", "GET", map[string]string{"x-api-key": "junk"}, 200, ledger.WhyClear},
			{"a claimed caller that is stopped reads", "GET", map[string]string{"x-api-key": "held"}, 403, breaker.WhyForced},
			{"an established caller deletes", "DELETE", map[string]string{"x-consumer": "billing"}, 200, ledger.WhyClear},
			{"a proven caller deletes", "DELETE", map[string]string{"x-api-key": "proven"}, 200, ledger.WhyClear},
		} {
			if !armed && tc.why == ledger.WhyShareExceeded { // observed: no request is denied for it
				tc.status, tc.why = 200, ledger.WhyClear
			}
			before := len(c.observer.in) + len(c.observer.claimed)
			if a := c.check(requestOf(tc.method, "/v1/orders/1", tc.headers)); a.status != tc.status || a.why != tc.why {
				t.Errorf("armed %v: %s: %d %s, want %d %s", armed, tc.name, a.status, a.why, tc.status, tc.why)
			} else if left := len(c.observer.in)+len(c.observer.claimed) > before; left == a.overShare {
				t.Errorf("%s: record left: %v", tc.name, left)
			}
		}
		if n := c.o.Runs.Len(); n != 0 {
			t.Errorf("%d runs of callers beyond their share are remembered", n)
		}
		for range cap(c.work.places) {
			c.work.leave()
		}
		if a := c.check(invented("GET", "/v1/orders/1", 1)); a.overShare {
			t.Error("the share is free and a claimed caller is turned away")
		}
	}
}

// identityOf returns the credential id of an API key at a point.
func identityOf(c *checker, key string) string {
	e := evaluation{q: requestOf("GET", "/", map[string]string{"x-api-key": key})}
	_ = c.reader.read(&e)
	return e.call.CredentialID
}

func TestWaitersForTheShareAreBounded(t *testing.T) {
	w := &workShare{places: make(chan struct{}, 1)}
	w.enter()
	w.waiting.Store(maxShareWaiters)
	if w.enter() {
		t.Error("entered a full share")
	}
	if n := w.waiting.Load(); n != maxShareWaiters {
		t.Errorf("%d wait", n)
	}
}

// A caller that only claimed an agent's name asked in the agent's place, and could use its grant.
func TestClaimedNameIsAnotherHolder(t *testing.T) {
	call := &schema.Call{Tenant: "t", AgentID: "billing", AgentTrust: schema.TrustVerified, ClientIP: netip.MustParseAddr("192.0.2.1")}
	c, e := reader{}, &evaluation{q: &request{headers: func(string) string { return "" }}, req: &ledger.Request{}, decided: call}
	real := c.gateQuery(e).Holder
	call.AgentTrust = schema.TrustAsserted
	if claimed := c.gateQuery(e).Holder; claimed == real {
		t.Error("both are " + claimed)
	}
}

// BenchmarkEstablishedBesideAFlood measures an established caller's check with the point's own
// metric, alone and while 8 goroutines check claimed callers as fast as they can, each with a new
// key and run.
func BenchmarkEstablishedBesideAFlood(b *testing.B) {
	for _, flooded := range []bool{false, true} {
		b.Run(map[bool]string{false: "alone", true: "flooded"}[flooded], func(b *testing.B) {
			c := newChecker(b, func(o *enforcetest.Options) { o.Now = time.Now })
			c.replay()
			var stop atomic.Bool
			var checked atomic.Int64
			var background sync.WaitGroup
			background.Go(func() { // in the same way as the observer
				for !stop.Load() {
					for _, queue := range []chan schema.Call{c.observer.in, c.observer.claimed} {
						for n := len(queue); n > 0; n-- {
							<-queue
						}
					}
					time.Sleep(observeEvery)
				}
			})
			if flooded {
				for g := range int64(8) {
					background.Go(func() {
						for i := g << 32; !stop.Load(); i++ {
							c.check(invented("GET", "/v1/orders/1", i))
							checked.Add(1)
						}
					})
				}
			}
			q := requestOf("GET", "/v1/orders/77", map[string]string{"x-consumer": "billing", "x-agent-run-id": "r"})
			took := make([]time.Duration, 0, 1<<16)
			began, before := time.Now(), checked.Load()
			for b.Loop() {
				at := time.Now()
				c.check(q)
				took = append(took, time.Since(at))
				time.Sleep(50 * time.Microsecond) // callers arrive at intervals
			}
			claimed := float64(checked.Load()-before) / time.Since(began).Seconds()
			stop.Store(true)
			background.Wait()
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Nanoseconds())/1e3, "p50-µs")
			b.ReportMetric(float64(took[len(took)*99/100].Nanoseconds())/1e3, "p99-µs")
			b.ReportMetric(claimed, "claimed/s")
		})
	}
}

func TestThrottlesOfClaimedCallersMakeNoOtherBeginAnew(t *testing.T) {
	th, now := newThrottles(1), time.Unix(1000, 0)
	real := &schema.Breaker{Generation: 1}
	th.allow(real, now)
	for i := range uint64(2 * maxThrottles) {
		th.allow(&schema.Breaker{Generation: 2 + i, Holder: &schema.Holder{Standing: schema.StandingClaimed}}, now)
	}
	if th.allow(real, now) {
		t.Error("a throttled caller has a second call in the same second")
	}
	if n := len(th.pools[1]); n > maxThrottles {
		t.Errorf("%d are remembered", n)
	}
}

// These are the ways in which a tripped run came back, as requests.
func TestTrippedRunComesBackAtTheCheck(t *testing.T) {
	for by, kind := range map[string]schema.CommandKind{"detector": schema.CommandTrip, "person": schema.CommandForceOpen} {
		c := newChecker(t, nil)
		key := identityOf(c, "secret")
		scope := schema.Scope{Kind: schema.ScopeRun, Value: schema.RunID{1}.String()}
		trip := schema.Command{ID: "d", Kind: kind, Tenant: "t", Scope: scope, TTL: int64(time.Hour), ActiveAgents: 10, By: "ann", Reason: "r",
			Holder: &schema.Holder{AgentID: "bot", AgentTrust: schema.TrustAsserted, CredentialID: key}}
		if kind == schema.CommandTrip {
			trip.Decision = &schema.Decision{ID: "d", Mode: schema.ModeArmed, Action: schema.ActionDeny, Scope: scope, AgentID: "bot",
				CredentialID: key}
		}
		c.replay(trip)
		for name, tc := range map[string]struct {
			headers map[string]string
			status  int
		}{
			"another run id": {map[string]string{"x-api-key": "secret", "x-agent-id": "bot", "x-agent-run-id": "2"}, 403},
			"no run id":      {map[string]string{"x-api-key": "secret", "x-agent-id": "bot"}, 403},
			"another name":   {map[string]string{"x-api-key": "secret", "x-agent-id": "other", "x-agent-run-id": "2"}, 403},
			"no name":        {map[string]string{"x-api-key": "secret"}, 403},
			"a junk key beside the real one": {map[string]string{"x-api-key": "junk", "authorization": "Bearer secret", "x-agent-id": "bot",
				"x-agent-run-id": "2"}, 403},
			"somebody else": {map[string]string{"x-api-key": "another", "x-agent-id": "bot", "x-agent-run-id": "2"}, 200},
		} {
			if a := c.check(requestOf("GET", "/v1/orders/1", tc.headers)); a.status != tc.status {
				t.Errorf("tripped by a %s: %s: %d %s", by, name, a.status, a.why)
			}
		}
	}
}
