package ledger

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"flyball/detect/enforce"
	"flyball/detect/enforce/breaker"
	"flyball/schema"
)

func order(id string, kind schema.CommandKind, pattern string) *schema.Command {
	return &schema.Command{ID: id, Kind: kind, Tenant: "t", By: "ann", Role: "admin", Reason: "r",
		Arming: &schema.ArmingOrder{Pattern: pattern}}
}

// found returns a trip as the detector of an installation in mode observe sends it.
func found(id string, mode schema.Mode, change func(*schema.Command)) *schema.Command {
	return tripOf(id, runScope(id[0]), func(c *schema.Command) {
		c.Decision.Mode, c.Decision.Family, c.Decision.AgentID, c.Decision.Route = mode, schema.FamilyDestroy, "ops/purge",
			"DELETE /v1/orders/{id}"
		c.Holder = &schema.Holder{AgentID: "ops/purge", AgentTrust: schema.TrustInfrastructure, CredentialID: "k", Tags: []string{"batch"}}
		if change != nil {
			change(c)
		}
	})
}

func TestTripIsEnforcedAsCommandsSayAndNotAsTheDetectorsFileSaid(t *testing.T) {
	for name, tc := range map[string]struct {
		orders []*schema.Command
		trip   *schema.Command
		open   int
		why    string
	}{
		"the file observes": {nil, found("a", schema.ModeObserve, nil), 0, ""},
		"armed by command": {[]*schema.Command{order("1", schema.CommandArm, "ops/purge")}, found("a", schema.ModeObserve, nil), 1,
			whyArmed},
		"armed by tag": {[]*schema.Command{order("1", schema.CommandArm, "tag:batch")}, found("a", schema.ModeObserve, nil), 1,
			whyArmed},
		"the file is armed": {nil, found("a", schema.ModeArmed, nil), 1, ""},
		"disarmed by command": {[]*schema.Command{order("1", schema.CommandDisarm, "ops/*")}, found("a", schema.ModeArmed, nil), 0,
			whyDisarmed},
		"too old stays recorded": {[]*schema.Command{order("1", schema.CommandArm, "*")}, found("a", schema.ModeWouldHave, nil), 0, ""},
		"no scope stays recorded": {[]*schema.Command{order("1", schema.CommandArm, "*")},
			found("a", schema.ModeObserve, func(c *schema.Command) { c.Decision.Scope = schema.Scope{} }), 0, ""},
		"a claimed name is not disarmed": {[]*schema.Command{order("1", schema.CommandDisarm, "ops/purge")},
			found("a", schema.ModeArmed, func(c *schema.Command) { c.Holder.AgentTrust = schema.TrustAsserted }), 1, ""},
		"who acts is not known": {[]*schema.Command{order("1", schema.CommandDisarm, "ops/purge")},
			found("a", schema.ModeArmed, func(c *schema.Command) { c.Holder = nil }), 1, ""},
		"of a version without families": {[]*schema.Command{order("1", schema.CommandArm, "*")},
			found("a", schema.ModeObserve, func(c *schema.Command) { c.Decision.Family = "" }), 0, ""},
		"a learned scope by arming all": {[]*schema.Command{order("1", schema.CommandArm, "*")},
			found("a", schema.ModeObserve, func(c *schema.Command) { c.Decision.Family = schema.FamilyScope }), 0, ""},
		"the newest about a pattern": {[]*schema.Command{order("1", schema.CommandArm, "*"), order("2", schema.CommandDisarm, "*")},
			found("a", schema.ModeArmed, nil), 0, whyDisarmed},
		"armed as it was is as it was": {[]*schema.Command{order("1", schema.CommandArm, "*")}, found("a", schema.ModeArmed, nil), 1, ""},
		"an order without reason is none": {[]*schema.Command{{ID: "1", Kind: schema.CommandArm, Tenant: "t",
			Arming: &schema.ArmingOrder{Pattern: "*"}}}, found("a", schema.ModeObserve, nil), 0, ""},
	} {
		s := New(breaker.DefaultBudget())
		for i, c := range tc.orders {
			s.Apply(int64(i), sec, c)
		}
		before, _ := json.Marshal(tc.trip)
		s.Apply(10, 2*sec, tc.trip)
		if after, _ := json.Marshal(tc.trip); string(after) != string(before) {
			t.Errorf("%s: the record itself was changed", name)
		}
		if s.Breakers.OpenCount() != tc.open || s.Breakers.History()[0].Why != tc.why {
			t.Errorf("%s: %d open, %+v", name, s.Breakers.OpenCount(), s.Breakers.History()[0])
		}
	}
}

func TestCheckFollowsCommandsBeforeThePointsFile(t *testing.T) {
	s := New(breaker.DefaultBudget())
	r := &Request{Request: enforce.Request{Call: &schema.Call{Tenant: "t", AgentID: "ops/purge", AgentTrust: schema.TrustVerified}},
		Armed: func(string, string) bool { return false },
		Tags:  func(string) []string { return []string{"batch"} }}
	armed := func() bool { return s.Armed(r, "policy.scope") }
	for i, step := range []struct {
		c    *schema.Command
		want bool
	}{
		{order("1", schema.CommandArm, "tag:batch"), true},
		{order("2", schema.CommandDisarm, "family:policy.*"), true}, // a tag is more specific
		{order("3", schema.CommandDisarm, "ops/*"), false},
		{order("4", schema.CommandArm, "ops/purge"), true},
	} {
		s.Apply(int64(i), sec, step.c)
		if armed() != step.want {
			t.Errorf("after %s %s: %v", step.c.Kind, step.c.Arming.Pattern, armed())
		}
	}
}

func exceptionFor(id string) *schema.Command {
	return &schema.Command{ID: "o_" + id, Kind: schema.CommandException, Tenant: "t", By: "ann", Role: "admin", Reason: "the nightly purge",
		TTL:       60 * sec,
		Exception: &schema.ExceptionOrder{Agent: "ops/*", Family: "runaway.*", Routes: []string{"DELETE /v1/orders/{id}"}}}
}

func TestExceptedTripOpensNothingAndSpendsNoBudget(t *testing.T) {
	s := New(breaker.Budget{PerHour: 1, Percent: 100})
	s.Apply(0, sec, exceptionFor("1"))
	s.Apply(1, 2*sec, found("a", schema.ModeArmed, nil))
	if r, _ := s.Result("a"); r.Code != enforce.TripExcepted || r.Ref != "x_1" || s.Breakers.OpenCount() != 0 {
		t.Fatalf("%+v, %d open", r, s.Breakers.OpenCount())
	}
	if b := s.Breakers.History()[0]; b.Why != whyExcepted || b.Mode != schema.ModeObserve {
		t.Errorf("%+v", b)
	}
	if l := s.Exceptions.List("t"); l[0].Covered != 1 || l[0].CoveredAt != 2*sec {
		t.Errorf("%+v", l)
	}
	s.Apply(2, 3*sec, found("b", schema.ModeArmed, func(c *schema.Command) { c.Decision.Route = "POST /v1/refunds" }))
	if s.Breakers.OpenCount() != 1 {
		t.Error("it did something else, and there was no budget or no breaker for that")
	}
	s.Apply(3, 70*sec, found("c", schema.ModeArmed, nil))
	if r, _ := s.Result("c"); r.Code == enforce.TripExcepted {
		t.Error("the exception did not end")
	}
}

func TestBypassOfAnAgentIsItsAloneAndEnds(t *testing.T) {
	agent := schema.Scope{Kind: schema.ScopeAgent, Value: "ops/purge"}
	s := New(breaker.DefaultBudget())
	s.Apply(0, sec, &schema.Command{ID: "f", Kind: schema.CommandForceOpen, Tenant: "t",
		Scope: schema.Scope{Kind: schema.ScopeTenant, Value: "t"}, Reason: "all stop"})
	s.Apply(1, sec, &schema.Command{ID: "b", Kind: schema.CommandBypass, Tenant: "t", Scope: agent, TTL: 60 * sec, Reason: "false alarms"})
	ask := func(id string, trust schema.Trust) schema.Action {
		d := s.Decide(&Request{Request: enforce.Request{Call: &schema.Call{Tenant: "t", AgentID: id, AgentTrust: trust}}})
		return d.Action
	}
	if ask("ops/purge", schema.TrustInfrastructure) != schema.ActionNone {
		t.Error("the bypassed agent is denied")
	}
	if ask("ops/purge", schema.TrustAsserted) != schema.ActionDeny {
		t.Error("claiming the name of a bypassed agent is an escape")
	}
	if ask("billing/bot", schema.TrustInfrastructure) != schema.ActionDeny || ask("", schema.TrustNone) != schema.ActionDeny {
		t.Error("a bypass of one agent is one of others")
	}
	s.Apply(2, 2*sec, &schema.Command{ID: "e", Kind: schema.CommandBypassEnd, Tenant: "t", Reason: "x"})
	if r, _ := s.Result("e"); r.Code != enforce.NoBypass {
		t.Errorf("the tenant had none: %+v", r)
	}
	s.Apply(3, 2*sec, &schema.Command{ID: "g", Kind: schema.CommandBypassEnd, Tenant: "t", Scope: agent, Reason: "x"})
	if ask("ops/purge", schema.TrustInfrastructure) != schema.ActionDeny {
		t.Error("the bypass did not end by command")
	}
	s.Apply(4, 3*sec, &schema.Command{ID: "h", Kind: schema.CommandBypass, Tenant: "t", Scope: agent, TTL: 5 * sec, Reason: "again"})
	s.Apply(5, 9*sec, &schema.Command{Kind: schema.CommandTick})
	if ask("ops/purge", schema.TrustInfrastructure) != schema.ActionDeny || len(s.Breakers.Bypasses("t", s.Position.Time)) != 0 {
		t.Error("the bypass did not end by itself")
	}
}

func TestWhatCommandsSaidOutlivesARestart(t *testing.T) {
	s := New(breaker.DefaultBudget())
	s.Apply(0, sec, &schema.Command{ID: "b0", Kind: schema.CommandBypass, Tenant: "t", TTL: int64(time.Hour), Reason: "x"})
	old := s.Snapshot()
	s.Apply(1, sec, order("1", schema.CommandArm, "billing/*"))
	s.Apply(2, sec, exceptionFor("1"))
	s.Apply(3, sec, &schema.Command{ID: "b1", Kind: schema.CommandBypass, Tenant: "t",
		Scope: schema.Scope{Kind: schema.ScopeAgent, Value: "a"}, TTL: int64(time.Hour), Reason: "x"})
	for _, snap := range []*Snapshot{old, s.Snapshot()} {
		text, err := json.Marshal(snap)
		if err != nil {
			t.Fatal(err)
		}
		var read Snapshot
		if err := json.Unmarshal(text, &read); err != nil {
			t.Fatal(err)
		}
		again, err := Restore(breaker.DefaultBudget(), &read)
		if err != nil {
			t.Fatal(err)
		}
		if text2, _ := json.Marshal(again.Snapshot()); !reflect.DeepEqual(text, text2) {
			t.Errorf("restored as\n%s, was\n%s", text2, text)
		}
	}
	snap := s.Snapshot()
	if len(snap.Breakers.Bypasses) != 1 || len(snap.Breakers.AgentBypasses) != 1 {
		t.Errorf("an agent's bypass among those of tenants: a binary of the version before would bypass everybody: %+v", snap.Breakers)
	}
}

func TestEveryOrderLeavesAnEntryInTheTrail(t *testing.T) {
	s := New(breaker.DefaultBudget())
	for i, tc := range []struct {
		c       *schema.Command
		subject string
		outcome string
	}{
		{order("1", schema.CommandArm, "billing/*"), "arming:billing/*", "armed"},
		{order("2", schema.CommandDisarm, "billing/*"), "arming:billing/*", "disarmed"},
		{exceptionFor("9"), "exception:x_9", "added"},
		{&schema.Command{ID: "r", Kind: schema.CommandExceptionRemove, Tenant: "t", Reason: "r", Exception: &schema.ExceptionOrder{ID: "x_9"}},
			"exception:x_9", "removed"},
		{&schema.Command{ID: "b", Kind: schema.CommandBypass, Tenant: "t", Scope: schema.Scope{Kind: schema.ScopeAgent, Value: "a"}, TTL: sec,
			Reason: "r"}, "agent:a", "applied"},
		{&schema.Command{ID: "e", Kind: schema.CommandBypassEnd, Tenant: "t", Scope: schema.Scope{Kind: schema.ScopeAgent, Value: "a"},
			Reason: "r"}, "agent:a", "applied"},
	} {
		events := s.Apply(int64(i), sec, tc.c)
		e := events[len(events)-1].Audit
		if e == nil || e.Subject != tc.subject || e.Outcome != tc.outcome || e.Reason == "" || e.Kind != tc.c.Kind.String() {
			t.Errorf("%s: %+v", tc.c.ID, e)
		}
	}
}
