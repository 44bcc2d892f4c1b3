package check

import (
	"context"
	"testing"
	"time"

	"flyball/detect/enforce/api"
	"flyball/detect/enforce/breaker"
	"flyball/detect/enforce/enforcetest"
	"flyball/schema"
)

const strangersManifest = `version: 1
agent: cloud/audit
scope: {routes: [GET /**, POST /v1/refunds, "DELETE /v1/orders/{order_id}", "PATCH /v1/orders/{id}"]}
autonomy: [{routes: ["DELETE /v1/orders/{order_id}"], ask: always}]
quotas: [{name: notes, calls: 2, per: 744h, routes: ["PATCH /v1/orders/{id}"]}]
`

// budget returns how much of the budgets of trips is spent.
func (s *site) budget() breaker.BudgetUsage {
	v := s.Acquire()
	defer v.Release()
	return v.Breakers.BudgetUsage("t", v.Position.Time)
}

// A manifest, its quotas and its gates hold from the first call of an agent that no baseline knows and no log has seen.
// They spend nothing of the trip budget.
func TestStrangerActsAloneOnItsFirstCall(t *testing.T) {
	r := run(t, enforcetest.Broker(t), "a", func(o *enforcetest.Options) {
		o.Learning = func(string) bool { return true } // no baseline knows anybody
	})
	r.Must(t, "PUT", "/v1/manifests", api.PutManifestRequest{Text: strangersManifest, Reason: "before its first call"})
	first := r.ask("cloud/audit", "r1", "DELETE", "/v1/orders/1", "")
	if first.status != 403 || first.why != "policy.autonomy:always_asks" || first.gate == "" {
		t.Fatalf("the first call of a stranger: %+v", first)
	}
	for _, tc := range []struct {
		method, path string
		status       int
		why          string
	}{
		{"GET", "/v1/orders/1", 200, ""},
		{"PATCH", "/v1/orders/1", 200, ""},
		{"PATCH", "/v1/orders/2", 200, ""},
		{"PATCH", "/v1/orders/3", 403, "policy.quota:spent"},
		{"PUT", "/v1/orders/3", 403, "policy.scope:route_outside"},
	} {
		if v := r.ask("cloud/audit", "r1", tc.method, tc.path, ""); v.status != tc.status || tc.why != "" && v.why != tc.why {
			t.Errorf("%s %s: %+v", tc.method, tc.path, v)
		}
	}
	r.Must(t, "POST", "/v1/grants/"+first.gate+"/grant", api.GrantRequest{Seconds: 60, Uses: 1, Reason: "it is meant"})
	for i, want := range []int{200, 403} {
		if v := r.ask("cloud/audit", "r1", "DELETE", "/v1/orders/1", ""); v.status != want {
			t.Errorf("answer %d after the grant: %+v", i, v)
		}
	}
	if v := r.ask("other/new", "r1", "DELETE", "/v1/orders/1", ""); v.status != 403 || v.why != "no_manifest" || v.gate == "" {
		t.Errorf("a stranger without a manifest, where these ask: %+v", v)
	}
	if spent := r.budget(); spent.Trips+spent.Gates.Trips+spent.Claimed.Trips+spent.ClaimedGates.Trips != 0 {
		t.Errorf("questions and quotas spent the budget of trips: %+v", spent)
	}
}

// Which budget a trip spends follows from how the caller's identity is established, and not from whether a baseline
// knows it.
func TestStrangerSpendsAnotherBudgetThanAKnownAgent(t *testing.T) {
	r := run(t, enforcetest.Broker(t), "a", func(o *enforcetest.Options) {
		o.Learning = func(agent string) bool { return agent != "billing" }
	})
	trip := func(id, agent string, holder *schema.Holder) {
		t.Helper()
		scope := schema.Scope{Kind: schema.ScopeAgent, Value: agent}
		if _, err := r.Point.Log().Submit(context.Background(), schema.Command{ID: id, Kind: schema.CommandTrip, Tenant: "t", Scope: scope,
			TTL: int64(time.Hour), ActiveAgents: 100, Holder: holder, Decision: &schema.Decision{ID: id, Mode: schema.ModeArmed,
				Action: schema.ActionDeny, Scope: scope, AgentID: agent}}); err != nil {
			t.Fatal(err)
		}
	}
	established := &schema.Holder{AgentTrust: schema.TrustInfrastructure, Standing: schema.StandingEstablished}
	trip("d1", "billing", established)
	known := r.budget()
	trip("d2", "cloud/audit", established)
	stranger := r.budget()
	trip("d3", "cloud/claimed", &schema.Holder{Standing: schema.StandingClaimed})
	if last := r.budget(); last.Trips != 2 || last.Claimed.Trips != 1 {
		t.Errorf("after a stranger of a claimed name: %+v", last)
	}
	if known.Trips != 1 || stranger.Trips != 2 || stranger.Claimed.Trips != 0 || len(r.Breakers()) != 3 {
		t.Errorf("after a known agent %+v, after a stranger %+v, %d breakers", known, stranger, len(r.Breakers()))
	}
}
