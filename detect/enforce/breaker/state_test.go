package breaker

import (
	"fmt"
	"testing"
	"time"

	"flyball/detect/enforce"
	"flyball/schema"
)

const sec = int64(time.Second)

// log applies records in the same way as a point.
type log struct {
	*State
	clock    int64
	outcomes map[string]enforce.ResultCode
}

func begin(b Budget) *log { return &log{New(b), 0, map[string]enforce.ResultCode{}} }

func (l *log) Apply(offset, time int64, c *schema.Command) []schema.Event {
	l.clock = max(l.clock, time)
	at := enforce.LogPosition{Offset: offset, Time: l.clock}
	events := l.Advance(at)
	if c.Kind == schema.CommandTick {
		return events
	}
	result, more := l.State.Apply(at, c)
	l.outcomes[c.ID] = result.Code
	return append(events, more...)
}

func (l *log) OutcomeOf(id string) (enforce.ResultCode, bool) { o, ok := l.outcomes[id]; return o, ok }

func (l *log) denies(q *Query) bool { return l.Match(q, l.clock).Action == schema.ActionDeny }

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
	s := begin(DefaultBudget())
	s.Apply(0, sec, tripOf("d", schema.Scope{Kind: schema.ScopeCredential, Value: "k"}, nil))
	if !s.denies(&Query{Tenant: "t", CredentialID: "k"}) {
		t.Fatal("the credential of a run without an id was let through")
	}
	if s.denies(&Query{Tenant: "t", CredentialID: "other"}) {
		t.Fatal("another credential was denied")
	}
}

func TestTrippedRunRenamesItself(t *testing.T) {
	s := begin(DefaultBudget())
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
		if v := s.Match(&q, s.clock); v.Action == schema.ActionDeny == tc.allow {
			t.Errorf("%s: %v because %s", name, v.Action, v.Why)
		}
	}
}

func TestAssertedNameCannotTripAnother(t *testing.T) {
	s := begin(DefaultBudget())
	s.Apply(0, sec, tripOf("d", schema.Scope{Kind: schema.ScopeAgent, Value: "a"}, nil))
	if s.denies(&Query{Tenant: "t", AgentID: "a", AgentTrust: schema.TrustAsserted}) {
		t.Fatal("a name that was only asserted met the breaker of the agent who has it")
	}
	if !s.denies(&Query{Tenant: "t", AgentID: "a", AgentTrust: schema.TrustVerified}) {
		t.Fatal("the agent itself was let through")
	}
}

func TestPoisonedBaselineTripsFleet(t *testing.T) {
	s := begin(DefaultBudget())
	open, withheld := 0, 0
	for i := range 100 {
		_, scope := runScope(byte(i + 1))
		for _, e := range s.Apply(int64(i), sec, tripOf(fmt.Sprint(i), scope,
			func(c *schema.Command) { c.Decision.AgentID, c.ActiveAgents = fmt.Sprint("agent", i), 100 })) {
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
	// An hour later the budget is available again.
	_, scope := runScope(200)
	s.Apply(1000, sec+hour+1, tripOf("later", scope, nil))
	if o, _ := s.OutcomeOf("later"); o != enforce.Applied {
		t.Fatalf("an hour later: %s", o)
	}
}

func TestNotesCostTheBudgetNothing(t *testing.T) {
	s := begin(DefaultBudget())
	for i := range 50 {
		_, scope := runScope(byte(i + 1))
		s.Apply(int64(i), sec, tripOf(fmt.Sprint(i), scope, func(c *schema.Command) { c.Decision.Action = schema.ActionAnnotate }))
	}
	if spent := s.BudgetUsage("t", s.clock); spent.Trips != 0 || s.OpenCount() != 50 {
		t.Fatalf("%+v, %d open", spent, s.OpenCount())
	}
}

func TestBudgetOfASmallTenant(t *testing.T) {
	s := begin(Budget{PerHour: 50, Percent: 10})
	for i := range 3 {
		_, scope := runScope(byte(i + 1))
		s.Apply(int64(i), sec, tripOf(fmt.Sprint(i), scope, func(c *schema.Command) { c.Decision.AgentID, c.ActiveAgents = fmt.Sprint(i), 20 }))
	}
	if n := len(s.Breakers()); n != 2 {
		t.Fatalf("%d of 20 agents are tripped, 10 %% are 2", n)
	}
}

func TestResetWithOldGeneration(t *testing.T) {
	s := begin(DefaultBudget())
	_, scope := runScope(1)
	s.Apply(4, sec, tripOf("d", scope, nil))
	s.Apply(5, sec, &schema.Command{ID: "old", Kind: schema.CommandReset, Tenant: "t", Scope: scope, IfMatch: 4})
	if o, _ := s.OutcomeOf("old"); o != enforce.IfMatchFailed || len(s.Breakers()) != 1 {
		t.Fatalf("%s: a reset of another generation must not close this one", o)
	}
	s.Apply(6, sec, &schema.Command{ID: "new", Kind: schema.CommandReset, Tenant: "t", Scope: scope, IfMatch: 5})
	if len(s.Breakers()) != 0 {
		t.Fatal("the reset of this generation did not close it")
	}
}

func TestObservedTripDeniesNobody(t *testing.T) {
	s := begin(DefaultBudget())
	_, scope := runScope(1)
	for i, m := range []schema.Mode{schema.ModeObserve, schema.ModeWouldHave} {
		e := s.Apply(int64(i), sec, tripOf(fmt.Sprint(i), scope, func(c *schema.Command) { c.Decision.Mode = m }))
		if len(e) != 1 || len(s.Breakers()) != 0 {
			t.Fatalf("%v: %d events, %d breakers; want one event and none", m, len(e), len(s.Breakers()))
		}
	}
}

func tick() *schema.Command { return &schema.Command{Kind: schema.CommandTick} }

func TestForcedOpenIsNotWeakened(t *testing.T) {
	s := begin(DefaultBudget())
	scope := schema.Scope{Kind: schema.ScopeTenant, Value: "t"}
	s.Apply(0, sec, &schema.Command{ID: "f", Kind: schema.CommandForceOpen, Tenant: "t", Scope: scope, Reason: "stop"})
	s.Apply(1, 2*sec, tripOf("d", scope, nil))
	s.Apply(2, 100*hour, tick())
	if v := s.Match(&Query{Tenant: "t", ReadOnly: true}, s.clock); v.Action != schema.ActionDeny || v.Why != WhyForced {
		t.Fatal("the kill switch was let go by a trip or by time")
	}
}

func probeOf(s *log) *schema.Command {
	b := s.Breakers()[0]
	return &schema.Command{ID: fmt.Sprint("p", b.Probes, s.clock), Kind: schema.CommandProbe, Tenant: "t", Scope: b.Scope,
		IfMatch: b.Generation}
}

func TestHalfOpenClosesOnlyAfterCleanProbes(t *testing.T) {
	s := begin(DefaultBudget())
	id, scope := runScope(1)
	s.Apply(0, 100*sec, tripOf("d", scope, nil))
	if s.Apply(1, 159*sec, tick()); s.Breakers()[0].State != schema.BreakerOpen {
		t.Fatal("half open before its time")
	}
	s.Apply(2, 160*sec, tick())
	read, write := &Query{Tenant: "t", RunID: id, ReadOnly: true}, &Query{Tenant: "t", RunID: id}
	if v := s.Match(write, s.clock); v.Action != schema.ActionDeny || v.Why != WhyHalfOpenWrite {
		t.Fatalf("a write passes a half-open breaker: %+v", v)
	}
	for n := range maxProbes {
		v := s.Match(read, s.clock)
		if !v.Probe || v.Action != schema.ActionDeny {
			t.Fatalf("probe %d is not offered: %+v", n, v)
		}
		claim := probeOf(s)
		s.Apply(int64(3+2*n), s.clock, claim)
		claim2 := *claim
		claim2.ID = "other"
		s.Apply(int64(4+2*n), s.clock, &claim2)
		if s.outcomes[claim.ID] != enforce.Applied || s.outcomes["other"] != enforce.ProbeNotDue {
			t.Fatalf("two points claimed probe %d: %s and %s", n, s.outcomes[claim.ID], s.outcomes["other"])
		}
		if v := s.Match(read, s.clock); v.Probe {
			t.Fatal("a second probe within the same second")
		}
		s.clock += sec
	}
	last := s.clock - sec
	if s.Apply(20, last+probeObservation-1, tick()); len(s.Breakers()) != 1 {
		t.Fatal("closed before the detector could object to the probes")
	}
	if e := s.Apply(21, last+probeObservation, tick()); len(e) != 1 || len(s.Breakers()) != 0 || e[0].Breaker.Origin != "probes" {
		t.Fatalf("clean probes did not close it: %+v", e)
	}
}

func TestHalfOpenWithoutProbesDoesNotClose(t *testing.T) {
	s := begin(DefaultBudget())
	_, scope := runScope(1)
	s.Apply(0, sec, tripOf("d", scope, nil))
	s.Apply(1, 100*sec, tick())
	if s.Apply(2, 100*sec+halfOpenTTL-1, tick()); s.Breakers()[0].State != schema.BreakerHalfOpen {
		t.Fatal("closed by time alone")
	}
	if s.Apply(3, 100*sec+halfOpenTTL, tick()); s.OpenCount() != 0 {
		t.Fatal("kept for ever although nobody has asked for a day")
	}
}

func TestEachTripInARowWaitsTwiceAsLong(t *testing.T) {
	s := begin(DefaultBudget())
	_, scope := runScope(1)
	at := sec
	for n := range 4 {
		s.Apply(int64(2*n), at, tripOf(fmt.Sprint("d", n), scope, nil))
		b := s.Breakers()[0]
		if want := 60 * sec << n; b.Expires-b.Since != want || b.Strikes != n+1 {
			t.Fatalf("opening %d lasts %ds after %d strikes, want %ds", n+1, (b.Expires-b.Since)/sec, b.Strikes, want/sec)
		}
		at = b.Expires
		s.Apply(int64(2*n+1), at, tick()) // half open: the detector trips again
	}
	// A trip of a held scope costs no budget.
	if spent := s.BudgetUsage("t", s.clock); spent.Trips != 1 {
		t.Fatalf("%d trips were spent on one run", spent.Trips)
	}
	// A person's reset removes the strikes.
	s.Apply(50, at, &schema.Command{ID: "r", Kind: schema.CommandReset, Tenant: "t", Scope: scope})
	if s.Apply(51, at, tripOf("new", scope, nil)); s.Breakers()[0].Strikes != 1 {
		t.Fatal("the strikes outlived a person's reset")
	}
}

func TestMilderBreakersCloseWithTheirTime(t *testing.T) {
	for _, action := range []schema.Action{schema.ActionAnnotate, schema.ActionThrottle, schema.ActionGate} {
		s := begin(DefaultBudget())
		id, scope := runScope(1)
		s.Apply(0, sec, tripOf("d", scope, func(c *schema.Command) { c.Decision.Action = action }))
		risky := s.Match(&Query{Tenant: "t", RunID: id, Risky: true}, s.clock)
		read := s.Match(&Query{Tenant: "t", RunID: id, ReadOnly: true}, s.clock)
		want := action
		if action == schema.ActionGate {
			want = schema.ActionAnnotate // a read: no question is asked
		}
		if risky.Action != action || read.Action != want {
			t.Errorf("%v: an irreversible call meets %v, a read %v", action, risky.Action, read.Action)
		}
		if s.Apply(1, 61*sec, tick()); s.OpenCount() != 0 {
			t.Errorf("%v did not end with its time", action)
		}
	}
}

// The most severe action decides, for every scope; among equals the narrowest scope is named.
func TestMostSevereThenMostSpecificWins(t *testing.T) {
	s := begin(Budget{PerHour: 100, Percent: 100})
	id, run := runScope(1)
	open := func(n int, scope schema.Scope, action schema.Action) {
		s.Apply(int64(n), sec, tripOf(fmt.Sprint(n), scope, func(c *schema.Command) { c.Decision.Action = action; c.TTL = hour }))
	}
	q := &Query{Tenant: "t", AgentID: "a", AgentTrust: schema.TrustVerified, AgentVersion: "2", CredentialID: "k", RunID: id, Route: "GET /x",
		Risky: true, RunFirstSeen: 1}
	for i, step := range []struct {
		scope  schema.Scope
		action schema.Action
		named  schema.ScopeKind
		met    schema.Action
	}{
		{schema.Scope{Kind: schema.ScopeTenant, Value: "t"}, schema.ActionAnnotate, schema.ScopeTenant, schema.ActionAnnotate},
		{schema.Scope{Kind: schema.ScopeRoute, Value: "GET /x"}, schema.ActionThrottle, schema.ScopeRoute, schema.ActionThrottle},
		{run, schema.ActionAnnotate, schema.ScopeRoute, schema.ActionThrottle},
		{schema.Scope{Kind: schema.ScopeAgent, Value: "a"}, schema.ActionDeny, schema.ScopeAgent, schema.ActionDeny},
		{schema.VersionScope("a", "2"), schema.ActionDeny, schema.ScopeVersion, schema.ActionDeny},
		{schema.RunRouteScope(id, "GET /x"), schema.ActionDeny, schema.ScopeRunRoute, schema.ActionDeny},
	} {
		open(i, step.scope, step.action)
		v := s.Match(q, s.clock)
		if v.Action != step.met || v.Breaker.Scope.Kind != step.named || v.found != i+1 {
			t.Fatalf("step %d: %v by %v of %d, want %v by %v of %d", i, v.Action, v.Breaker.Scope.Kind, v.found, step.met, step.named, i+1)
		}
	}
	other := *q
	other.AgentVersion, other.RunID, other.AgentTrust = "3", schema.RunID{9}, schema.TrustAsserted
	if v := s.Match(&other, s.clock); v.Action == schema.ActionDeny {
		t.Fatalf("another run, of a name that is only asserted, is denied by %v", v.Breaker.Scope)
	}
}

func TestTenThousandBreakersOpenInASecond(t *testing.T) {
	s := begin(Budget{PerHour: 1 << 30, Percent: 100})
	for i := range 10_000 {
		id := schema.RunID{byte(i), byte(i >> 8), 1}
		s.Apply(int64(i), sec+int64(i)*sec/10_000, tripOf(id.String(), schema.Scope{Kind: schema.ScopeRun, Value: id.String()},
			func(c *schema.Command) {
				c.Decision.CredentialID = fmt.Sprint("k", i%1000)
			}))
	}
	if s.OpenCount() != 10_000 {
		t.Fatalf("%d are open", s.OpenCount())
	}
	if s.Apply(10_000, 70*sec, tick()); s.Breakers()[0].State != schema.BreakerHalfOpen {
		t.Fatal("their time is over and they are not half open")
	}
}

func TestMemoryDoesNotGrowWithWhatCallersInvent(t *testing.T) {
	s := begin(Budget{PerHour: 1 << 30, Percent: 100})
	stop := schema.Scope{Kind: schema.ScopeAgent, Value: "kill switch"}
	s.Apply(0, sec, &schema.Command{ID: "f", Kind: schema.CommandForceOpen, Tenant: "t", Scope: stop, Reason: "x"})
	for i := 1; i < maxBreakers+2000; i++ {
		s.Apply(int64(i), sec+int64(i), tripOf(fmt.Sprint(i), schema.Scope{Kind: schema.ScopeRun, Value: fmt.Sprint(i)}, nil))
	}
	if s.OpenCount() > maxBreakers || s.open[key{"t", stop}] == nil {
		t.Fatalf("%d breakers; the kill switch stands: %v", s.OpenCount(), s.open[key{"t", stop}] != nil)
	}
}

// What reads the events (the store, alerts) has to know of a breaker that was dropped for a later one, and a trip by a person ends at its
// time even if others made room meanwhile.
func TestDroppedBreakerStaysOpenForWhoReadsTheEvents(t *testing.T) {
	s := begin(Budget{PerHour: 1 << 30, Percent: 100})
	open := map[schema.Scope]bool{}
	read := func(events []schema.Event) {
		for _, e := range events {
			if open[e.Breaker.Scope] = true; e.Breaker.State == schema.BreakerClosed {
				delete(open, e.Breaker.Scope)
			}
		}
	}
	apply := func(offset, at int64, c *schema.Command) {
		_, events := s.State.Apply(enforce.LogPosition{Offset: offset, Time: at}, c)
		read(events)
	}
	stop := schema.Scope{Kind: schema.ScopeAgent, Value: "by hand"}
	apply(0, sec, &schema.Command{ID: "f", Kind: schema.CommandForceOpen, Tenant: "t", Scope: stop, Reason: "x", TTL: sec})
	for i := 1; i < maxBreakers+100; i++ {
		apply(int64(i), sec+int64(i), tripOf(fmt.Sprint(i), schema.Scope{Kind: schema.ScopeRun, Value: fmt.Sprint(i)}, nil))
	}
	if len(open) != s.OpenCount() {
		t.Errorf("%d breakers are open, and by the events %d", s.OpenCount(), len(open))
	}
	read(s.Advance(enforce.LogPosition{Offset: 100_000, Time: 3 * sec}))
	if open[stop] || s.open[keyOf("t", stop)] != nil {
		t.Error("the trip by hand does not end")
	}
}

func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{0, 20, 10_000} {
		b.Run(fmt.Sprint(n, "_open"), func(b *testing.B) {
			s := begin(Budget{PerHour: 1 << 30, Percent: 100})
			for i := range n {
				id := schema.RunID{byte(i), byte(i >> 8), 1}
				s.Apply(int64(i), sec, tripOf(id.String(), schema.Scope{Kind: schema.ScopeRun, Value: id.String()},
					func(c *schema.Command) { c.Decision.CredentialID = fmt.Sprint("k", i%100) }))
			}
			q := &Query{Tenant: "t", AgentID: "b", CredentialID: "k9", RunID: schema.RunID{99}, RunFirstSeen: 1, Route: "GET /v1/orders/{id}"}
			b.ReportAllocs()
			r := q.request()
			for b.Loop() {
				s.State.Match(r, s.clock)
			}
		})
	}
}

// Breakers with action gate have a separate budget: they do not spend the budget of trips.
func TestGatesDoNotSpendTheBudgetOfTrips(t *testing.T) {
	s := New(Budget{PerHour: 1, Percent: 100})
	trip := func(n int, action schema.Action) enforce.ResultCode {
		at := schema.Scope{Kind: schema.ScopeRun, Value: fmt.Sprint(n)}
		r, _ := s.Apply(enforce.LogPosition{Offset: int64(n) - 1, Time: 1e9},
			&schema.Command{ID: fmt.Sprint(n), Kind: schema.CommandTrip, Tenant: "t", Scope: at, ActiveAgents: 100, TTL: 60e9,
				Decision: &schema.Decision{ID: fmt.Sprint(n), AgentID: "a", Scope: at, Action: action, Mode: schema.ModeArmed}})
		return r.Code
	}
	for n, tc := range []struct {
		action schema.Action
		want   enforce.ResultCode
	}{{schema.ActionGate, enforce.Applied}, {schema.ActionGate, enforce.TripWithheld}, {schema.ActionDeny, enforce.Applied},
		{schema.ActionDeny, enforce.TripWithheld}} {
		if got := trip(n+1, tc.action); got != tc.want {
			t.Errorf("%d, %s: %s, want %s", n, tc.action, got, tc.want)
		}
	}
	if spent := s.BudgetUsage("t", 1e9); spent.Trips != 1 {
		t.Errorf("%d trips were spent", spent.Trips)
	}
}
