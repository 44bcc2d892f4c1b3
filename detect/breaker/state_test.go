package breaker

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"sort"
	"testing"
	"time"

	"flyball/schema"
)

const sec = int64(time.Second)

func tripOf(id string, scope schema.Scope, change func(*schema.Command)) *schema.Command {
	c := &schema.Command{ID: id, Kind: schema.CommandTrip, Tenant: "t", Scope: scope, TTL: 60 * sec, ActiveAgents: 1000, Reason: "r",
		Decision: &schema.Decision{ID: id, Mode: schema.ModeArmed, Action: schema.ActionDeny, Scope: scope, AgentID: "a", CredentialID: "k"}}
	if change != nil {
		change(c)
	}
	return c
}

func runScope(n byte) (schema.RunID, schema.Scope) {
	id := schema.RunID{n}
	return id, schema.Scope{Kind: schema.ScopeRun, Value: id.String()}
}

func TestSessionisedRunIsDenied(t *testing.T) {
	s := New(DefaultBudget())
	s.Apply(0, sec, tripOf("d", schema.Scope{Kind: schema.ScopeCredential, Value: "k"}, nil))
	if v := s.Decide(&Query{Tenant: "t", CredentialID: "k"}); v.Allow {
		t.Fatal("the credential of a run without an id was let through")
	}
	if v := s.Decide(&Query{Tenant: "t", CredentialID: "other"}); !v.Allow {
		t.Fatal("another credential was denied")
	}
}

func TestTrippedRunRenamesItself(t *testing.T) {
	s := New(DefaultBudget())
	id, scope := runScope(1)
	s.Apply(0, 100*sec, tripOf("d", scope, nil))
	q := Query{Tenant: "t", AgentID: "a", CredentialID: "k"}
	for name, tc := range map[string]struct {
		run   schema.RunID
		seen  int64
		cred  string
		allow bool
	}{
		"the run itself":                  {id, 50 * sec, "k", false},
		"back under a new name":           {schema.RunID{2}, 101 * sec, "k", false},
		"back without a name":             {schema.RunID{}, 0, "k", false},
		"another run, known before":       {schema.RunID{3}, 50 * sec, "k", true},
		"a new run of another credential": {schema.RunID{4}, 101 * sec, "k2", true},
	} {
		q.RunID, q.RunFirstSeen, q.CredentialID = tc.run, tc.seen, tc.cred
		if v := s.Decide(&q); v.Allow != tc.allow {
			t.Errorf("%s: allow %v because %s", name, v.Allow, v.Why)
		}
	}
}

func TestAssertedNameCannotTripAnother(t *testing.T) {
	s := New(DefaultBudget())
	s.Apply(0, sec, tripOf("d", schema.Scope{Kind: schema.ScopeAgent, Value: "a"}, nil))
	if v := s.Decide(&Query{Tenant: "t", AgentID: "a", AgentTrust: schema.TrustAsserted}); !v.Allow {
		t.Fatal("a name that was only asserted met the breaker of the agent who has it")
	}
	if v := s.Decide(&Query{Tenant: "t", AgentID: "a", AgentTrust: schema.TrustVerified}); v.Allow {
		t.Fatal("the agent itself was let through")
	}
}

func TestPoisonedBaselineTripsFleet(t *testing.T) {
	s := New(DefaultBudget())
	open, withheld := 0, 0
	for i := range 100 {
		_, scope := runScope(byte(i + 1))
		for _, e := range s.Apply(int64(i), sec, tripOf(fmt.Sprint(i), scope, func(c *schema.Command) { c.Decision.AgentID, c.ActiveAgents = fmt.Sprint("agent", i), 100 })) {
			if e.Breaker.Mode == schema.ModeWithheld {
				withheld++
			} else {
				open++
			}
		}
	}
	if open != 5 || withheld != 95 || len(s.Breakers()) != 5 {
		t.Fatalf("%d open, %d withheld: a bad baseline may trip 5 agents an hour", open, withheld)
	}
	// An hour later there is budget again.
	_, scope := runScope(200)
	s.Apply(1000, sec+hour+1, tripOf("later", scope, nil))
	if o, _ := s.OutcomeOf("later"); o != Applied {
		t.Fatalf("an hour later: %s", o)
	}
}

func TestBudgetOfASmallTenant(t *testing.T) {
	s := New(Budget{PerHour: 50, Percent: 10})
	for i := range 3 {
		_, scope := runScope(byte(i + 1))
		s.Apply(int64(i), sec, tripOf(fmt.Sprint(i), scope, func(c *schema.Command) { c.Decision.AgentID, c.ActiveAgents = fmt.Sprint(i), 20 }))
	}
	if n := len(s.Breakers()); n != 2 {
		t.Fatalf("%d of 20 agents are tripped, 10 %% are 2", n)
	}
}

func TestDuplicateTripAfterReset(t *testing.T) {
	s := New(DefaultBudget())
	_, scope := runScope(1)
	s.Apply(0, sec, tripOf("d", scope, nil))
	s.Apply(1, sec, &schema.Command{ID: "r", Kind: schema.CommandReset, Tenant: "t", Scope: scope})
	if e := s.Apply(2, sec, tripOf("d", scope, nil)); len(e) != 0 || len(s.Breakers()) != 0 {
		t.Fatal("a repeat of a trip opened a breaker that a person had reset")
	}
}

func TestResetWithOldGeneration(t *testing.T) {
	s := New(DefaultBudget())
	_, scope := runScope(1)
	s.Apply(4, sec, tripOf("d", scope, nil))
	s.Apply(5, sec, &schema.Command{ID: "old", Kind: schema.CommandReset, Tenant: "t", Scope: scope, IfMatch: 4})
	if o, _ := s.OutcomeOf("old"); o != IfMatchFailed || len(s.Breakers()) != 1 {
		t.Fatalf("%s: a reset of another generation must not close this one", o)
	}
	s.Apply(6, sec, &schema.Command{ID: "new", Kind: schema.CommandReset, Tenant: "t", Scope: scope, IfMatch: 5})
	if len(s.Breakers()) != 0 {
		t.Fatal("the reset of this generation did not close it")
	}
}

func TestTTLExpiresOnTheLogsClock(t *testing.T) {
	s := New(DefaultBudget())
	_, scope := runScope(1)
	s.Apply(0, 100*sec, tripOf("d", scope, nil))
	if s.Apply(1, 159*sec, &schema.Command{Kind: schema.CommandTick}); len(s.Breakers()) != 1 {
		t.Fatal("closed before its time")
	}
	if e := s.Apply(2, 160*sec, &schema.Command{Kind: schema.CommandTick}); len(e) != 1 || len(s.Breakers()) != 0 {
		t.Fatal("open beyond its time")
	}
	// A record stamped earlier does not turn the clock back.
	s.Apply(3, 10*sec, tripOf("e", scope, nil))
	if s.Clock != 160*sec {
		t.Fatalf("clock %d", s.Clock)
	}
}

func TestForcedOpenIsNotWeakened(t *testing.T) {
	s := New(DefaultBudget())
	scope := schema.Scope{Kind: schema.ScopeTenant, Value: "t"}
	s.Apply(0, sec, &schema.Command{ID: "f", Kind: schema.CommandForceOpen, Tenant: "t", Scope: scope, Reason: "stop"})
	s.Apply(1, 2*sec, tripOf("d", scope, nil))
	s.Apply(2, 100*hour, &schema.Command{Kind: schema.CommandTick})
	if v := s.Decide(&Query{Tenant: "t"}); v.Allow || v.Breaker.State != schema.BreakerForcedOpen {
		t.Fatal("the kill switch was let go by a trip or by time")
	}
}

func TestObservedTripDeniesNobody(t *testing.T) {
	s := New(DefaultBudget())
	_, scope := runScope(1)
	for i, m := range []schema.Mode{schema.ModeObserve, schema.ModeWouldHave} {
		e := s.Apply(int64(i), sec, tripOf(fmt.Sprint(i), scope, func(c *schema.Command) { c.Decision.Mode = m }))
		if len(e) != 1 || len(s.Breakers()) != 0 {
			t.Fatalf("%v: %d events, %d breakers; want one event and none", m, len(e), len(s.Breakers()))
		}
	}
}

func TestBypassExpiresByItself(t *testing.T) {
	s := New(DefaultBudget())
	id, scope := runScope(1)
	s.Apply(0, sec, tripOf("d", scope, func(c *schema.Command) { c.TTL = hour }))
	s.Apply(1, 2*sec, &schema.Command{ID: "b", Kind: schema.CommandBypass, Tenant: "t", TTL: 10 * sec, Reason: "false alarms"})
	q := &Query{Tenant: "t", RunID: id}
	if v := s.Decide(q); !v.Allow || v.Why != WhyBypass {
		t.Fatalf("bypassed and %+v", v)
	}
	s.Apply(2, 12*sec, &schema.Command{Kind: schema.CommandTick})
	if v := s.Decide(q); v.Allow {
		t.Fatal("the bypass did not end")
	}
}

func TestSnapshotPlusTailEqualsWholeLog(t *testing.T) {
	for seed := range uint64(50) {
		r := rand.New(rand.NewPCG(seed, 1))
		whole, cut := New(DefaultBudget()), New(DefaultBudget())
		for i := range int64(200) {
			_, scope := runScope(byte(r.IntN(6)))
			c := tripOf(fmt.Sprint(r.IntN(150)), scope, nil)
			switch r.IntN(4) {
			case 0:
				c = &schema.Command{ID: fmt.Sprint("r", i), Kind: schema.CommandReset, Tenant: "t", Scope: scope}
			case 1:
				c = &schema.Command{Kind: schema.CommandTick}
			}
			at := i*30*sec - int64(r.IntN(60))*sec
			whole.Apply(i, at, c)
			cut.Apply(i, at, c)
			if r.IntN(20) == 0 {
				b, err := json.Marshal(cut.Snapshot())
				if err != nil {
					t.Fatal(err)
				}
				var snap Snapshot
				if err := json.Unmarshal(b, &snap); err != nil {
					t.Fatal(err)
				}
				cut = Restore(DefaultBudget(), &snap)
			}
		}
		a, b := whole.Breakers(), cut.Breakers()
		by := func(l []schema.Breaker) func(i, j int) bool {
			return func(i, j int) bool { return l[i].Scope.Value < l[j].Scope.Value }
		}
		sort.Slice(a, by(a))
		sort.Slice(b, by(b))
		if !reflect.DeepEqual(a, b) || whole.Clock != cut.Clock || whole.Offset != cut.Offset {
			t.Fatalf("seed %d: a restart changed the state", seed)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	s := New(Budget{PerHour: 1000, Percent: 100})
	for i := range 20 {
		id, scope := runScope(byte(i + 1))
		s.Apply(int64(i), sec, tripOf(id.String(), scope, nil))
	}
	q := &Query{Tenant: "t", AgentID: "b", CredentialID: "k9", RunID: schema.RunID{99}, RunFirstSeen: 1}
	b.ReportAllocs()
	for b.Loop() {
		s.Decide(q)
	}
}
