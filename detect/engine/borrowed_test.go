package engine

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/detect/model/calibrate"
	"flyball/detect/model/sharedcredential"
	"flyball/detect/policy"
	"flyball/schema"
	"flyball/schema/wire"
)

// sessions writes calls of one person's session as one block.
func (l *log) sessions(from, to int, of func(i int) schema.Call) {
	l.t.Helper()
	var calls []*schema.Call
	for i := from; i < to; i++ {
		c := of(i)
		c.Source, c.Pos = schema.Source{Topic: "gw", TopicID: schema.TopicID{7}}, schema.Position{Offset: int64(i)}
		c.Tenant, c.RoutingKey, c.CredentialID, c.Start = "default", "c:cookie-1", "cookie-1", 1795176000e9+int64(i)*3e9
		c.Method, c.RouteKey, c.Route = or(c.Method, "POST"), "/orders", "/orders"
		c.PrincipalID, c.PrincipalKind = "ann@example.com", schema.PrincipalHuman
		c.ArgsDigest = uint64(i + 1)
		calls = append(calls, &c)
	}
	var enc wire.CallsEncoder
	l.write(enc.Encode(nil, calls))
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// byMachine returns identical calls with identical answers; every third call fails.
func byMachine(i int) schema.Call {
	c := schema.Call{BytesIn: 100, BytesOut: 200, Outcome: schema.OutcomeOK, CallerKind: schema.CallerHuman}
	if i%3 == 0 {
		c.Outcome = schema.OutcomeClientError
	}
	return c
}

func byPerson(i int) schema.Call {
	c := schema.Call{BytesIn: uint64(90 + 13*i), BytesOut: uint64(300 + 31*i), Outcome: schema.OutcomeOK, CallerKind: schema.CallerHuman}
	if i%2 == 0 {
		c.Method, c.Path = "GET", "/static/app.js"
	}
	return c
}

// peopleOf returns what 150 sessions of a tenant's people on a route taught. Without pages, they load no assets, and the
// times of their calls are not known.
func peopleOf(t *testing.T, route string, pages bool) *sharedcredential.TenantPeople {
	t.Helper()
	random := rand.New(rand.NewPCG(7, 8))
	var sessions [][]sharedcredential.Input
	for range 150 {
		var calls []sharedcredential.Input
		at := int64(1795000000e9)
		for i := range 8 + random.IntN(20) {
			c := byPerson(i)
			c.Method, c.RouteKey, c.Start = or(c.Method, "POST"), route, at
			c.BytesOut += uint64(random.IntN(20))
			if !pages {
				c.Path, c.Start = "", 0
			}
			calls = append(calls, sharedcredential.FromCall(&c, &feature.CallFeatures{Write: c.Method == "POST"}))
			at += int64(2e9 + random.IntN(20e9))
		}
		sessions = append(sessions, calls)
	}
	out := sharedcredential.LearnTenantPeople(sharedcredential.EmbeddedModel(), sessions)
	if out == nil {
		t.Fatal("the sessions teach nothing")
	}
	return out
}

// activate publishes a baseline and activates it from the next call on.
func (l *log) activate(body *baseline.Baseline) {
	l.t.Helper()
	value, err := wire.EncodeDocument(wire.BaselineVersion, body)
	if err != nil {
		l.t.Fatal(err)
	}
	if err := l.client.ProduceSync(context.Background(), &kgo.Record{Topic: wire.BaselinesTopic, Key: []byte(body.Version),
		Value: value}).FirstErr(); err != nil {
		l.t.Fatal(err)
	}
	l.write(wire.EncodeMarks(nil, &wire.Marks{Activate: []wire.Activation{{What: "baseline", Version: body.Version}}}))
}

// taughtByPeople activates a baseline that knows the tenant's people on a route.
func (l *log) taughtByPeople(route string) {
	l.t.Helper()
	body := baseline.New("default")
	body.Version, body.Calibration, body.People = "default/1", calibrate.FitScores(nil, nil), peopleOf(l.t, route, true)
	l.activate(body)
}

// said returns the findings of the family and the number of commands, after a marker that was
// written last has been applied.
func (l *log) said(e *Engine) (findings []schema.Finding, commands int) {
	l.t.Helper()
	l.settle(e)
	l.each(wire.EventsTopic, func(r *kgo.Record) {
		event, err := wire.DecodeEvent(r.Value)
		if err != nil {
			l.t.Fatal(err)
		}
		if f := event.Finding; f != nil && f.Family == schema.FamilyBorrowed {
			findings = append(findings, *f)
		}
	})
	l.each(wire.CommandsTopic, func(*kgo.Record) { commands++ })
	return findings, commands
}

// settle waits until the engine's first partition has applied and stored everything.
func (l *log) settle(e *Engine) {
	l.t.Helper()
	end := l.ends(wire.CallsTopic)
	for until := time.Now().Add(20 * time.Second); time.Now().Before(until); time.Sleep(10 * time.Millisecond) {
		if w := e.worker(0); w != nil && w.committed.Load().Offset >= end {
			return
		}
	}
	l.t.Fatal("not everything was applied within 20 s")
}

// ends returns the end of a topic. It uses a new client: a client that has seen a topic before it
// was made assumes for a while that there is none.
func (l *log) ends(name string) int64 {
	l.t.Helper()
	c, err := kgo.NewClient(l.opts...)
	if err != nil {
		l.t.Fatal(err)
	}
	defer c.Close()
	offsets, err := kadm.NewClient(c).ListEndOffsets(context.Background(), name)
	if err == nil {
		err = offsets.Error()
	}
	if err != nil {
		l.t.Fatal(err)
	}
	o, _ := offsets.Lookup(name, 0)
	return o.Offset
}

// each calls f for the records of the first partition of a topic.
func (l *log) each(name string, f func(*kgo.Record)) {
	l.t.Helper()
	end := l.ends(name)
	if end == 0 {
		return
	}
	c, err := kgo.NewClient(append(l.opts, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{name: {0: kgo.NewOffset().AtStart()}}))...)
	if err != nil {
		l.t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	for at := int64(0); at < end; {
		fetches := c.PollFetches(ctx)
		if ctx.Err() != nil {
			l.t.Fatalf("%s: read %d of %d records", name, at, end)
		}
		fetches.EachRecord(func(r *kgo.Record) { at = r.Offset + 1; f(r) })
	}
}

func armed(rules ...policy.Rule) func(*Config) {
	return func(c *Config) {
		c.Rules.Arming.All, c.Rules.Graded = true, rules
		c.Rules.TooOld = 1 << 62 // the calls have a fixed date
	}
}

func TestBorrowedSessionIsSuspectedAndNothingTrips(t *testing.T) {
	hard := []policy.Rule{{Name: "all alerts are denied", Level: schema.LevelAlert, Action: schema.ActionDeny},
		{Name: "this family too", Family: schema.FamilyBorrowed, Action: schema.ActionDeny}, {Name: "or by pattern", Family: "borrowed*",
			Action: schema.ActionGate}}
	for name, rules := range map[string][]policy.Rule{"armed": nil, "armed, with rules that deny": hard} {
		l := newLog(t)
		l.taughtByPeople("/orders")
		e, stop := l.start(armed(rules...))
		l.sessions(0, 30, byMachine)
		findings, commands := l.said(e)
		if len(findings) == 0 {
			t.Fatalf("%s: no finding", name)
		}
		if commands != 0 {
			t.Errorf("%s: %d commands", name, commands)
		}
		for _, f := range findings {
			if f.Level != schema.LevelAlert || f.Decision != nil || f.ID != findings[0].ID || f.PrincipalID != "ann@example.com" ||
				f.ExpectedRate <= 0 || f.ExpectedRate > .01 || len(f.Evidence) < 2 {
				t.Errorf("%s: %+v", name, f)
			}
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
}

// A rule of the operator that names the family can require a person's approval.
func TestOperatorsRuleGatesABorrowedSession(t *testing.T) {
	l := newLog(t)
	l.taughtByPeople("/orders")
	e, _ := l.start(armed(policy.Rule{Name: "ask", Family: schema.FamilyBorrowed, Action: schema.ActionGate}))
	l.sessions(0, 30, byMachine)
	findings, commands := l.said(e)
	if commands != 1 || findings[0].Decision == nil || findings[0].Decision.Action != schema.ActionGate {
		t.Fatalf("%d commands, %+v", commands, findings[0].Decision)
	}
}

func TestNobodyIsSuspectedWithoutReason(t *testing.T) {
	for name, tc := range map[string]struct {
		calls int
		of    func(i int) schema.Call
	}{
		"a person's usual session": {60, byPerson},
		"too few calls":            {4, byMachine},
		"a sampled source":         {30, func(i int) schema.Call { c := byMachine(i); c.SampleWeight = 10; return c }},
		"sampled now and then": {30, func(i int) schema.Call {
			c := byMachine(i)
			if i == 0 {
				c.SampleWeight = 10
			}
			return c
		}},
		"an established agent": {30, func(i int) schema.Call {
			c := byMachine(i)
			c.AgentID, c.AgentTrust, c.CallerKind = "billing/bot", schema.TrustInfrastructure, schema.CallerAgent
			return c
		}},
	} {
		l := newLog(t)
		l.taughtByPeople("/orders")
		e, stop := l.start(armed())
		l.sessions(0, tc.calls, tc.of)
		if findings, commands := l.said(e); len(findings) != 0 || commands != 0 {
			t.Errorf("%s: %d findings, %d commands", name, len(findings), commands)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
}

// The engine is stopped after four calls, too few to judge, and restarted: the finding is made
// once, at the same call as without a restart.
func TestSuspicionSurvivesARestart(t *testing.T) {
	whole := newLog(t)
	whole.taughtByPeople("/orders")
	e, _ := whole.start()
	for i := range 30 {
		whole.sessions(i, i+1, byMachine)
	}
	want, _ := whole.said(e)

	l := newLog(t)
	l.taughtByPeople("/orders")
	for i := range 30 {
		l.sessions(i, i+1, byMachine)
		if i == 3 || i == 20 {
			e, stop := l.start()
			l.settle(e)
			if err := stop(); err != nil {
				t.Fatal(err)
			}
		}
	}
	e, _ = l.start()
	got, _ := l.said(e)
	if len(want) == 0 || len(got) != len(want) {
		t.Fatalf("%d versions of the finding, without restarts %d", len(got), len(want))
	}
	for i := range got {
		a, b := got[i], want[i]
		if fmt.Sprint(a.Version, a.Score, a.Call, a.Evidence, a.DelayCalls) != fmt.Sprint(b.Version, b.Score, b.Call, b.Evidence, b.DelayCalls) {
			t.Errorf("version %d: %+v, want %+v", i, a, b)
		}
	}
}

// The finding is closed with its run.
func TestSuspicionClosesWithItsRun(t *testing.T) {
	l := newLog(t)
	l.taughtByPeople("/orders")
	e, _ := l.start()
	l.sessions(0, 30, byMachine)
	later := schema.Call{Source: schema.Source{Topic: "gw", TopicID: schema.TopicID{7}}, Pos: schema.Position{Offset: 1000},
		Tenant: "default", RoutingKey: "g:other", CredentialID: "other",
		Start: 1795176000e9 + int64(10*time.Hour), Method: "GET", RouteKey: "/", Outcome: schema.OutcomeOK}
	var enc wire.CallsEncoder
	l.write(enc.Encode(nil, []*schema.Call{&later}))
	findings, _ := l.said(e)
	if last := findings[len(findings)-1]; last.State != schema.FindingClosed || last.Reason == "" || last.ID != findings[0].ID {
		t.Fatalf("%+v", last)
	}
}

// A session on an API on which no people's sessions were learned is compared with nobody: not with the people of public
// data, and not with the tenant's people elsewhere.
func TestBorrowedOnAnUnlearnedApiIsANumber(t *testing.T) {
	named := func(api string) func(i int) schema.Call {
		return func(i int) schema.Call { c := byMachine(i); c.API = api; return c }
	}
	for name, tc := range map[string]struct {
		learned   string // the route of people's sessions; empty: none were learned
		calls     func(i int) schema.Call
		said      bool
		abstained float64
	}{
		"people were learned here":           {"/orders", byMachine, true, 0},
		"no people were learned":             {"", byMachine, false, 30},
		"people were learned on another API": {"/wiki/{}", byMachine, false, 30},
		"an API with another name":           {"/orders", named("payments"), false, 30},
		"from the tenth call on, a learned API": {"/orders", func(i int) schema.Call {
			if i < 10 {
				return named("payments")(i)
			}
			return byMachine(i)
		}, true, 10},
	} {
		l := newLog(t)
		if tc.learned != "" {
			l.taughtByPeople(tc.learned)
		}
		registry := prometheus.NewRegistry()
		e, stop := l.start(armed(), func(c *Config) { c.Registerer = registry })
		l.sessions(0, 30, tc.calls)
		findings, commands := l.said(e)
		if (len(findings) > 0) != tc.said || commands != 0 {
			t.Errorf("%s: %d commands, %+v", name, commands, findings)
		}
		for _, f := range findings {
			if f.ExpectedOf != "people" || f.ExpectedRuns != 150 || f.Acquaintance != schema.NewAgent || f.DelayCalls < uint64(tc.abstained) {
				t.Errorf("%s: %+v", name, f)
			}
			for _, c := range f.Evidence {
				if !c.Peers.IsZero() {
					t.Errorf("%s: %s of machines elsewhere is %v", name, c.Feature, c.Peers)
				}
			}
		}
		if got := abstained(t, registry, "flyball_borrowed_abstained_total")[sharedcredential.WhyNothingLearned]; got != tc.abstained {
			t.Errorf("%s: abstained from %v calls, want %v", name, got, tc.abstained)
		}
		if err := stop(); err != nil {
			t.Fatal(err)
		}
	}
}
