package policy

import (
	"testing"
	"time"

	"flyball/schema"
	"flyball/schema/route"
	"flyball/schema/schedule"
)

var expires = time.Date(2026, 12, 31, 0, 0, 0, 0, time.UTC)

func pattern(t *testing.T, text string) route.Pattern {
	t.Helper()
	p, err := route.ParsePattern(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// purge returns the exception of the tests: deletes of orders at night, by ops/purge.
func purge(t *testing.T) Exception {
	return Exception{Name: "nightly purge", Agent: "ops/purge", Family: "runaway.*",
		Routes: []route.Pattern{pattern(t, "DELETE /v1/orders/{id}")},
		Hours: schedule.Compile("hours", schedule.Hours{From: "22:00", To: "06:00", Timezone: "UTC"},
			func(f string, a ...any) { t.Fatalf(f, a...) }),
		Expires: expires.UnixNano(), Approver: "ana", Why: "retention"}
}

// purging returns the input of a finding that the exception covers.
func purging(change func(*Input)) Input {
	in := Input{
		Finding: &schema.Finding{ID: "f_x", Tenant: "t", Level: schema.LevelTrip, AgentID: "ops/purge", AgentTrust: schema.TrustInfrastructure,
			Family: schema.FamilyDestroy},
		Run:  &schema.RunSnapshot{Rule: schema.RunExplicit, CredentialID: "k_1", AgentID: "ops/purge", AgentTrust: schema.TrustInfrastructure},
		Call: &schema.Call{RunKey: "r-1", Method: "DELETE", RouteKey: "/v1/orders/{}", Start: expires.Add(-2 * time.Hour).UnixNano()},
	}
	if change != nil {
		change(&in)
	}
	return in
}

func armedRules(e ...Exception) Rules {
	r := DefaultRules()
	r.Arming.All, r.Exceptions = true, e
	return r
}

func TestExceptionCoversWhatItSaysAndNothingElse(t *testing.T) {
	for name, tc := range map[string]struct {
		change  func(*Input)
		covered bool
	}{
		"the purge":                  {nil, true},
		"an alert about it":          {func(in *Input) { in.Finding.Level = schema.LevelAlert }, true},
		"in its last second":         {func(in *Input) { in.Call.Start = expires.UnixNano() - 1 }, true},
		"expired":                    {func(in *Input) { in.Call.Start = expires.UnixNano() }, false},
		"by day":                     {func(in *Input) { in.Call.Start = expires.Add(-12 * time.Hour).UnixNano() }, false},
		"another agent":              {func(in *Input) { in.Finding.AgentID = "ops/purge2" }, false},
		"an unnamed caller":          {func(in *Input) { in.Finding.AgentID = "" }, false},
		"who merely says its name":   {func(in *Input) { in.Finding.AgentTrust = schema.TrustAsserted }, false},
		"whose name is guessed":      {func(in *Input) { in.Finding.AgentTrust = schema.TrustInferred }, false},
		"whose token was verified":   {func(in *Input) { in.Finding.AgentTrust = schema.TrustVerified }, true},
		"a family not covered":       {func(in *Input) { in.Finding.Family = schema.FamilyExfiltration }, false},
		"a route not covered":        {func(in *Input) { in.Call.RouteKey = "/v1/customers/{}" }, false},
		"another method on it":       {func(in *Input) { in.Call.Method = "GET" }, false},
		"what manifests decide upon": {func(in *Input) { in.Finding.Family = schema.FamilyAfterTask }, false},
	} {
		e := purge(t)
		if name == "what manifests decide upon" {
			e.Family = "*"
		}
		d, ok := Decide(armedRules(e), purging(tc.change))
		if covered := d.Why == WhyException && d.Rule == "nightly purge"; covered != tc.covered {
			t.Errorf("%s: covered %v, want %v (%+v)", name, covered, tc.covered, d)
		}
		if tc.covered && (ok || d.Mode == schema.ModeArmed || d.Action != schema.ActionNone) {
			t.Errorf("%s: it is enforced: %v %v", name, d.Action, d.Mode)
		}
		if !tc.covered && (!ok || d.Mode != schema.ModeArmed || d.Action != schema.ActionDeny) {
			t.Errorf("%s: it is not enforced: %v %v %v", name, ok, d.Action, d.Mode)
		}
	}
}

func TestExceptionComesBeforeTheRuleOfItsAgent(t *testing.T) {
	r := armedRules(purge(t))
	r.Graded = []Rule{{Name: "purges are denied", Agent: "ops/purge", Level: schema.LevelAlert, Action: schema.ActionDeny}}
	if d, ok := Decide(r, purging(func(in *Input) { in.Finding.Level = schema.LevelAlert })); ok || d.Why != WhyException {
		t.Fatalf("%v %+v", ok, d)
	}
}

// decisions applies calls to a finding and returns the decision at each.
func decisions(r Rules, calls []schema.Call, level func(i int) schema.Level) (out []string) {
	var c FindingProgress
	for i := range calls {
		in := purging(func(in *Input) { in.Call = &calls[i]; in.Finding.Level = level(i) })
		if !c.DecisionDue(&r, in.Finding.Level, findingSubject(in.Finding), in.Call, true) {
			c.Level = in.Finding.Level
			out = append(out, "")
			continue
		}
		d, ok := c.Decide(r, in)
		if ok {
			out = append(out, d.Action.String()+" "+d.Mode.String())
		} else {
			out = append(out, d.Why)
		}
	}
	return out
}

func TestCoveredFindingOpensNoBreakerWhenTheTimeOfATripIsOver(t *testing.T) {
	r, night := armedRules(purge(t)), expires.Add(-26*time.Hour) // 22:00
	var calls []schema.Call
	for minute := range 480 {
		calls = append(calls, schema.Call{Method: "DELETE", RouteKey: "/v1/orders/{}",
			Start: night.Add(time.Duration(minute) * time.Minute).UnixNano()})
	}
	for i, d := range decisions(r, calls, func(int) schema.Level { return schema.LevelTrip }) {
		if want := map[bool]string{true: WhyException}[i == 0]; d != want {
			t.Fatalf("after %d minutes: %q, want %q", i, d, want)
		}
	}
}

func TestTripBeforeTheHoursIsNotRenewedWithinThem(t *testing.T) {
	r, at := armedRules(purge(t)), expires.Add(-26*time.Hour)
	calls := []schema.Call{}
	for _, m := range []int{-10, -5, 4, 5, 6, 40} {
		calls = append(calls, schema.Call{Method: "DELETE", RouteKey: "/v1/orders/{}", Start: at.Add(time.Duration(m) * time.Minute).UnixNano()})
	}
	got := decisions(r, calls, func(int) schema.Level { return schema.LevelTrip })
	for i, want := range []string{"deny armed", "", "", WhyException, "", ""} {
		if got[i] != want {
			t.Errorf("call %d: %q, want %q", i, got[i], want)
		}
	}
}

// An exception hides nothing that begins while it is active: the run is decided on at the first
// call that is not covered, and only once.
func TestCoverThatEndsIsNoFreePass(t *testing.T) {
	night := expires.Add(-2 * time.Hour)
	covered := schema.Call{Method: "DELETE", RouteKey: "/v1/orders/{}", Start: night.UnixNano()}
	for name, then := range map[string]schema.Call{
		"it expires":          {Method: "DELETE", RouteKey: "/v1/orders/{}", Start: expires.UnixNano()},
		"it is no such route": {Method: "DELETE", RouteKey: "/v1/customers/{}", Start: night.UnixNano() + 1},
	} {
		got := decisions(armedRules(purge(t)), []schema.Call{covered, covered, then, then}, func(int) schema.Level { return schema.LevelTrip })
		for i, want := range []string{WhyException, "", "deny armed", ""} {
			if got[i] != want {
				t.Errorf("%s: call %d: %q, want %q", name, i, got[i], want)
			}
		}
	}
	levels := []schema.Level{schema.LevelAlert, schema.LevelTrip, schema.LevelTrip}
	got := decisions(armedRules(purge(t)), []schema.Call{covered, covered, covered}, func(i int) schema.Level { return levels[i] })
	for i, want := range []string{WhyException, WhyException, ""} {
		if got[i] != want {
			t.Errorf("as it rises: call %d: %q, want %q", i, got[i], want)
		}
	}
}

// An exception that is removed from the configuration has no further effect.
func TestExceptionThatWasTakenOutCoversNothing(t *testing.T) {
	r := armedRules()
	c := FindingProgress{Level: schema.LevelTrip, Exception: "gone"}
	in := purging(nil)
	if !c.DecisionDue(&r, schema.LevelTrip, findingSubject(in.Finding), in.Call, true) {
		t.Fatal("a finding without its exception is never decided on")
	}
	if d, ok := c.Decide(r, in); !ok || d.Mode != schema.ModeArmed || c.Exception != "" {
		t.Fatalf("%v %+v %+v", ok, d, c)
	}
}

// Exceptions of the file are found by any name that their route has had or would have: an exception that is lost trips what was meant.
func TestExceptionIsLostWithTheNameOfItsRoute(t *testing.T) {
	slot := func(template string) route.Slot { return route.Slot{Method: "DELETE", Template: template} }
	pinned := func(template string) []route.Rule {
		return route.Orders{Orders: []route.Order{{Slot: slot(template), Pinned: true}}}.Rules()
	}
	rules := map[string][]route.Rule{
		"words":                       nil,
		"learned":                     route.Learned{Collapsed: []route.Slot{slot("/shop/items/{slug}")}}.Rules(),
		"pinned":                      pinned("/shop/{kind}/{name}"),
		"pinned, a word like an id":   pinned("/shop/items/iphone15"),
		"cleared":                     route.Orders{Former: []route.Slot{slot("/shop/{a}/{b}")}}.Rules(),
		"declared":                    {{Method: "DELETE", Template: "/shop/{x}/{y}"}},
		"declared, with another name": {{Method: "DELETE", Template: "/shop/items/{sku}"}},
	}
	for name, list := range rules {
		table, err := route.NewTable(route.Options{DigestKey: []byte("0123456789abcdef"), Operator: list})
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range []struct {
			pattern, method, path string
			want                  bool
		}{
			{"DELETE /shop/items/sale", "DELETE", "/shop/items/sale", true},
			{"DELETE /shop/items/iphone15", "DELETE", "/shop/items/iphone15", true},
			{"DELETE /shop/items/{slug}", "DELETE", "/shop/items/sale", true},
			{"DELETE /shop/items/*", "DELETE", "/shop/./items/s%61le/", true},
			{"DELETE /shop/items/**", "DELETE", "/shop/items/sale", true},
			{"DELETE /shop/items/sale", "DELETE", "/shop/items/blue", false},
			{"DELETE /shop/items/sale", "DELETE", "/shop/carts/sale", false},
			{"DELETE /shop/items/sale", "GET", "/shop/items/sale", false},
			{"DELETE /shop/items/sale", "DELETE", "/shop/items/sale/lines", false},
			{"tool:sale", "DELETE", "/shop/items/sale", false},
		} {
			e := purge(t)
			e.Routes = []route.Pattern{pattern(t, x.pattern)}
			in := purging(func(in *Input) {
				in.Call = &schema.Call{RunKey: "r-1", Tenant: "t", Method: x.method, Path: x.path, Start: in.Call.Start}
				table.Classify(in.Call, &route.Input{})
			})
			if d, _ := Decide(armedRules(e), in); (d.Why == WhyException) != x.want {
				t.Errorf("%s: %s of %s %s (%s): covered %v", name, x.pattern, x.method, x.path, in.Call.Route, !x.want)
			}
		}
	}
}
