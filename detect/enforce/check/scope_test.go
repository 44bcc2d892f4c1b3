package check

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"

	"flyball/detect/enforce"
	"flyball/detect/enforce/enforcetest"
	"flyball/detect/enforce/ledger"
	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/detect/model/scope"
	"flyball/schema"
)

// shop returns the guard of two agents that delete orders of one customer and pay refunds.
func shop() *scope.Guard {
	var runs []*scope.TrainingRun
	for i := range 20 {
		r := &scope.TrainingRun{ID: fmt.Sprint(i), Agent: []string{"billing", "support"}[i%2], Group: []string{"billing", "support"}[i%2],
			Task: "refund", Names: []string{"GET /v1/orders/{}", "DELETE /v1/orders/{}"}}
		r.Calls = []scope.Access{scope.NewAccess(r.Names[0], false, []schema.Resource{{Type: "order", ID: "7"}}), scope.NewAccess(r.Names[1],
			true, []schema.Resource{{Type: "order", ID: "7"}})}
		runs = append(runs, r)
	}
	return scope.NewGuard(scope.LearnModel(runs))
}

func TestArmedFamilyOfScopeStepsUpAndNothingElseDoes(t *testing.T) {
	k := enforcetest.Broker(t)
	armed := map[string]bool{schema.FamilyScope: true}
	r := run(t, k, "a", func(o *enforcetest.Options) {
		o.Scopes, o.Armed = shop, func(_, family string) bool { return armed[family] }
	})
	task := []string{"X-Task-Id", "refund"}
	if v := r.ask("billing", "r1", "DELETE", "/v1/orders/7", "", task...); v.status != http.StatusOK || v.would != "" {
		t.Errorf("within its scope: %+v", v)
	}
	if v := r.ask("billing", "r1", "DELETE", "/v1/orders/8", "", task...); v.status != http.StatusForbidden ||
		v.why != "scope.learned:target_outside" || v.gate == "" {
		t.Errorf("an order that no run has deleted: %+v", v)
	}
	if v := r.ask("billing", "r1", "POST", "/v1/refunds", "{}", task...); v.status != http.StatusForbidden ||
		v.why != "scope.learned:write_outside" {
		t.Errorf("a write outside: %+v", v)
	}
	if v := r.ask("billing", "r1", "GET", "/v1/refunds", "", task...); v.status != http.StatusOK || v.would != "" {
		t.Errorf("a read outside: %+v", v)
	}
	for name, who := range map[string]string{"an agent with no history": "stranger", "a task seen by nobody": "billing"} {
		if v := r.ask(who, "r2", "POST", "/v1/refunds", "{}", "X-Task-Id", "never"); v.status != http.StatusOK || v.would != "" {
			t.Errorf("%s: %+v", name, v)
		}
	}
	armed = map[string]bool{"policy.scope": true, "runaway.loop": true}
	if v := r.ask("billing", "r1", "POST", "/v1/refunds", "{}", task...); v.status != http.StatusOK ||
		v.would != "gate scope.learned:write_outside" {
		t.Errorf("armed by another family: %+v", v)
	}
	armed[schema.FamilyScope] = true
	// A name that is only asserted is not compared with what was learned of the agent of that name.
	if v := r.ask("", "r3", "POST", "/v1/refunds", "{}", "X-Agent-Id", "billing", "X-Task-Id", "refund"); v.status != http.StatusOK ||
		v.would != "" {
		t.Errorf("an asserted name: %+v", v)
	}
	r.PutManifest(t, enforcetest.Billing)
	if v := r.ask("billing", "r1", "POST", "/v1/refunds", `{"amount": 1}`, task...); v.would == "gate scope.learned:write_outside" ||
		v.why == "scope.learned:write_outside" {
		t.Errorf("a manifest stands above what was learned: %+v", v)
	}
}

// The check judges a call in the same way as detect judges the same call.
func TestLearnedScopeAnswersTheSameAsTheLogSide(t *testing.T) {
	c := run(t, enforcetest.Broker(t), "a", nil)
	g := shop()
	random := rand.New(rand.NewPCG(3, 3))
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	seen := map[scope.Placement]int{}
	for range 2000 {
		headers := http.Header{}
		for name, v := range map[string]string{"X-Consumer": pick("", "billing", "support", "stranger"), "X-Agent-Id": pick("", "billing"),
			"X-Task-Id": pick("", "refund", "refund", "never"), "X-Agent-Run-Id": "r"} {
			if v != "" {
				headers.Set(name, v)
			}
		}
		q := &request{method: pick("GET", "DELETE", "POST"), path: pick("/v1/orders/7", "/v1/orders/8", "/v1/refunds"), headers: headers.Get}
		e := evaluation{q: q}
		_ = c.reader.read(&e)
		call := *e.call
		var f feature.Input
		var s scope.Access
		feature.Extract(&call, &f)
		scope.FromCall(&call, &f, &s)
		// As judged in detect, for the run that the call would open.
		log := g.Assess(scope.Query{Agent: baseline.AgentKey(call.AgentID, call.AgentTrust), Group: baseline.PeerGroup(call.AgentID,
			call.CallerKind), Logged: call.TaskID, Trust: call.TaskTrust, Access: &s})
		// As stored, and read again for learning.
		named := scope.NewAccess(feature.RouteName(call.Method, call.RouteKey, call.Operation), f.Write, call.Resources)
		stored := g.Assess(scope.Query{Agent: baseline.AgentKey(call.AgentID, call.AgentTrust), Group: baseline.PeerGroup(call.AgentID,
			call.CallerKind), Logged: call.TaskID, Trust: call.TaskTrust, Access: &named})
		v := c.o.State.Acquire()
		d := v.Decide(&ledger.Request{Request: enforce.Request{Call: &call}, Scopes: g})
		v.Release()
		if d.Scope != log || stored != log {
			t.Fatalf("%s %s %v: the check says %+v, the log %+v, what was stored %+v", q.method, q.path, headers, d.Scope, log, stored)
		}
		seen[log.Placement]++
	}
	for is := scope.Abstain; is <= scope.WriteOutside; is++ {
		if seen[is] == 0 {
			t.Errorf("%s never came up: %v", is, seen)
		}
	}
}
