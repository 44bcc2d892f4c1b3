package backtest

import (
	"fmt"
	"net/netip"
	"reflect"
	"slices"
	"testing"
	"time"

	"flyball/detect/feature"
	"flyball/detect/learn"
	"flyball/detect/model/baseline"
	"flyball/detect/policy"
	"flyball/schema"
	"flyball/schema/route"
)

var began = time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)

// invented is a synthetic run of the history.
type invented struct {
	key, agent, credential string
	trust                  schema.Trust
	rule                   schema.RunRule
	start                  time.Duration
	verdict                schema.VerdictLabel
	calls                  []schema.Call
}

func (r invented) id() schema.RunID { return schema.RunIdentity{Tenant: "t", Key: r.key}.ID() }

// read calls a function with the calls of runs, as learn.ReadAll does.
func read(runs []invented, each func(*learn.StoredCall)) {
	for _, r := range runs {
		of := &schema.RunSnapshot{
			RunID:        r.id(),
			Tenant:       "t",
			Actor:        r.credential,
			Rule:         r.rule,
			AgentID:      r.agent,
			AgentTrust:   r.trust,
			CredentialID: r.credential,
			StartedAt:    began.Add(r.start).UnixNano(),
		}
		for i := range r.calls {
			c := r.calls[i]
			c.RunID, c.RunRule, c.AgentID, c.AgentTrust, c.CredentialID, c.Tenant = of.RunID, r.rule, r.agent, r.trust, r.credential, "t"
			if r.rule == schema.RunExplicit {
				c.RunKey, c.RunKeySource = r.key, "header"
			}
			c.Start += began.Add(r.start).UnixNano()
			c.CallsOffset = c.Start // the log is sorted by time
			out := &learn.StoredCall{
				Run:           of.RunID.String(),
				Agent:         baseline.AgentKey(r.agent, r.trust),
				Group:         baseline.PeerGroup(r.agent, schema.CallerAgent),
				AgentID:       r.agent,
				At:            time.Unix(0, c.Start),
				Reversibility: c.Reversibility,
				First:         i == 0,
				DecisionFacts: &learn.DecisionFacts{Stored: c, Of: of, Verdict: r.verdict},
			}
			feature.Extract(&c, &out.Input)
			each(out)
		}
	}
}

func get(at time.Duration, id int) schema.Call {
	return schema.Call{
		Method:            "GET",
		RouteKey:          "/v1/orders/{}",
		ArgsDigest:        uint64(id) + 1,
		ResultDigest:      uint64(id) + 7,
		ResultDigestBasis: schema.DigestLogged,
		Outcome:           schema.OutcomeOK,
		BytesOut:          500,
		Start:             int64(at),
		Effect:            schema.EffectRead,
		Reversibility:     schema.ReadOnly,
		Resources:         []schema.Resource{{Type: "order", ID: fmt.Sprint(id)}},
	}
}

func remove(at time.Duration, id int) schema.Call {
	c := get(at, id)
	c.Method, c.Effect, c.Reversibility, c.BytesOut = "DELETE", schema.EffectDelete, schema.Irreversible, 2
	return c
}

func pay(at time.Duration, amount, currency string) schema.Call {
	c := remove(at, 7)
	c.Method, c.Effect = "POST", schema.EffectPay
	c.SetAttr(route.AttrAmount, amount)
	if currency != "" {
		c.SetAttr(route.AttrCurrency, currency)
	}
	return c
}

func clean(key string, agent int, start time.Duration) invented {
	r := invented{
		key:        key,
		agent:      fmt.Sprintf("fleet/a%d", agent),
		credential: fmt.Sprintf("k%d", agent),
		trust:      schema.TrustInfrastructure,
		rule:       schema.RunExplicit,
		start:      start,
	}
	for i := range 6 {
		r.calls = append(r.calls, get(time.Duration(i)*time.Second, 100*agent+i))
	}
	return r
}

// loop makes a run that repeats a call 38 times, at intervals of a second, and then deletes and pays.
func loop(key string, agent int, start time.Duration) invented {
	r := clean(key, agent, start)
	r.calls = r.calls[:1]
	for i := 1; i < 38; i++ {
		r.calls = append(r.calls, get(time.Duration(i)*time.Second, 100*agent))
	}
	r.calls = append(r.calls, remove(38*time.Second, 1), remove(39*time.Second, 2), pay(40*time.Second, "12.50", "EUR"),
		pay(41*time.Second, "0.755", "EUR"), pay(42*time.Second, "3", ""))
	failed := pay(43*time.Second, "1000", "EUR")
	failed.Outcome = schema.OutcomeServerError
	r.calls = append(r.calls, failed)
	return r
}

// taught returns the baseline of agents that read orders.
func taught(t *testing.T) *baseline.Baseline {
	t.Helper()
	var runs []*baseline.TrainingRun
	var past []invented
	for agent := range 20 {
		for n := range 10 {
			past = append(past, clean(fmt.Sprintf("past-%d-%d", agent, n), agent, time.Duration(n)*time.Hour))
		}
	}
	var steps feature.RunMemory
	read(past, func(c *learn.StoredCall) {
		if c.First {
			runs, steps = append(runs, &baseline.TrainingRun{ID: c.Run, Agent: c.Agent, Group: c.Group, Start: c.At.UnixNano()}), feature.RunMemory{}
		}
		r := runs[len(runs)-1]
		r.Features, r.Routes = append(r.Features, steps.Add(&c.Input)), append(r.Routes, "GET /v1/orders/{}")
		r.Resources, r.Usage = steps.Resources(), steps.Usage
	})
	return learn.Fit("t", runs)
}

func configuration(name string, change func(*policy.Rules)) Configuration {
	c := Configuration{
		Name:      name,
		Rules:     policy.DefaultRules(),
		TripShare: .001,
		AgentInfo: func(string) ([]string, string) { return nil, "" },
	}
	c.Rules.Arming.All = true
	if change != nil {
		change(&c.Rules)
	}
	return c
}

func compared(t *testing.T, runs []invented, of ...Configuration) []Side {
	t.Helper()
	c := newComparison(taught(t), 1, of...)
	read(runs, c.judge)
	if c.decide() {
		read(runs, c.countPrevented)
	}
	return c.reports()
}

func act(a schema.Action) func(*policy.Rules) {
	return func(r *policy.Rules) {
		r.Graded = []policy.Rule{{Name: "by " + a.String(), Level: schema.LevelTrip, Action: a}}
	}
}

func TestWhatATripWouldHavePrevented(t *testing.T) {
	bad := loop("bad", 7, time.Hour)
	s := compared(t, []invented{clean("good", 3, time.Hour), bad, clean("other", 4, time.Hour)}, configuration("present", nil))[0]
	if len(s.Trips) != 1 {
		t.Fatalf("%d trips", len(s.Trips))
	}
	trip := s.Trips[0]
	if trip.RunID != bad.id().String() || trip.Family != schema.FamilyLoop || trip.Action != "deny" || trip.Mode != "armed" ||
		trip.Scope != (schema.Scope{Kind: schema.ScopeRun, Value: bad.id().String()}) ||
		trip.Why != policy.WhyRunNamed || trip.Rule != "trip denies" || trip.Call < 2 ||
		trip.Call > 30 ||
		!trip.At.Equal(began.Add(time.Hour+time.Duration(trip.Call-1)*time.Second)) {
		t.Errorf("trip: %+v", trip)
	}
	p := trip.Prevented
	if p.Calls != 44-trip.Call || p.Irreversible != 6 || p.Resources != 4 || p.BytesOut != 500*(38-trip.Call)+12 {
		t.Errorf("prevented from call %d on: %+v", trip.Call, p)
	}
	// The failed payment does not count as moved.
	if want := map[string]string{"EUR": "13.255", "": "3"}; !reflect.DeepEqual(p.Amounts, want) {
		t.Errorf("amounts %v, want %v", p.Amounts, want)
	}
	if s.Prevented.Calls != p.Calls || s.IfArmed.Calls != p.Calls || s.BlockedWork != (BlockedWork{Runs: 1, Calls: p.Calls, Unjudged: 1}) ||
		s.Verdicts != (VerdictCounts{Unjudged: 1}) {
		t.Errorf("in all: %+v %+v %+v", s.Prevented, s.BlockedWork, s.Verdicts)
	}
}

// The threshold of the report is that of one class, and a run is judged by that of its own.
func TestThresholdOfABacktestIsOfNoClass(t *testing.T) {
	bad := loop("bad", 7, time.Hour)
	stranger := loop("stranger", 3, time.Hour)
	stranger.agent = "nobody/knows"
	body := taught(t)
	c := newComparison(body, 1, configuration("present", func(r *policy.Rules) {
		r.Graded = []policy.Rule{{Name: "alerts", Level: schema.LevelAlert, Action: schema.ActionThrottle}}
	}))
	read([]invented{bad, stranger}, c.judge)
	c.decide()
	s := c.reports()[0]
	if s.ThresholdOf != schema.KnownAgent || s.Threshold != float64(tripThreshold(body.Thresholds().Levels(schema.KnownAgent, "", .001))) {
		t.Errorf("the report has the threshold %v of %v", s.Threshold, s.ThresholdOf)
	}
	if len(s.Trips) != 2 || s.Trips[0].Acquaintance != schema.NewAgent || s.Trips[1].Acquaintance != schema.NewPopulation ||
		!s.Trips[1].Threshold.IsZero() {
		t.Fatalf("%+v", s.Trips)
	}
	if got, want := s.Trips[0].Threshold, tripThreshold(body.Thresholds().Levels(schema.NewAgent, "fleet", .001)); got != want {
		t.Errorf("a run of a new agent trips above %v, and not %v", got, want)
	}
}

func TestWhatEachActionStops(t *testing.T) {
	bad := loop("bad", 7, time.Hour)
	for action, want := range map[schema.Action]func(trip *Trip) uint64{
		schema.ActionDeny:     func(trip *Trip) uint64 { return 44 - trip.Call },
		schema.ActionGate:     func(*Trip) uint64 { return 6 },
		schema.ActionThrottle: func(*Trip) uint64 { return 0 }, // the run makes one call a second, which the throttle allows
		schema.ActionAnnotate: func(*Trip) uint64 { return 0 },
	} {
		s := compared(t, []invented{bad}, configuration("present", act(action)))[0]
		trip := s.Trips[0]
		if n := want(trip); s.Prevented.Calls != n || trip.Prevented.Calls != n || trip.Action != action.String() ||
			trip.Rule != "by "+action.String() {
			t.Errorf("%v: prevented %d of %+v, want %d", action, s.Prevented.Calls, trip, n)
		}
		if stops := action >= schema.ActionThrottle; (s.BlockedWork.Runs == 1) != stops {
			t.Errorf("%v: healthy %+v", action, s.BlockedWork)
		}
	}
	hasty := bad
	hasty.calls = slices.Clone(bad.calls)
	for i := range hasty.calls {
		hasty.calls[i].Start /= 4 // four calls a second
	}
	s := compared(t, []invented{hasty}, configuration("present", act(schema.ActionThrottle)))[0]
	if after, n := 44-s.Trips[0].Call, s.Prevented.Calls; n < after/2 || n > after*3/4+1 {
		t.Errorf("throttled: %d of %d calls", n, after)
	}
}

func TestNothingIsPreventedThatIsNotEnforced(t *testing.T) {
	bad := loop("bad", 7, time.Hour)
	s := compared(t, []invented{bad}, configuration("present", func(r *policy.Rules) {
		r.Arming = policy.ParseArming(false,
			[]string{"other/*", "tag:batch"})
	}))[0]
	if trip := s.Trips[0]; trip.Mode != "observe" || trip.Why != policy.WhyObserve || s.Prevented.Calls != 0 || s.BlockedWork.Runs != 0 ||
		s.IfArmed.Calls != 44-trip.Call ||
		trip.Prevented.Calls != s.IfArmed.Calls {
		t.Errorf("%+v: prevented %+v, healthy %+v", trip, s.Prevented, s.BlockedWork)
	}
	want := []policy.Unused{
		{Kind: "armed", Name: "other/*", Why: policy.MatchedNothing},
		{Kind: "armed", Name: "tag:batch", Why: policy.MatchedNothing},
	}
	if !slices.Equal(s.Unused, want) {
		t.Errorf("unused %v, want %v", s.Unused, want)
	}
}

func TestPreventionEndsWithTheDecision(t *testing.T) {
	bad := loop("bad", 7, time.Hour)
	bad.calls = bad.calls[:38]
	bad.calls = append(bad.calls, remove(time.Hour, 1)) // long after the loop, and not a repeat
	s := compared(t, []invented{bad}, configuration("present",
		func(r *policy.Rules) { r.TTL = 10 * time.Minute; act(schema.ActionGate)(r) }))[0]
	if len(s.Trips) != 1 || s.Prevented.Calls != 0 {
		t.Errorf("a call an hour later: %+v %+v", s.Trips, s.Prevented)
	}
}

func TestWorkOfOthersThatWouldHaveBeenHeld(t *testing.T) {
	bad := loop("bad", 7, time.Hour)
	sessions := func(r invented) invented { r.rule = schema.RunSession; return r }
	as := func(r invented, agent, credential string, trust schema.Trust) invented {
		r.agent, r.credential, r.trust = agent, credential, trust
		return r
	}
	later := clean("later run", 7, time.Hour+5*time.Minute)
	for name, tc := range map[string]struct {
		bad, other invented
		scope      schema.ScopeKind
		calls      uint64
	}{
		"a new run of the credential":     {bad, clean("next", 7, time.Hour+5*time.Minute), schema.ScopeRun, 6},
		"one that began before":           {bad, clean("before", 7, time.Hour-time.Second), schema.ScopeRun, 0},
		"another agent's":                 {bad, clean("another", 8, time.Hour+5*time.Minute), schema.ScopeRun, 0},
		"under another asserted name":     {bad, as(later, "other", "k7", schema.TrustAsserted), schema.ScopeRun, 6},
		"of the agent with another key":   {bad, as(later, bad.agent, "k70", bad.trust), schema.ScopeRun, 6},
		"of an agent that shares the key": {bad, as(later, "fleet/a8", "k7", bad.trust), schema.ScopeRun, 0},
		"after its time":                  {bad, clean("later", 7, 2*time.Hour), schema.ScopeRun, 0},
		"one that no request names: the key's": {sessions(bad), sessions(clean("beside", 7, time.Hour+41*time.Second)), schema.ScopeCredential,
			6},
		"one that no request names: before its": {sessions(bad), sessions(clean("earlier", 7, 0)), schema.ScopeCredential, 0},
	} {
		s := compared(t, []invented{tc.other, tc.bad}, configuration("present", nil))[0]
		if len(s.Trips) != 1 || s.Trips[0].Scope.Kind != tc.scope {
			t.Fatalf("%s: %+v", name, s.Trips)
		}
		runs := 0
		if tc.calls > 0 {
			runs = 1
		}
		if h := s.BlockedWork; h.OtherCalls != tc.calls || h.Others != runs {
			t.Errorf("%s: %+v, want %d calls of others", name, h, tc.calls)
		}
	}
}

func TestAddressAndAgentAreHeldWhereThatIsTheScope(t *testing.T) {
	at := netip.MustParseAddr("10.0.0.9")
	from := func(r invented) invented {
		r.credential, r.rule = "", schema.RunSession
		for i := range r.calls {
			r.calls[i].ClientIP = at
		}
		return r
	}
	bad, other := from(loop("bad", 7, time.Hour)), from(clean("other", 8, time.Hour+time.Minute))
	s := compared(t, []invented{bad, other}, configuration("present", nil))[0]
	if s.Trips[0].Scope != (schema.Scope{Kind: schema.ScopeAgent, Value: "fleet/a7"}) || s.BlockedWork.Others != 0 {
		t.Errorf("an established agent: %+v %+v", s.Trips[0], s.BlockedWork)
	}
	bad.trust, other.trust = schema.TrustAsserted, schema.TrustAsserted
	s = compared(t, []invented{bad, other}, configuration("present", nil))[0]
	if s.Trips[0].Scope != (schema.Scope{Kind: schema.ScopeAddress, Value: "10.0.0.9"}) || s.BlockedWork.OtherCalls != 6 {
		t.Errorf("an asserted one: %+v %+v", s.Trips[0], s.BlockedWork)
	}
	other.trust = schema.TrustInfrastructure
	s = compared(t, []invented{bad, other}, configuration("present", nil))[0]
	if s.Trips[0].Scope.Kind != schema.ScopeAddress || s.BlockedWork.OtherCalls != 0 {
		t.Errorf("an established one at the address of an asserted: %+v %+v", s.Trips[0], s.BlockedWork)
	}
}

func TestSecondRunOfACredentialIsHeldByIt(t *testing.T) {
	s := compared(t, []invented{loop("second", 7, time.Hour+5*time.Minute), loop("first", 7, time.Hour), loop("much later", 7, 5*time.Hour)},
		configuration("present", nil))[0]
	var got []schema.ScopeKind
	for _, trip := range s.Trips {
		got = append(got, trip.Scope.Kind)
	}
	if want := []schema.ScopeKind{schema.ScopeRun, schema.ScopeCredential, schema.ScopeRun}; !slices.Equal(got, want) {
		t.Fatalf("scopes %v, want %v", got, want)
	}
}

func TestRunsThatPeopleJudged(t *testing.T) {
	var runs []invented
	for i, v := range []schema.VerdictLabel{schema.VerdictTrue, schema.VerdictBenign, schema.VerdictTest, schema.VerdictUnknown} {
		r := loop(fmt.Sprint("bad-", i), 7+i, time.Hour)
		r.verdict = v
		runs = append(runs, r)
	}
	s := compared(t, runs, configuration("present", nil))[0]
	if s.Verdicts != (VerdictCounts{1, 1, 1, 1}) || s.BlockedWork.Runs != 2 || s.BlockedWork.Benign != 1 || s.BlockedWork.Unjudged != 1 ||
		2*s.BlockedWork.Calls != s.Prevented.Calls {
		t.Fatalf("%+v %+v %+v", s.Verdicts, s.BlockedWork, s.Prevented)
	}
	if got := s.Trips[1].Verdict + s.Trips[3].Verdict; got != "benign" {
		t.Errorf("verdicts of trips: %q", got)
	}
}

func TestCandidateIsComparedByRuns(t *testing.T) {
	runs := []invented{loop("a", 7, time.Hour), loop("b", 8, time.Hour), clean("good", 3, time.Hour)}
	present := configuration("present", func(r *policy.Rules) {
		r.Graded = []policy.Rule{
			{Name: "seven is let be", Agent: "fleet/a7", Action: schema.ActionNone},
			{Name: "nobody's", Agent: "fleet/nobody", Action: schema.ActionDeny},
		}
	})
	candidate := configuration("candidate", act(schema.ActionGate))
	sides := compared(t, runs, present, candidate)
	d := compareSides(&sides[0], &sides[1])
	if !slices.Equal(d.OnlyCandidate, []string{runs[0].id().String()}) || len(d.OnlyPresent) != 0 || len(d.Changed) != 1 ||
		d.Changed[0].RunID != runs[1].id().String() ||
		d.Changed[0].Present.Action != "deny" ||
		d.Changed[0].Candidate.Action != "gate" ||
		d.Changed[0].Candidate.Rule != "by gate" {
		t.Errorf("%+v", d)
	}
	back := compareSides(&sides[1], &sides[0])
	if !slices.Equal(back.OnlyPresent, d.OnlyCandidate) {
		t.Errorf("the other way round: %+v", back)
	}
	if want := []policy.Unused{{Kind: "policy", Name: "nobody's", Why: policy.MatchedNothing}}; !slices.Equal(sides[0].Unused, want) ||
		len(sides[1].Unused) != 0 {
		t.Errorf("unused %v and %v", sides[0].Unused, sides[1].Unused)
	}
	if same := compareSides(&sides[0], &sides[0]); len(same.OnlyCandidate)+len(same.OnlyPresent)+len(same.Changed) != 0 {
		t.Errorf("one differs from itself: %+v", same)
	}
}

func TestExceptionUsedInABacktest(t *testing.T) {
	bad, same := loop("a", 7, time.Hour), loop("b", 7, time.Hour)
	same.trust = schema.TrustAsserted // the caller only claims the name of the agent
	except := func(agent string, ends time.Time) func(*policy.Rules) {
		return func(r *policy.Rules) {
			r.Exceptions = []policy.Exception{{Name: "meant", Agent: agent, Family: "*", Expires: ends.UnixNano(), Approver: "ana", Why: "x"}}
		}
	}
	late := began.Add(24 * time.Hour)
	sides := compared(t, []invented{bad, same}, configuration("present", nil), configuration("candidate", except("fleet/a7", late)))
	if n := len(sides[0].Trips); n != 2 {
		t.Fatalf("without it: %d trips", n)
	}
	s := sides[1]
	if len(s.Trips) != 1 || s.Trips[0].RunID != same.id().String() || len(s.Unused) != 0 {
		t.Errorf("it covers whoever takes its name: %+v, unused %v", s.Trips, s.Unused)
	}
	if len(s.Excepted) == 0 || s.Excepted[0].Exception != "meant" || s.Excepted[0].RunID != bad.id().String() ||
		s.Excepted[0].Level != "trip" {
		t.Errorf("excepted: %+v", s.Excepted)
	}
	for name, c := range map[string]Configuration{"expired": configuration("c", except("fleet/a7", began)), "of another " +
		"agent": configuration("c", except("fleet/a8", late))} {
		s := compared(t, []invented{bad}, c)[0]
		if len(s.Trips) != 1 || len(s.Excepted) != 0 ||
			!slices.Equal(s.Unused, []policy.Unused{{Kind: "exception", Name: "meant", Why: policy.MatchedNothing}}) {
			t.Errorf("%s: %d trips, unused %v", name, len(s.Trips), s.Unused)
		}
	}
}

func TestHistoryOfNothing(t *testing.T) {
	s := compared(t, nil, configuration("present", nil))[0]
	if len(s.Trips) != 0 || s.Share != 0 || s.High != 1 && s.High != 0 || s.Trips == nil || s.Excepted == nil || s.Unused == nil {
		t.Errorf("%+v", s)
	}
}
