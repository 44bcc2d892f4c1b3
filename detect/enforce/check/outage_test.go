package check

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"flyball/detect/enforce/api"
	"flyball/detect/enforce/enforcetest"
	"flyball/detect/enforce/point"
	"flyball/schema"
)

func TestDirectCallsToTheCheckPortChangeNothing(t *testing.T) {
	r := run(t, enforcetest.Broker(t), "a", func(o *enforcetest.Options) { o.CheckToken = "gateway" })
	r.PutManifest(t, enforcetest.Billing)
	before := r.Heartbeat().Checks
	for range 200 {
		if v := r.Ask("billing", "victim", "DELETE", "/v1/orders/7", ""); v.Status != 401 {
			t.Fatalf("%+v", v)
		}
		if v := r.Ask("billing", "victim", "PATCH", "/v1/orders/7", "", "X-Flyball-Token", "guess"); v.Status != 401 {
			t.Fatalf("%+v", v)
		}
	}
	if r.Heartbeat().Checks != before || r.Gates() != 0 || r.o.Runs.Len() != 0 || r.quotas.leases.count() != 0 || len(r.observer.in) != 0 {
		t.Fatalf("%d checks, %d questions, %d runs, %d leases, %d observations", r.Heartbeat().Checks-before, r.Gates(), r.o.Runs.Len(),
			r.quotas.leases.count(), len(r.observer.in))
	}
}

// count returns how many leases there are, for callers of all standings.
func (l *leases) count() (n int) {
	for _, held := range l.held {
		n += len(held)
	}
	return n
}

// given returns how many units of a quota are leased in the log.
func (s *site) given() (n int64) {
	v := s.o.State.Acquire()
	defer v.Release()
	for _, q := range v.Quotas.List(v.Position.Time) {
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
	k, l := enforcetest.Broker(t), enforcetest.NewLink()
	r := run(t, k, "a", func(o *enforcetest.Options) { l.Through(&o.Kafka) })
	r.PutManifest(t, quotaOfOneAgent)
	if v := r.ask("billing", "r", "GET", "/v1/orders/1", ""); v.status != 200 {
		t.Fatalf("%+v", v)
	}
	l.Stop()
	for r.ask("billing", "r", "GET", "/v1/orders/1", "").why == "clear" { // the rest of the point's lease
	}
	enforcetest.Within(t, "the log counts as away", func() bool {
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
	if took := time.Since(began); took > 200*point.ClaimTimeout/2 {
		t.Errorf("400 calls waited %s for a log that is known to be away", took)
	}
	l.Resume()
	enforcetest.Within(t, "the log answers", func() bool {
		return !r.Stale()
	})
	// Earlier commands in the log are folded before this one.
	r.Must(t, "POST", "/v1/breakers/trip", api.TripRequest{Scope: schema.Scope{Kind: schema.ScopeAgent, Value: "x"}, UntilReset: true,
		Force: true, Reason: "x"})
	if n := r.given() - given; n > 2 {
		t.Errorf("%d of a quota of 100 were given out in the outage; a lease is 2", n)
	}
	for range 30 { // a busy machine may be late; a lasting refusal is a fault
		enforcetest.Within(t, "a call passes after the outage", func() bool {
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

// A lease whose result arrives after the answer to the call is not lost.
func TestBrokerThatAnswersInTwoSecondsLosesNothingOfAQuota(t *testing.T) {
	t.Parallel()
	k, l := enforcetest.Broker(t), enforcetest.NewLink()
	r := run(t, k, "a", func(o *enforcetest.Options) { l.Through(&o.Kafka) })
	r.PutManifest(t, quotaOfOneAgent)
	l.Delay(2 * time.Second)
	passed := 0
	for end := time.Now().Add(60 * time.Second); passed < 4 && time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if v := r.ask("billing", "r", "PATCH", "/v1/orders/1", ""); v.status == 200 && v.why == "clear" {
			passed++
		}
	}
	if passed < 4 {
		t.Fatalf("%d calls passed", passed)
	}
	l.Delay(0)
	enforcetest.Within(t, "what is on its way is folded", func() bool {
		r.quotas.leases.mu.Lock()
		defer r.quotas.leases.mu.Unlock()
		return len(r.quotas.leases.pending) == 0
	})
	if n := r.given(); n > int64(passed)+2 {
		t.Errorf("%d units were given out for %d calls", n, passed)
	}
}

func TestClockOfOnePointIsSetByAnHour(t *testing.T) {
	for _, step := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(step.String(), func(t *testing.T) {
			t.Parallel()
			k, l := enforcetest.Broker(t), enforcetest.NewLink()
			var off atomic.Int64
			now := func() time.Time { return time.Now().Add(time.Duration(off.Load())) }
			log := &enforcetest.Lines{}
			r := run(t, k, "a", func(o *enforcetest.Options) {
				l.Through(&o.Kafka)
				o.Now, o.Logger = now, log.Logger()
			})
			r.PutManifest(t, quotaOfOneAgent+"\n")
			r.Must(t, "POST", "/v1/breakers/trip", api.TripRequest{Scope: schema.Scope{Kind: schema.ScopeCredential, Value: "support"}, TTL: 600,
				Force: true, Reason: "x"})
			off.Store(int64(step))
			enforcetest.Within(t, "the point knows that it has caught up", func() bool { return !r.Stale() })
			if len(r.Breakers()) != 1 || r.ask("support", "r", "GET", "/", "").status != 403 {
				t.Error("a breaker closed because a point's clock was set")
			}
			if v := r.ask("billing", "r", "PATCH", "/v1/orders/1", ""); v.status != 200 || v.why != "clear" {
				t.Errorf("%+v", v)
			}
			if r.claims.limits.allow("x", schema.StandingEstablished, now(), time.Second) != mayAsk {
				t.Error("a question is not asked")
			}
			off.Store(0)
			if step > 0 && r.claims.limits.allow("x", schema.StandingEstablished, now(), time.Second) != mayAsk {
				t.Error("a question waits for an hour because the clock was set back")
			}
			enforcetest.Within(t, "again", func() bool { return !r.Stale() })
			l.Stop()
			off.Store(int64(step))
			if !r.Stale() {
				t.Error("a silent log is believed for an hour")
			}
			enforcetest.Within(t, "the silence is logged", func() bool { return log.Count("is silent") > 0 })
			l.Resume()
			enforcetest.Within(t, "and its end", func() bool { return log.Count("answers again") > 0 })
		})
	}
}
