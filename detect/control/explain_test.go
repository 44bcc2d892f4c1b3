package control

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"flyball/schema"
)

// denied is what a caller of the consumer billing is answered in a run.
func denied(t *testing.T, c *Control, headers ...string) (*httptest.ResponseRecorder, string) {
	t.Helper()
	h := map[string]string{"X-Original-Method": "GET", "X-Original-URI": "/v1/orders/1", "X-Consumer": "billing"}
	for i := 0; i+1 < len(headers); i += 2 {
		h[headers[i]] = headers[i+1]
	}
	w := ask(c, h)
	var p struct{ Detail string }
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != 403 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	return w, p.Detail
}

func tripOn(sc schema.Scope, run schema.RunID) schema.Command {
	return schema.Command{ID: "d", Kind: schema.CommandTrip, Tenant: "t", Scope: sc, By: "detect", Reason: "billing deletes", TTL: 90e9, ActiveAgents: 100,
		Decision: &schema.Decision{ID: "d", Mode: schema.ModeArmed, Action: schema.ActionDeny, Scope: sc, RunID: run, AgentID: "billing", CredentialID: "billing", Reason: "billing \"deletes\" ü\n"}}
}

func TestInnocentRunOfAHeldCredentialIsNotToldThatItRanAway(t *testing.T) {
	c, _ := point(t, nil)
	credential := schema.Scope{Kind: schema.ScopeCredential, Value: "billing"}
	c.folded(tripOn(credential, schema.RunID{1}))
	w, detail := denied(t, c, "X-Agent-Run-Id", "innocent")
	if strings.Contains(detail, "This run has been stopped") || !strings.Contains(detail, "Calls of this credential have been stopped. Another run led to that, not this one.") {
		t.Errorf("%s", detail)
	}
	if got := w.Header().Get("X-Flyball-Scope"); got != "credential:billing" {
		t.Errorf("scope %q", got)
	}
	if got := w.Header().Get("X-Flyball-Reason"); got != `billing \"deletes\" \u00fc\u000a` {
		t.Errorf("reason %q", got)
	}
	if w.Header().Get("X-Flyball-Expires") == "" || w.Header().Get("Retry-After") != "90" || w.Header().Get("X-Flyball-Decision") == "" {
		t.Errorf("%v", w.Header())
	}

	// The run that did it is told so.
	run := w.Header().Get("X-Flyball-Run")
	id, err := schema.ParseRunID(run)
	if err != nil {
		t.Fatal(err)
	}
	c, _ = point(t, nil)
	c.folded(tripOn(credential, id))
	if _, detail := denied(t, c, "X-Agent-Run-Id", "innocent"); !strings.Contains(detail, "This run has been stopped.") {
		t.Errorf("%s", detail)
	}
	if _, detail := denied(t, c); strings.Contains(detail, "this one") || strings.Contains(detail, "This run") {
		t.Errorf("a call without a run is told of one: %s", detail)
	}
}

func TestWhatOneCallerDidIsNotToldToOthersAtItsAddress(t *testing.T) {
	address := schema.Scope{Kind: schema.ScopeAddress, Value: "192.0.2.7"}
	b := &schema.Breaker{Scope: address, State: schema.BreakerOpen, Origin: "detector", Reason: "billing/bot deletes /v1/orders"}
	if text := explain(b, schema.RunID{2}.String()); strings.Contains(text, "billing") || !strings.Contains(text, "Calls of this address have been stopped") {
		t.Error(text)
	}
	b.Origin, b.State, b.Reason = "operator", schema.BreakerForcedOpen, "a leaked key is used from there"
	if text := explain(b, ""); !strings.HasPrefix(text, "a leaked key is used from there. Calls of this address") || strings.Contains(text, "Another run") {
		t.Error(text)
	}
}

func TestRunHeldWithAnotherIsToldSo(t *testing.T) {
	b := &schema.Breaker{Scope: runTarget(schema.RunID{1}.String()), State: schema.BreakerOpen, Origin: "detector", RunID: schema.RunID{1}, Reason: "it deletes."}
	if text := explain(b, schema.RunID{2}.String()); !strings.Contains(text, "Another run of the same agent or credential") || strings.Contains(text, "..") {
		t.Error(text)
	}
	if text := explain(b, schema.RunID{1}.String()); !strings.Contains(text, "This run has been stopped.") {
		t.Error(text)
	}
	if text := explain(nil, ""); strings.Contains(text, "run") {
		t.Error(text)
	}
}

func TestReasonFitsAHeaderAndAJSONStringWhateverItHolds(t *testing.T) {
	for _, s := range []string{"a\r\nX-Evil: 1", `"},"x":{"`, strings.Repeat("é\\", 300), "\u202e\u2028\x00", "\U0001f600", "\xff"} {
		got := headerText(s, mostReason)
		var back string
		if err := json.Unmarshal([]byte(`"`+got+`"`), &back); err != nil || len(got) > mostReason || strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Errorf("%q: %q %v", s, got, err)
		}
	}
}

func TestNobodyIsInvitedToWaitForWhatWaitingDoesNotChange(t *testing.T) {
	forced := &schema.Breaker{State: schema.BreakerForcedOpen}
	for _, tc := range []struct {
		a    answer
		want int64
	}{
		{answer{action: schema.ActionDeny, breaker: forced, clock: 5}, 0},
		{answer{action: schema.ActionDeny, breaker: &schema.Breaker{State: schema.BreakerOpen, Expires: 1_500_000_000}, clock: 0}, 2},
		{answer{action: schema.ActionDeny, why: "policy.scope:outside"}, 0},
		{answer{action: schema.ActionGate, breaker: &schema.Breaker{State: schema.BreakerOpen, Expires: 9e9}}, 0},
		{answer{action: schema.ActionThrottle, breaker: &schema.Breaker{State: schema.BreakerOpen, Expires: 9e9}}, 1},
		{answer{action: schema.ActionDeny, why: whyNoAnswer}, 1},
	} {
		if got := tc.a.retryAfter(); got != tc.want {
			t.Error(fmt.Sprintf("%+v", tc.a), got)
		}
	}
}
