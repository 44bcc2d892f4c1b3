package breaker

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"testing"

	"flyball/detect/enforce"
	"flyball/schema"
)

func heldBot(agent string, trust schema.Trust, credential string) func(*schema.Command) {
	return func(c *schema.Command) {
		c.Holder = &schema.Holder{AgentID: agent, AgentTrust: trust, CredentialID: credential, Standing: schema.StandingEstablished}
		if c.Decision != nil {
			c.Decision.AgentID, c.Decision.CredentialID = agent, credential
		}
	}
}

func byHand(id string, scope schema.Scope, change func(*schema.Command)) *schema.Command {
	c := &schema.Command{ID: id, Kind: schema.CommandForceOpen, Tenant: "t", Scope: scope, By: "ann", Reason: "stop"}
	if change != nil {
		change(c)
	}
	return c
}

// These are the ways in which a tripped run came back, and the callers that must not be held with
// it; tripped by the detector and by a person.
func TestTrippedRunComesBackUnderAnotherName(t *testing.T) {
	id, scope := runScope(1)
	asserted, established := schema.TrustAsserted, schema.TrustVerified
	for by, trip := range map[string]func(change func(*schema.Command)) *schema.Command{
		"detector": func(change func(*schema.Command)) *schema.Command { return tripOf("d", scope, change) },
		"person":   func(change func(*schema.Command)) *schema.Command { return byHand("d", scope, change) },
	} {
		for _, tc := range []struct {
			name   string
			holder func(*schema.Command)
			q      Query
			held   bool
		}{
			{"the run itself", heldBot("a", asserted, "k"),
				Query{RunID: id, RunFirstSeen: 50 * sec, AgentID: "a", AgentTrust: asserted, CredentialID: "k"}, true},
			{"another run id", heldBot("a", asserted, "k"),
				Query{RunID: schema.RunID{2}, AgentID: "a", AgentTrust: asserted, CredentialID: "k"}, true},
			{"another run id, met again", heldBot("a", asserted, "k"),
				Query{RunID: schema.RunID{2}, RunFirstSeen: 101 * sec, AgentID: "a", AgentTrust: asserted, CredentialID: "k"}, true},
			{"no run id", heldBot("a", asserted, "k"), Query{AgentID: "a", AgentTrust: asserted, CredentialID: "k"}, true},
			{"another asserted name", heldBot("a", asserted, "k"),
				Query{RunID: schema.RunID{2}, AgentID: "b", AgentTrust: asserted, CredentialID: "k"}, true},
			{"no name", heldBot("a", asserted, "k"),
				Query{RunID: schema.RunID{2}, AgentID: "cred:k", AgentTrust: schema.TrustInferred, CredentialID: "k"}, true},
			{"a junk key before the real one", heldBot("a", asserted, "k"),
				Query{RunID: schema.RunID{2}, AgentID: "a", AgentTrust: asserted, CredentialID: "junk", Credentials: []string{"junk", "k"}}, true},
			{"the established agent with a new key", heldBot("a", established, "k"),
				Query{RunID: schema.RunID{2}, AgentID: "a", AgentTrust: established, CredentialID: "k2"}, true},
			{"the established agent without a key", heldBot("a", established, ""), Query{AgentID: "a", AgentTrust: established}, true},
			{"an established agent's key under an asserted name", heldBot("a", established, "k"),
				Query{AgentID: "b", AgentTrust: asserted, CredentialID: "k"}, true},
			{"a claimed holder's key under an established name", heldBot("a", asserted, "k"),
				Query{AgentID: "b", AgentTrust: established, CredentialID: "k"}, true},

			{"another established agent behind one key", heldBot("a", established, "k"),
				Query{AgentID: "b", AgentTrust: established, CredentialID: "k"}, false},
			{"somebody who only calls itself so", heldBot("a", established, "k"),
				Query{AgentID: "a", AgentTrust: asserted, CredentialID: "k2"}, false},
			{"the one whose name a claimed caller took", heldBot("a", asserted, "k"),
				Query{AgentID: "a", AgentTrust: established, CredentialID: "k2"}, false},
			{"a run under way before the trip", heldBot("a", established, "k"),
				Query{RunID: schema.RunID{3}, RunFirstSeen: 99 * sec, AgentID: "a", AgentTrust: established, CredentialID: "k"}, false},
			{"another tenant", heldBot("a", established, "k"),
				Query{Tenant: "u", AgentID: "a", AgentTrust: established, CredentialID: "k"}, false},
			{"another key", heldBot("a", asserted, "k"), Query{AgentID: "a", AgentTrust: asserted, CredentialID: "k2"}, false},
		} {
			s := begin(DefaultBudget())
			s.Apply(0, 100*sec, trip(tc.holder))
			if tc.q.Tenant == "" {
				tc.q.Tenant = "t"
			}
			if v := s.Match(&tc.q, s.clock); (v.Action == schema.ActionDeny) != tc.held {
				t.Errorf("tripped by %s: %s: %v because %s", by, tc.name, v.Action, v.Why)
			}
			s.Apply(1, 100*sec, &schema.Command{ID: "r", Kind: schema.CommandReset, Tenant: "t", Scope: scope, Reason: "ok"})
			if v := s.Match(&tc.q, s.clock); v.Action != schema.ActionNone || len(s.held) != 0 {
				t.Errorf("tripped by %s: %s: after the reset still %v because %s, %d held", by, tc.name, v.Action, v.Why, len(s.held))
			}
		}
	}
}

// A run could avoid a breaker on a run's route with a new run id on the same route.
func TestRunTrippedOnARouteComesBackUnderAnotherRunID(t *testing.T) {
	s := begin(DefaultBudget())
	s.Apply(0, sec, tripOf("d", schema.RunRouteScope(schema.RunID{1}, "DELETE /x"), heldBot("a", schema.TrustVerified, "k")))
	q := Query{Tenant: "t", RunID: schema.RunID{2}, AgentID: "a", AgentTrust: schema.TrustVerified, Route: "DELETE /x"}
	if !s.denies(&q) {
		t.Error("the holder of the run deletes under another run id")
	}
	if q.Route = "GET /x"; s.denies(&q) {
		t.Error("held on another route")
	}
}

// Half open, tripped again or tripped by hand: each is a later state of the same breaker. A run
// that the holder began between two states did not begin before the breaker opened.
func TestRenamedRunWaitsForTheNextStateOfTheBreaker(t *testing.T) {
	id, scope := runScope(1)
	renamed := &Query{Tenant: "t", RunID: schema.RunID{2}, RunFirstSeen: 110 * sec, AgentID: "a", CredentialID: "k"}
	for name, next := range map[string]func(s *log){
		"half open":       func(s *log) { s.Apply(1, 160*sec, tick()) },
		"tripped again":   func(s *log) { s.Apply(1, 120*sec, tripOf("d2", scope, nil)) },
		"tripped by hand": func(s *log) { s.Apply(1, 120*sec, byHand("f", scope, nil)) },
	} {
		s := begin(DefaultBudget())
		s.Apply(0, 100*sec, tripOf("d", scope, nil))
		if !s.denies(renamed) {
			t.Fatal("the renamed run is not held")
		}
		next(s)
		if v := s.Match(renamed, s.clock); v.Action != schema.ActionDeny {
			t.Errorf("%s: the renamed run goes on", name)
		}
		if v := s.Match(&Query{Tenant: "t", RunID: id}, s.clock); v.Action != schema.ActionDeny {
			t.Errorf("%s: the run goes on", name)
		}
	}
}

// Many mild breakers of a holder hid the severe one, and a run with its own annotation was not
// looked up among the other runs.
func TestManyMildBreakersHideNoSevereOne(t *testing.T) {
	s := begin(DefaultBudget())
	for i := range 200 {
		s.Apply(int64(i), 100*sec, tripOf(fmt.Sprint(i), schema.Scope{Kind: schema.ScopeRun, Value: schema.RunID{2, byte(i)}.String()},
			func(c *schema.Command) {
				c.Decision.Action = schema.ActionAnnotate
			}))
	}
	_, scope := runScope(1)
	s.Apply(1000, 101*sec, tripOf("d", scope, nil))
	if !s.denies(&Query{Tenant: "t", RunID: schema.RunID{3}, AgentID: "b", CredentialID: "k"}) {
		t.Error("a new run is only annotated")
	}
	if !s.denies(&Query{Tenant: "t", RunID: schema.RunID{2, 7}, RunFirstSeen: 102 * sec, AgentID: "a", CredentialID: "k"}) {
		t.Error("a run with a note of its own is only annotated")
	}
}

// The runs of an agent without run ids are tripped by its credential; the agent has a second
// credential.
func TestTrippedCredentialOfAnEstablishedAgentThatHasAnother(t *testing.T) {
	scope := schema.Scope{Kind: schema.ScopeCredential, Value: "k"}
	q := &Query{Tenant: "t", AgentID: "a", AgentTrust: schema.TrustVerified, CredentialID: "k2"}
	s := begin(DefaultBudget())
	s.Apply(0, 100*sec, tripOf("d", scope, heldBot("a", schema.TrustVerified, "k")))
	if v := s.Match(q, s.clock); v.Action != schema.ActionDeny || !v.OtherRun {
		t.Errorf("with another key: %v because %s", v.Action, v.Why)
	}
	if v := s.Match(&Query{Tenant: "t", AgentID: "a", AgentTrust: schema.TrustVerified, CredentialID: "k"}, s.clock); v.Why != WhyHeld ||
		v.OtherRun {
		t.Errorf("with the key itself: %s", v.Why)
	}
	for name, free := range map[string]*Query{
		"a run under way before": {RunID: schema.RunID{1}, RunFirstSeen: 99 * sec, AgentID: "a", AgentTrust: schema.TrustVerified,
			CredentialID: "k2"},
		"another agent": {AgentID: "b", AgentTrust: schema.TrustVerified, CredentialID: "k2"},
	} {
		if free.Tenant = "t"; s.denies(free) {
			t.Errorf("%s is held", name)
		}
	}
	// A person who stops a leaked key does not stop the agent, which gets a new key.
	s = begin(DefaultBudget())
	s.Apply(0, 100*sec, byHand("f", scope, heldBot("a", schema.TrustVerified, "k")))
	if s.denies(q) {
		t.Error("the agent is held with its new key")
	}
}

// A person trips a run that the point has not seen; a later trip of the detector contains the
// holder.
func TestHolderIsLearnedByABreakerOfAPerson(t *testing.T) {
	s := begin(DefaultBudget())
	_, scope := runScope(1)
	s.Apply(0, 100*sec, byHand("f", scope, nil))
	q := &Query{Tenant: "t", AgentID: "a", CredentialID: "k"}
	if s.denies(q) {
		t.Fatal("who is held besides is not known yet")
	}
	s.Apply(1, 101*sec, tripOf("d", scope, heldBot("a", schema.TrustAsserted, "k")))
	if !s.denies(q) {
		t.Error("the holder goes on under another run id")
	}
	b := s.Breakers()[0]
	if h, ok := holderOf(b); !ok || h.credential != "k" || h.trust != agentClaimed || heldSince(b) != 100*sec {
		t.Errorf("held besides: %+v since %d", h, heldSince(b))
	}
}

func TestHolderOfABreaker(t *testing.T) {
	_, run := runScope(1)
	open := func(sc schema.Scope, h *schema.Holder) schema.Breaker {
		return schema.Breaker{Scope: sc, State: schema.BreakerOpen, AgentID: "old", CredentialID: "k0", Holder: h}
	}
	asserted := &schema.Holder{AgentID: "a", AgentTrust: schema.TrustAsserted, CredentialID: "k"}
	verified := &schema.Holder{AgentID: "a", AgentTrust: schema.TrustVerified, CredentialID: "k"}
	credential, agent := schema.Scope{Kind: schema.ScopeCredential, Value: "k"}, schema.Scope{Kind: schema.ScopeAgent, Value: "a"}
	tripped := open(credential, verified)
	tripped.DecisionID = "d"
	for name, tc := range map[string]struct {
		b    schema.Breaker
		want holder
		ok   bool
	}{
		"of an established agent": {open(run, verified), holder{"k", "a", routeKey{}, agentEstablished}, true},
		"of an asserted name":     {open(run, asserted), holder{"k", "a", routeKey{}, agentClaimed}, true},
		"on a route": {open(schema.RunRouteScope(schema.RunID{1}, "GET /x"), asserted),
			holder{"k", "a", routeKey{"GET", "/x"}, agentClaimed}, true},
		"of the version before":        {open(run, nil), holder{"k0", "old", routeKey{}, agentUnknown}, true},
		"without an identity":          {open(run, &schema.Holder{AgentID: "ip:1.2.3.4"}), holder{}, false},
		"on an agent":                  {open(agent, verified), holder{}, false},
		"on a credential":              {tripped, holder{"", "a", routeKey{}, agentEstablished}, true},
		"on a credential, by a person": {open(credential, verified), holder{}, false},
	} {
		if h, ok := holderOf(&tc.b); ok != tc.ok || ok && h != tc.want {
			t.Errorf("%s: %+v %v", name, h, ok)
		}
	}
}

// A record of the previous version contains credential and agent, but not the trust in the name.
func TestTripOfTheVersionBeforeHoldsAsItDid(t *testing.T) {
	s := begin(DefaultBudget())
	_, scope := runScope(1)
	s.Apply(0, 100*sec, tripOf("d", scope, nil))
	for name, tc := range map[string]struct {
		q    Query
		held bool
	}{
		"the same established agent and key":      {Query{AgentID: "a", AgentTrust: schema.TrustVerified, CredentialID: "k"}, true},
		"another asserted name with the key":      {Query{AgentID: "b", AgentTrust: schema.TrustAsserted, CredentialID: "k"}, true},
		"another established agent with the key":  {Query{AgentID: "b", AgentTrust: schema.TrustVerified, CredentialID: "k"}, false},
		"the same established agent, another key": {Query{AgentID: "a", AgentTrust: schema.TrustVerified, CredentialID: "k2"}, false},
	} {
		if tc.q.Tenant = "t"; s.denies(&tc.q) != tc.held {
			t.Errorf("%s: held is not %v", name, tc.held)
		}
	}
}

// An anonymous caller trips an address (which may be forged): callers with an own identity are not
// held. A person's kill switch holds all.
func TestTrippedAddressHoldsNoIdentifiedCaller(t *testing.T) {
	address := schema.Scope{Kind: schema.ScopeAddress, Value: "192.0.2.7"}
	callers := map[string]struct {
		q    Query
		held bool
	}{
		"anonymous":              {Query{AgentID: "ip:192.0.2.7/ua:curl", AgentTrust: schema.TrustInferred}, true},
		"with a name it claims":  {Query{AgentID: "b", AgentTrust: schema.TrustAsserted}, true},
		"with a key it invented": {Query{AgentID: "b", AgentTrust: schema.TrustAsserted, CredentialID: "junk"}, true},
		"proven":                 {Query{CredentialID: "k", Standing: schema.StandingProven}, false},
		"established credential": {Query{CredentialID: "k", Standing: schema.StandingEstablished}, false},
		"established agent":      {Query{AgentID: "b", AgentTrust: schema.TrustVerified}, false},
	}
	for name, tc := range callers {
		for _, ip := range []string{"192.0.2.7", "::ffff:192.0.2.7"} {
			q := tc.q
			q.Tenant, q.ClientIP = "t", netip.MustParseAddr(ip)
			s := begin(DefaultBudget())
			s.Apply(0, sec, tripOf("d", address, func(c *schema.Command) {
				c.Holder = &schema.Holder{Standing: schema.StandingClaimed}
				c.Decision.CredentialID = ""
			}))
			if s.denies(&q) != tc.held {
				t.Errorf("%s from %s: held is not %v", name, ip, tc.held)
			}
			s.Apply(1, sec, byHand("f", address, nil))
			if !s.denies(&q) {
				t.Errorf("%s from %s: passes a person's kill switch", name, ip)
			}
		}
	}
}

func TestAddressHasOneSpelling(t *testing.T) {
	for _, tc := range [][2]string{{"::ffff:192.0.2.7", "192.0.2.7"}, {"192.0.2.7", "::ffff:192.0.2.7"}, {"FE80::0:1", "fe80::1%eth0"},
		{"fe80::1%eth1", "fe80::1"}} {
		s := begin(DefaultBudget())
		s.Apply(0, sec, byHand("f", schema.Scope{Kind: schema.ScopeAddress, Value: tc[0]}, nil))
		if !s.denies(&Query{Tenant: "t", ClientIP: netip.MustParseAddr(tc[1])}) {
			t.Errorf("a kill switch on %s does not hold %s", tc[0], tc[1])
		}
		s.Apply(1, sec, &schema.Command{ID: "r", Kind: schema.CommandReset, Tenant: "t",
			Scope: schema.Scope{Kind: schema.ScopeAddress, Value: tc[1]}})
		if s.OpenCount() != 0 {
			t.Errorf("a reset of %s does not close what was opened on %s", tc[1], tc[0])
		}
	}
}

func TestTripOfAnUnknownAddressHoldsNobody(t *testing.T) {
	for _, ip := range []string{"0.0.0.0", "::"} {
		s := begin(DefaultBudget())
		s.Apply(0, sec, tripOf("d", schema.Scope{Kind: schema.ScopeAddress, Value: ip}, func(c *schema.Command) {
			c.Decision.CredentialID = ""
		}))
		if s.denies(&Query{Tenant: "t", ClientIP: netip.MustParseAddr(ip)}) {
			t.Errorf("%s: everybody whose address is not known is held", ip)
		}
	}
}

func claim(c *schema.Command) {
	c.Holder = &schema.Holder{AgentID: c.Decision.AgentID, AgentTrust: schema.TrustAsserted, CredentialID: c.Decision.CredentialID,
		Standing: schema.StandingClaimed}
}

// Six invented names run away, and then an established agent runs away.
func TestInventedNamesSpendTheTripBudget(t *testing.T) {
	for _, action := range []schema.Action{schema.ActionDeny, schema.ActionGate} {
		s := begin(DefaultBudget())
		open := 0
		for i := range 20 {
			_, scope := runScope(byte(i + 1))
			s.Apply(int64(i), sec, tripOf(fmt.Sprint(i), scope, func(c *schema.Command) {
				c.Decision.AgentID, c.Decision.Action, c.ActiveAgents = fmt.Sprint("invented", i), action, 30
				claim(c)
			}))
			if o, _ := s.OutcomeOf(fmt.Sprint(i)); o == enforce.Applied {
				open++
			}
		}
		if open != 5 {
			t.Errorf("%v: %d trips of claimed callers an hour, 5 are in their budget", action, open)
		}
		_, scope := runScope(200)
		s.Apply(100, sec, tripOf("real", scope, func(c *schema.Command) {
			c.ActiveAgents, c.Decision.Action = 30, action
			heldBot("team/bot5", schema.TrustInfrastructure, "k5")(c)
		}))
		if o, _ := s.OutcomeOf("real"); o != enforce.Applied {
			t.Errorf("%v: the trip of an established agent: %s", action, o)
		}
		if spent := s.BudgetUsage("t", sec); action == schema.ActionDeny &&
			(spent.Trips != 1 || spent.Withheld != 0 || spent.Claimed.Trips != 5 || spent.Claimed.Withheld != 15) {
			t.Errorf("spent: %+v", spent)
		}
	}
}

// The API's owner has issued a proven credential: it shares the budget of established callers.
func TestProvenCallersShareTheMainBudget(t *testing.T) {
	s := begin(Budget{PerHour: 1, Percent: 100})
	_, one := runScope(1)
	_, two := runScope(2)
	s.Apply(0, sec, tripOf("1", one, func(c *schema.Command) {
		c.Holder = &schema.Holder{CredentialID: "k", Standing: schema.StandingProven}
	}))
	s.Apply(1, sec, tripOf("2", two, func(c *schema.Command) {
		c.Holder = &schema.Holder{CredentialID: "k2", Standing: schema.StandingEstablished}
	}))
	if o, _ := s.OutcomeOf("2"); o != enforce.TripWithheld {
		t.Error(o)
	}
}

func TestInventedTripsPushOutNobodysBreakersHistoryAndStrikes(t *testing.T) {
	s := begin(Budget{PerHour: 1 << 30, Percent: 100})
	_, scope := runScope(1)
	real := heldBot("a", schema.TrustVerified, "k")
	s.Apply(0, sec, tripOf("first", scope, real))
	_, strikes := runScope(2)
	s.Apply(1, sec, tripOf("strike", strikes, func(c *schema.Command) { real(c); c.Decision.Action, c.TTL = schema.ActionThrottle, sec }))
	s.Apply(2, 3*sec, tick())
	for i := 3; i < maxBreakers+3000; i++ {
		s.Apply(int64(i), 3*sec, tripOf(fmt.Sprint(i), schema.Scope{Kind: schema.ScopeRun, Value: fmt.Sprint(i)}, func(c *schema.Command) {
			c.Decision.Action, c.TTL = schema.ActionAnnotate, sec
			claim(c)
		}))
	}
	if s.OpenCount() > maxBreakers || !s.denies(&Query{Tenant: "t", RunID: schema.RunID{1}}) {
		t.Errorf("%d open; the breaker of an established agent was dropped", s.OpenCount())
	}
	first := false
	for _, b := range s.History() {
		first = first || b.DecisionID == "first"
	}
	if !first || len(s.History()) > maxHistory+maxClaimedHistory {
		t.Errorf("%d in the history; the trip of an established agent is not among them", len(s.History()))
	}
	s.Apply(100_000, 5*sec, tick()) // all breakers of invented names close and leave a strike
	s.Apply(100_001, 5*sec, tripOf("again", strikes, real))
	if b, _ := s.open[keyOf("t", strikes)]; b == nil || b.Strikes != 2 {
		t.Error("the strike of an established agent's run was forgotten")
	}
}

// When established callers have filled all room, a trip of a claimed one is withheld.
func TestClaimedTripTakesNoRoomOfOthers(t *testing.T) {
	s := begin(Budget{PerHour: 1 << 30, Percent: 100})
	for i := range maxBreakers {
		s.Apply(int64(i), sec, tripOf(fmt.Sprint(i), schema.Scope{Kind: schema.ScopeRun, Value: fmt.Sprint(i)},
			heldBot("a", schema.TrustVerified, "k")))
	}
	_, scope := runScope(1)
	s.Apply(1<<20, sec, tripOf("claimed", scope, claim))
	if o, _ := s.OutcomeOf("claimed"); o != enforce.TripWithheld || s.OpenCount() != maxBreakers {
		t.Error(o, s.OpenCount())
	}
	s.Apply(1<<20+1, sec, tripOf("real", scope, heldBot("a", schema.TrustVerified, "k")))
	if o, _ := s.OutcomeOf("real"); o != enforce.Applied || s.OpenCount() != maxBreakers {
		t.Error(o, s.OpenCount())
	}
}

// A snapshot in the middle changes nothing; this includes holders and pools.
func TestRestoredStateHoldsTheSame(t *testing.T) {
	whole, cut := begin(Budget{PerHour: 3, Percent: 100}), begin(Budget{PerHour: 3, Percent: 100})
	for i := range 60 {
		at := int64(i+1) * 7 * sec
		_, scope := runScope(byte(i%12 + 1))
		c := tripOf(fmt.Sprint(i), scope, nil)
		switch i % 4 {
		case 0:
			claim(c)
		case 1:
			heldBot(fmt.Sprint("a", i%3), schema.TrustVerified, "k")(c)
		case 2:
			c = byHand(fmt.Sprint(i), scope, func(c *schema.Command) {
				c.TTL = 30 * sec
				c.Holder = &schema.Holder{CredentialID: fmt.Sprint("k", i%5)}
			})
		}
		a, b := whole.Apply(int64(i), at, c), cut.Apply(int64(i), at, c)
		if x, y := marshal(t, a), marshal(t, b); !bytes.Equal(x, y) {
			t.Fatalf("step %d:\n%s\n%s", i, x, y)
		}
		if i%5 == 0 {
			var snap Snapshot
			if err := json.Unmarshal(marshal(t, cut.Snapshot()), &snap); err != nil {
				t.Fatal(err)
			}
			cut.State = Restore(cut.Budget, &snap)
		}
		for _, q := range []Query{{CredentialID: "k", AgentID: "a1", AgentTrust: schema.TrustVerified}, {CredentialID: "k2"},
			{RunID: schema.RunID{byte(i)}, RunFirstSeen: at - 50*sec, CredentialID: "k"}} {
			q.Tenant = "t"
			if x, y := marshal(t, whole.Match(&q, at)), marshal(t, cut.Match(&q, at)); !bytes.Equal(x, y) {
				t.Fatalf("step %d:\n%s\n%s", i, x, y)
			}
		}
	}
	if x, y := marshal(t, whole.BudgetUsage("t", whole.clock)), marshal(t, cut.BudgetUsage("t", cut.clock)); !bytes.Equal(x, y) {
		t.Errorf("%s\n%s", x, y)
	}
}

func marshal(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
