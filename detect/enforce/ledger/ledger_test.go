package ledger

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
	"time"

	"flyball/detect/enforce"
	"flyball/detect/enforce/breaker"
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

func runScope(n byte) schema.Scope {
	return schema.Scope{Kind: schema.ScopeRun, Value: schema.RunID{n}.String()}
}

func TestDuplicateTripAfterReset(t *testing.T) {
	s := New(breaker.DefaultBudget())
	scope := runScope(1)
	s.Apply(0, sec, tripOf("d", scope, nil))
	s.Apply(1, sec, &schema.Command{ID: "r", Kind: schema.CommandReset, Tenant: "t", Scope: scope})
	if e := s.Apply(2, sec, tripOf("d", scope, nil)); len(e) != 0 || s.Breakers.OpenCount() != 0 {
		t.Fatal("a repeat of a trip opened a breaker that a person had reset")
	}
}

func TestClockIsNotTurnedBack(t *testing.T) {
	s := New(breaker.DefaultBudget())
	s.Apply(0, 160*sec, &schema.Command{Kind: schema.CommandTick})
	s.Apply(1, 10*sec, tripOf("e", runScope(1), nil))
	if s.Position.Time != 160*sec {
		t.Fatalf("clock %d", s.Position.Time)
	}
}

func TestBypassExpiresByItself(t *testing.T) {
	s := New(breaker.DefaultBudget())
	s.Apply(0, sec, tripOf("d", runScope(1), func(c *schema.Command) { c.TTL = int64(time.Hour) }))
	s.Apply(1, 2*sec, &schema.Command{ID: "b", Kind: schema.CommandBypass, Tenant: "t", TTL: 10 * sec, Reason: "false alarms"})
	r := &Request{Request: enforce.Request{Call: &schema.Call{Tenant: "t"}, RunID: schema.RunID{1}}}
	if d := s.Decide(r); d.Action != schema.ActionNone || d.Why != whyBypass || d.Would != schema.ActionDeny {
		t.Fatalf("bypassed and %+v", d)
	}
	s.Apply(2, 12*sec, &schema.Command{Kind: schema.CommandTick})
	if d := s.Decide(r); d.Action != schema.ActionDeny {
		t.Fatal("the bypass did not end")
	}
}

// reference is a simple model of the machine of breakers: it checks everything at every record.
type reference struct {
	budget  breaker.Budget
	clock   int64
	seen    map[string]bool
	open    map[schema.Scope]*refBreaker
	strikes map[schema.Scope][2]int64 // how many, until
	trips   []refTrip
	bypass  int64
}

type refBreaker struct {
	state        schema.BreakerState
	until        int64 // 0: never
	ttl          int64
	strikes      int64
	probes       int
	probeAt      int64
	generation   uint64
	heldSince    int64
	holder       *schema.Holder   // nil: not known
	old          *schema.Decision // the caller, from a record without a holder
	halfOpenedAt int64
}

type refTrip struct {
	at      int64
	agent   string
	claimed bool
}

func newReference(b breaker.Budget) *reference {
	return &reference{budget: b, seen: map[string]bool{}, open: map[schema.Scope]*refBreaker{}, strikes: map[schema.Scope][2]int64{}}
}

func (m *reference) apply(offset, at int64, c *schema.Command) {
	m.clock = max(m.clock, at)
	gen := uint64(offset) + 1
	for scope, b := range m.open {
		switch {
		case b.state == schema.BreakerHalfOpen && b.probes >= 3 && m.clock >= b.probeAt+30*sec,
			b.state == schema.BreakerHalfOpen && b.probes < 3 && m.clock >= b.halfOpenedAt+86400*sec:
			delete(m.open, scope)
			m.strikes[scope] = [2]int64{b.strikes, m.clock + 4*max(b.ttl, 60*sec)}
		case b.state == schema.BreakerOpen && b.until > 0 && m.clock >= b.until:
			b.state, b.probes, b.probeAt, b.halfOpenedAt, b.generation = schema.BreakerHalfOpen, 0, 0, m.clock, gen
		case b.state == schema.BreakerForcedOpen && b.until > 0 && m.clock >= b.until:
			delete(m.open, scope)
		}
	}
	if c.Kind == schema.CommandTick || c.ID != "" && m.seen[c.ID] {
		return
	}
	m.seen[c.ID] = true
	have := m.open[c.Scope]
	switch c.Kind {
	case schema.CommandTrip:
		if have != nil && have.state == schema.BreakerForcedOpen {
			if have.holder == nil && c.Holder != nil {
				have.holder = c.Holder
			}
			return
		}
		next := &refBreaker{state: schema.BreakerOpen, strikes: 1, generation: gen, heldSince: m.clock, holder: c.Holder, old: c.Decision}
		if have != nil {
			if next.heldSince = have.heldSince; next.holder == nil {
				next.holder = have.holder
			}
			next.strikes = have.strikes
			if have.state == schema.BreakerHalfOpen {
				next.strikes++
			}
		} else {
			claimed := c.Holder != nil && c.Holder.Standing == schema.StandingClaimed
			recent, agents := 0, map[string]bool{c.Decision.AgentID: true}
			for _, x := range m.trips {
				if x.at > m.clock-3600*sec && x.claimed == claimed {
					recent++
					agents[x.agent] = true
				}
			}
			if recent >= m.budget.PerHour || !claimed && len(agents) > max(1, c.ActiveAgents*m.budget.Percent/100) {
				return
			}
			m.trips = append(m.trips, refTrip{m.clock, c.Decision.AgentID, claimed})
			if s, ok := m.strikes[c.Scope]; ok && m.clock < s[1] {
				next.strikes = s[0] + 1
			}
		}
		next.ttl = min(c.TTL<<min(next.strikes-1, 8), max(86400*sec, c.TTL))
		next.until = m.clock + next.ttl
		m.open[c.Scope] = next
	case schema.CommandForceOpen:
		next := &refBreaker{state: schema.BreakerForcedOpen, generation: gen, heldSince: m.clock, holder: c.Holder}
		if have != nil {
			if next.heldSince = have.heldSince; next.holder == nil {
				next.holder, next.old = have.holder, have.old
			}
		}
		if c.TTL > 0 {
			next.until = m.clock + c.TTL
		}
		m.open[c.Scope] = next
	case schema.CommandReset:
		if have != nil && (c.IfMatch == 0 || c.IfMatch == have.generation) {
			delete(m.open, c.Scope)
			delete(m.strikes, c.Scope)
		}
	case schema.CommandProbe:
		if have != nil && have.state == schema.BreakerHalfOpen && c.IfMatch == have.generation && have.probes < 3 &&
			(have.probeAt == 0 || m.clock >= have.probeAt+sec) {
			have.probes++
			have.probeAt = m.clock
		}
	case schema.CommandBypass:
		m.bypass = m.clock + c.TTL
	}
}

// denies reports whether a request of a run is denied: by its own breaker, or by one on a run of
// the same holder that was stopped before this run was first seen.
func (m *reference) denies(run schema.Scope, c *schema.Call, credentials []string, first int64) bool {
	if m.clock < m.bypass {
		return false
	}
	established := c.AgentTrust >= schema.TrustInfrastructure
	for scope, b := range m.open {
		if scope == run {
			return true
		}
		if first != 0 && first < b.heldSince {
			continue
		}
		switch h := b.holder; {
		case h != nil:
			holder := h.AgentTrust >= schema.TrustInfrastructure
			same := established && holder && h.AgentID == c.AgentID
			another := established && holder && h.AgentID != c.AgentID
			if same || !another && slices.Contains(credentials, h.CredentialID) {
				return true
			}
		case b.old != nil && slices.Contains(credentials, b.old.CredentialID):
			if !established || c.AgentID == b.old.AgentID {
				return true
			}
		}
	}
	return false
}

// Three points fold one log; one of them crashes repeatedly and restarts from a snapshot, one gets
// records twice. The log contains every kind of command, repeated ids, and a clock that jumps. At
// every record all of them must equal the reference.
func TestPointsAreTheReferenceWhateverHappens(t *testing.T) {
	steps := 0
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 7))
		budget := breaker.Budget{PerHour: 1 + r.IntN(8), Percent: 1 + r.IntN(20)}
		ref := newReference(budget)
		points := [3]*State{New(budget), New(budget), New(budget)}
		var log []*schema.Command
		var stamps []int64
		at := int64(1000) * sec
		generation := map[schema.Scope]uint64{}
		for i := range int64(250) {
			switch r.IntN(12) {
			case 0:
				at += int64(r.IntN(7200)) * sec
			case 1:
				at -= int64(r.IntN(600)) * sec // a broker whose clock was set back
			default:
				at += int64(r.IntN(20)) * sec
			}
			scope := runScope(byte(1 + r.IntN(5)))
			c := tripOf(fmt.Sprint("d", r.IntN(200)), scope, func(c *schema.Command) {
				c.Decision.AgentID, c.Decision.CredentialID, c.ActiveAgents = fmt.Sprint("a", r.IntN(3)), fmt.Sprint("k", r.IntN(2)), r.IntN(100)
				c.Holder = randomHolder(r)
			})
			switch r.IntN(9) {
			case 0:
				c = &schema.Command{ID: fmt.Sprint("r", i), Kind: schema.CommandReset, Tenant: "t", Scope: scope}
				if r.IntN(2) == 0 {
					c.IfMatch = generation[scope] + uint64(r.IntN(2))
				}
			case 1, 2, 3:
				c = &schema.Command{ID: fmt.Sprint("p", i), Kind: schema.CommandProbe, Tenant: "t", Scope: scope, IfMatch: generation[scope]}
			case 4, 5:
				c = &schema.Command{Kind: schema.CommandTick}
			case 6:
				if r.IntN(4) == 0 {
					c = &schema.Command{ID: fmt.Sprint("f", i), Kind: schema.CommandForceOpen, Tenant: "t", Scope: scope, Reason: "x",
						TTL: int64(r.IntN(2)) * 100 * sec, Holder: randomHolder(r)}
				}
			case 7:
				if r.IntN(6) == 0 {
					c = &schema.Command{ID: fmt.Sprint("b", i), Kind: schema.CommandBypass, Tenant: "t", Reason: "x", TTL: 30 * sec}
				}
			}
			log, stamps = append(log, c), append(stamps, at)
			ref.apply(i, at, c)
			for _, p := range points {
				p.Apply(i, at, c)
			}
			if r.IntN(15) == 0 { // crash
				b, err := json.Marshal(points[1].Snapshot())
				if err != nil {
					t.Fatal(err)
				}
				var snap Snapshot
				if err := json.Unmarshal(b, &snap); err != nil {
					t.Fatal(err)
				}
				if points[1], err = Restore(budget, &snap); err != nil {
					t.Fatal(err)
				}
			}
			if r.IntN(10) == 0 { // gets applied records again
				for k := max(0, i-5); k <= i; k++ {
					points[2].Apply(k, stamps[k], log[k])
				}
			}
			for n, p := range points {
				if diff := compare(ref, p); diff != "" {
					t.Fatalf("seed %d, record %d, point %d: %s", seed, i, n, diff)
				}
				run := byte(1 + r.IntN(6))
				id := schema.RunID{run}
				first := int64(0)
				if r.IntN(2) == 0 {
					first = 1 + at - int64(r.IntN(300))*sec
				}
				call := &schema.Call{Tenant: "t", CredentialID: fmt.Sprint("k", r.IntN(4)), AgentID: fmt.Sprint("a", r.IntN(3)),
					AgentTrust: schema.Trust(r.IntN(int(schema.TrustVerified) + 1))}
				shown := []string{call.CredentialID, fmt.Sprint("k", r.IntN(8))}
				denied := ref.denies(runScope(run), call, shown, first)
				d := p.Decide(&Request{Request: enforce.Request{Call: call, Credentials: shown, RunID: id, RunFirstSeen: first}})
				if got := d.Action == schema.ActionDeny; got != denied {
					t.Fatalf("seed %d, record %d, point %d: run %d of %s (%v) %v first seen %d: denied %v by %s, the reference says %v", seed, i, n, run,
						call.AgentID, call.AgentTrust, shown, first, got, d.Why, denied)
				}
				steps++
			}
			for _, b := range points[0].Breakers.Breakers() {
				generation[b.Scope] = b.Generation
			}
		}
		if points[0].Audit != points[1].Audit || points[0].Audit != points[2].Audit {
			t.Fatalf("seed %d: the audit trails differ: %+v %+v %+v", seed, points[0].Audit, points[1].Audit, points[2].Audit)
		}
	}
	t.Logf("%d states compared", steps)
}

func randomHolder(r *rand.Rand) *schema.Holder {
	if r.IntN(3) == 0 {
		return nil
	}
	h := &schema.Holder{AgentID: fmt.Sprint("a", r.IntN(3)), AgentTrust: schema.TrustAsserted, CredentialID: fmt.Sprint("k", r.IntN(4)),
		Standing: schema.Standing(r.IntN(2))}
	if r.IntN(2) == 0 {
		h.AgentTrust, h.Standing = schema.TrustVerified, schema.StandingEstablished
	}
	return h
}

func compare(ref *reference, p *State) string {
	if p.Position.Time != ref.clock {
		return fmt.Sprintf("clock %d, want %d", p.Position.Time, ref.clock)
	}
	list := p.Breakers.Breakers()
	if len(list) != len(ref.open) {
		return fmt.Sprintf("%d breakers, want %d", len(list), len(ref.open))
	}
	for _, b := range list {
		want := ref.open[b.Scope]
		if want == nil {
			return fmt.Sprintf("%v is %v, want closed", b.Scope, b.State)
		}
		if b.State != want.state || b.Generation != want.generation || b.Probes != want.probes || b.State == schema.BreakerOpen &&
			b.Expires != want.until {
			return fmt.Sprintf("%v is %v generation %d probes %d until %d, want %v %d %d %d", b.Scope, b.State, b.Generation, b.Probes, b.Expires,
				want.state, want.generation, want.probes, want.until)
		}
	}
	return ""
}

func TestChangedAuditEntryIsNamed(t *testing.T) {
	s := New(breaker.DefaultBudget())
	var trail []schema.AuditEntry
	take := func(events []schema.Event) {
		for _, e := range events {
			if e.Audit != nil {
				trail = append(trail, *e.Audit)
			}
		}
	}
	for i := range int64(20) {
		take(s.Apply(i, sec*(i+1), &schema.Command{ID: fmt.Sprint(i), Kind: schema.CommandForceOpen, Tenant: "t", By: "ann", Role: "admin",
			Reason: "r", Scope: runScope(byte(i))}))
	}
	take(s.Apply(20, 30*sec, &schema.Command{ID: "bad", Kind: schema.CommandReset, Tenant: "t", Scope: runScope(99), By: "eve"}))
	if end, bad := Verify(Chain{}, trail); bad != nil || end != s.Audit || end.Seq != 21 {
		t.Fatalf("%+v %+v", end, bad)
	}
	for name, tc := range map[string]struct {
		change func([]schema.AuditEntry) []schema.AuditEntry
		seq    uint64
	}{
		"a name was changed": {func(l []schema.AuditEntry) []schema.AuditEntry { l[6].By = "bob"; return l }, 7},
		"an outcome was changed and hashed again": {func(l []schema.AuditEntry) []schema.AuditEntry {
			l[6].Outcome = "refused"
			l[6].Hash = l[6].ComputeHash()
			return l
		}, 8},
		"an entry was left out": {func(l []schema.AuditEntry) []schema.AuditEntry { return append(l[:4], l[5:]...) }, 5},
		"an entry was put in": {func(l []schema.AuditEntry) []schema.AuditEntry {
			return append(l[:4:4], append([]schema.AuditEntry{l[3]}, l[4:]...)...)
		}, 4},
		"two were swapped": {func(l []schema.AuditEntry) []schema.AuditEntry { l[2], l[3] = l[3], l[2]; return l }, 3},
	} {
		if _, bad := Verify(Chain{}, tc.change(append([]schema.AuditEntry(nil), trail...))); bad == nil || bad.Seq != tc.seq {
			t.Errorf("%s: %+v, want entry %d", name, bad, tc.seq)
		}
	}
	// A copy without its last entries does not reach the end.
	if end, bad := Verify(Chain{}, trail[:15]); bad != nil || end == s.Audit {
		t.Error("a trail that was cut off reached the end")
	}
}

func TestSnapshotHoldsEverything(t *testing.T) {
	s := New(breaker.DefaultBudget())
	manifest := "version: 1\nagent: a\nquotas: [{name: n, calls: 10, per: 1h}]\n"
	for i, c := range []*schema.Command{
		tripOf("d", runScope(1), nil),
		{ID: "m", Kind: schema.CommandManifest, Tenant: "t", By: "ann", Manifest: &schema.Manifest{Text: manifest}},
		{ID: "t", Kind: schema.CommandTask, Tenant: "t", TTL: 100 * sec,
			Task: &schema.Task{RunKey: "r", AgentID: "a", Targets: []string{"order:1"}}},
		{ID: "a", Kind: schema.CommandAsk, Tenant: "t", Gate: &schema.Gate{Holder: "run:x", Route: "DELETE /x", Mode: schema.ModeArmed}},
		{ID: "l", Kind: schema.CommandLease, Tenant: "t", Lease: &schema.Lease{Agent: "a", Quota: "n", Spender: "a", Units: 4, Window: 0}},
		{ID: "b", Kind: schema.CommandBypass, Tenant: "t", TTL: sec, Reason: "r"},
	} {
		s.Apply(int64(i), sec*int64(i+1), c)
	}
	if r, _ := s.Result("l"); r.Units != 4 {
		t.Fatalf("lease: %+v", r)
	}
	text := func(s *State) string {
		b, err := json.Marshal(s.Snapshot())
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	var snap Snapshot
	if err := json.Unmarshal([]byte(text(s)), &snap); err != nil {
		t.Fatal(err)
	}
	back, err := Restore(breaker.DefaultBudget(), &snap)
	if err != nil || text(back) != text(s) {
		t.Fatalf("%v\n%s\n%s", err, text(s), text(back))
	}
	for name, n := range map[string]int{"breakers": len(snap.Breakers.Breakers), "gates": len(snap.Gates), "tasks": len(snap.Tasks),
		"quotas": len(snap.Quotas), "manifests": len(snap.Manifests["t"]), "bypasses": len(snap.Breakers.Bypasses)} {
		if n != 1 {
			t.Errorf("%s: %d", name, n)
		}
	}
	if !reflect.DeepEqual(back.Manifests.List("t"), s.Manifests.List("t")) {
		t.Error("manifests differ")
	}
}

func TestBadManifestChangesNothing(t *testing.T) {
	s := New(breaker.DefaultBudget())
	put := func(i int64, text string) enforce.Result {
		id := fmt.Sprint("m", i)
		s.Apply(i, sec, &schema.Command{ID: id, Kind: schema.CommandManifest, Tenant: "t", Manifest: &schema.Manifest{Text: text}})
		r, _ := s.Result(id)
		return r
	}
	if r := put(0, "version: 1\nagent: a\nowner: ann\n"); r.Code != enforce.InForce {
		t.Fatal(r)
	}
	if r := put(1, "version: 1\nagent: a\nscope: {routes: [\"GET v1\"]}\n"); r.Code != enforce.Rejected || r.Detail == "" {
		t.Fatal(r)
	}
	if l := s.Manifests.List("t"); len(l) != 1 || l[0].Version != 1 {
		t.Fatalf("%+v", l)
	}
}
