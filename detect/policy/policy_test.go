package policy

import (
	"net/netip"
	"testing"
	"time"

	"flyball/schema"
)

func input(f func(*Input)) Input {
	in := Input{
		Finding: &schema.Finding{ID: "f_x", Tenant: "t", Level: schema.LevelTrip, AgentID: "billing/bot"},
		Run:     &schema.RunSnapshot{Rule: schema.RunExplicit, CredentialID: "k_1", AgentID: "billing/bot", AgentTrust: schema.TrustAsserted},
		Call:    &schema.Call{RunKey: "r-1", ClientIP: netip.MustParseAddr("10.0.0.1")},
	}
	if f != nil {
		f(&in)
	}
	return in
}

func TestScopeIsTheNarrowestThatBites(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*Input)
		kind   schema.ScopeKind
		why    string
	}{
		"a run that the request names": {nil, schema.ScopeRun, WhyRunNamed},
		"sessionised run is denied": {func(in *Input) { in.Run.Rule, in.Call.RunKey = schema.RunSession, "" }, schema.ScopeCredential,
			WhyCredential},
		"second run of the credential": {func(in *Input) { in.TrippedBefore = 1 }, schema.ScopeCredential, WhySecondRun},
		"asserted name cannot trip another": {func(in *Input) { in.Run.Rule, in.Run.CredentialID = schema.RunSession, "" }, schema.ScopeAddress,
			WhyAddress},
		"established agent without a credential": {func(in *Input) {
			in.Run.Rule, in.Run.CredentialID, in.Run.AgentTrust = schema.RunSession, "", schema.TrustInfrastructure
		}, schema.ScopeAgent, WhyAgent},
		"an address that the client says is its own": {func(in *Input) {
			in.Run.Rule, in.Run.CredentialID = schema.RunSession, ""
			in.Call.SetAttr(schema.AttrForwardedHops, "2")
		}, schema.ScopeNone, WhyNoEnforceableScope},
		"as the gate knows the run": {func(in *Input) { in.Run.Rule, in.Call.RunKeySource = schema.RunGate, schema.GateKeySource },
			schema.ScopeRun, WhyRunNamed},
		"nobody to hold": {func(in *Input) {
			in.Run.Rule, in.Run.CredentialID, in.Call.ClientIP = schema.RunSession, "", netip.Addr{}
		}, schema.ScopeNone, WhyNoEnforceableScope},
	} {
		d, ok := Decide(Rules{Arming: Arming{All: true}, TTL: time.Minute, TooOld: time.Minute}, input(tc.change))
		if !ok || d.Scope.Kind != tc.kind || d.Why != tc.why {
			t.Errorf("%s: %v because %s, want %v because %s", name, d.Scope, d.Why, tc.kind, tc.why)
		}
	}
}

func TestLateBackfillDoesNotTrip(t *testing.T) {
	d, _ := Decide(Rules{Arming: Arming{All: true}, TTL: time.Minute, TooOld: 15 * time.Minute},
		input(func(in *Input) { in.Age = 16 * time.Minute }))
	if d.Mode != schema.ModeWouldHave {
		t.Fatalf("mode %v: a call of 16 minutes ago must not be enforced", d.Mode)
	}
}

func TestObservesUntilArmed(t *testing.T) {
	for pattern, want := range map[string]schema.Mode{"": schema.ModeObserve, "billing/*": schema.ModeArmed, "other/*": schema.ModeObserve} {
		d, _ := Decide(Rules{Arming: ParseArming(false, []string{pattern}), TTL: time.Minute, TooOld: time.Minute}, input(nil))
		if d.Mode != want {
			t.Errorf("armed %q: mode %v, want %v", pattern, d.Mode, want)
		}
	}
}

func TestAlertIsNoDecision(t *testing.T) {
	if _, ok := Decide(DefaultRules(), input(func(in *Input) { in.Finding.Level = schema.LevelAlert })); ok {
		t.Fatal("an alert was decided on")
	}
}

// A process whose clock is ten minutes wrong in either direction makes the same decisions: the
// clock only separates history from the present.
func TestClockTenMinutesOffDecidesTheSame(t *testing.T) {
	rules := DefaultRules()
	rules.Arming.All = true
	want, _ := Decide(rules, input(nil))
	for _, off := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		if got, ok := Decide(rules, input(func(in *Input) { in.Age = off })); !ok || got != want {
			t.Errorf("off by %s: %+v, want %+v", off, got, want)
		}
	}
}

func TestGradedRules(t *testing.T) {
	rules := DefaultRules()
	rules.Arming = ParseArming(false, []string{"billing/*", "tag:batch", "family:runaway.sweep"})
	rules.Graded = []Rule{
		{Name: "sweeps are slowed", Level: schema.LevelAlert, Family: "runaway.sweep", Action: schema.ActionThrottle},
		{Name: "what matters asks", Criticality: "high", Level: schema.LevelTrip, Action: schema.ActionGate, TTL: time.Hour},
		{Name: "batch may run wild", Tag: "batch", Action: schema.ActionAnnotate},
		{Name: "but not irreversibly", Tag: "batch", Reversibility: schema.Irreversible, Action: schema.ActionDeny},
		{Name: "one agent is let be", Agent: "billing/bot", Family: "runaway.flood", Action: schema.ActionNone},
		{Name: "two of a kind, the milder", Family: "runaway.loop", Criticality: "low", Action: schema.ActionThrottle},
		{Name: "two of a kind, the harder", Family: "runaway.*", Criticality: "low", Action: schema.ActionDeny},
	}
	for name, tc := range map[string]struct {
		change func(*Input)
		action schema.Action
		rule   string
		mode   schema.Mode
	}{
		"built in": {func(in *Input) {}, schema.ActionDeny, "trip denies", schema.ModeArmed},
		"a family's alert": {func(in *Input) { in.Finding.Family, in.Finding.Level = "runaway.sweep", schema.LevelAlert },
			schema.ActionThrottle, "sweeps are slowed", schema.ModeArmed},
		"another family's": {func(in *Input) { in.Finding.Level = schema.LevelAlert }, schema.ActionNone, "", schema.ModeObserve},
		"armed by its family": {func(in *Input) { in.Finding.AgentID, in.Finding.Family = "other/x", "runaway.sweep" }, schema.ActionDeny,
			"trip denies", schema.ModeArmed},
		"armed by nothing": {func(in *Input) { in.Finding.AgentID = "other/x" }, schema.ActionDeny, "trip denies", schema.ModeObserve},
		"armed by its tag": {func(in *Input) { in.Finding.AgentID, in.Tags = "other/x", []string{"a", "batch"} }, schema.ActionAnnotate,
			"batch may run wild", schema.ModeArmed},
		"criticality": {func(in *Input) { in.Criticality = "high" }, schema.ActionGate, "what matters asks", schema.ModeArmed},
		"a tag beats it": {func(in *Input) { in.Criticality, in.Tags = "high", []string{"batch"} }, schema.ActionAnnotate,
			"batch may run wild", schema.ModeArmed},
		"reversibility on top": {func(in *Input) { in.Tags, in.Finding.Exposure.Irreversible = []string{"batch"}, 1 }, schema.ActionDeny,
			"but not irreversibly", schema.ModeArmed},
		"the agent beats all": {func(in *Input) { in.Finding.Family, in.Tags = "runaway.flood", []string{"batch"} }, schema.ActionNone, "",
			schema.ModeObserve},
		"the harder of equals": {func(in *Input) { in.Finding.Family, in.Criticality = "runaway.loop", "low" }, schema.ActionDeny,
			"two of a kind, the harder", schema.ModeArmed},
	} {
		d, ok := Decide(rules, input(tc.change))
		if ok != (tc.action != schema.ActionNone) || d.Action != tc.action || d.Rule != tc.rule || d.Mode != tc.mode {
			t.Errorf("%s: %v %v by %q %v, want %v by %q %v", name, ok, d.Action, d.Rule, d.Mode, tc.action, tc.rule, tc.mode)
		}
	}
	d, _ := Decide(rules, input(func(in *Input) { in.Criticality = "high" }))
	if d.TTL != int64(time.Hour) {
		t.Errorf("ttl %d", d.TTL)
	}
}

// An automatic trip uses an address only if the caller is claimed and has no credential:
// established callers behind the same address are not held.
func TestTripOfAnEstablishedCallerNeverTakesItsAddress(t *testing.T) {
	for _, agentTrust := range []schema.Trust{schema.TrustNone, schema.TrustInferred, schema.TrustAsserted, schema.TrustInfrastructure,
		schema.TrustVerified} {
		for _, credential := range []string{"", "k"} {
			for _, credentialTrust := range []schema.Trust{schema.TrustNone, schema.TrustAsserted, schema.TrustInfrastructure} {
				for _, family := range []string{schema.FamilySplit, schema.FamilyDestroy} {
					for before := range 2 {
						c := &schema.Call{AgentID: "a", AgentTrust: agentTrust, CredentialID: credential, CredentialTrust: credentialTrust,
							ClientIP: netip.MustParseAddr("192.0.2.1")}
						run := &schema.RunSnapshot{AgentID: "a", AgentTrust: agentTrust, CredentialID: credential, Rule: schema.RunSession}
						s, _ := enforcementScope(Input{Run: run, Call: c, Finding: &schema.Finding{Family: family}, TrippedBefore: before})
						if s.Kind == schema.ScopeAddress && (c.Standing() == schema.StandingEstablished || credential != "") {
							t.Errorf("agent %v, credential %q %v: %v", agentTrust, credential, credentialTrust, s)
						}
					}
				}
			}
		}
	}
}
