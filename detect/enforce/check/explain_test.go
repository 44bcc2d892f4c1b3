package check

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"unicode/utf8"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"flyball/detect/enforce/breaker"
	"flyball/detect/enforce/ledger"
	"flyball/detect/enforce/problem"
	"flyball/schema"
)

var update = flag.Bool("update", false, "write the expected problems of testdata anew")

// Every kind of problem as a caller sees it, body and headers.
func TestProblemsSayWhatIsHeldAndWhy(t *testing.T) {
	run, other := schema.RunID{1}, schema.RunID{2}
	const clock = int64(1_788_000_000_000_000_000)
	in := func(seconds int64) int64 { return clock + seconds*1e9 }
	held := func(b schema.Breaker, action schema.Action, why string) answer {
		b.Tenant, b.Generation = "t", 7
		return answer{status: http.StatusForbidden, action: action, why: why, breaker: &b, run: run.String(),
			weighed: ledger.Decision{By: "breaker"}}
	}
	tripped := func(kind schema.ScopeKind, value string, led schema.RunID, expires int64) schema.Breaker {
		return schema.Breaker{Scope: schema.Scope{Kind: kind, Value: value}, State: schema.BreakerOpen, Origin: "detector", FindingID: "f_1",
			RunID: led, Why: "second_run_of_credential",
			Reason: "support/bot deletes: 4 calls since it began", Expires: expires}
	}
	forced := func(kind schema.ScopeKind, value string) schema.Breaker {
		return schema.Breaker{Scope: schema.Scope{Kind: kind, Value: value}, State: schema.BreakerForcedOpen, Origin: "operator", By: "ann",
			Reason: "leaked key"}
	}
	half := func(b schema.Breaker) schema.Breaker { b.State = schema.BreakerHalfOpen; return b }
	ruled := func(action schema.Action, by, why string) answer {
		return answer{status: http.StatusForbidden, action: action, why: why, run: run.String(), weighed: ledger.Decision{By: by}}
	}
	asked := ruled(schema.ActionGate, "manifest", "policy.autonomy:irreversible_not_granted")
	asked.gate, asked.line = "g_1", "autonomy"
	overruled := held(tripped(schema.ScopeCredential, "key-1", other, in(60)), schema.ActionDeny, "policy.scope:route_outside")
	overruled.weighed.By = "manifest"
	unnamed := held(tripped(schema.ScopeCredential, "key-1", other, in(900)), schema.ActionDeny, breaker.WhyHeld)
	unnamed.run = ""
	slowed := held(tripped(schema.ScopeAgent, "support/bot", other, in(600)), schema.ActionThrottle, breaker.WhyThrottled)
	slowed.perSec = 0.5
	loading := answer{status: http.StatusServiceUnavailable, why: whyNotLoaded}
	var out bytes.Buffer
	for _, c := range []struct {
		name string
		a    answer
	}{
		{"this run ran away", held(tripped(schema.ScopeRun, run.String(), run, in(90)), schema.ActionDeny, breaker.WhyHeld)},
		{"this run, on one route", held(tripped(schema.ScopeRunRoute, run.String()+" DELETE /v1/orders/{id}", run, in(3601)), schema.ActionDeny,
			breaker.WhyHeld)},
		{"a later run of the same caller", held(tripped(schema.ScopeRun, other.String(), other, in(3600)), schema.ActionDeny,
			breaker.WhyRenamed)},
		{"an innocent run of a held credential", held(tripped(schema.ScopeCredential, "key-1", other, in(900)), schema.ActionDeny,
			breaker.WhyHeld)},
		{"the run that led to a held credential", held(tripped(schema.ScopeCredential, "key-1", run, in(900)), schema.ActionDeny,
			breaker.WhyHeld)},
		{"a held credential, and a request that names no run", unnamed},
		{"an agent", held(tripped(schema.ScopeAgent, "support/bot", other, in(900)), schema.ActionDeny, breaker.WhyHeld)},
		{"a version", held(tripped(schema.ScopeVersion, "support/bot@2", other, in(900)), schema.ActionDeny, breaker.WhyHeld)},
		{"a principal", held(tripped(schema.ScopePrincipal, "ann", other, in(900)), schema.ActionDeny, breaker.WhyHeld)},
		{"an address", held(tripped(schema.ScopeAddress, "192.0.2.7", other, in(900)), schema.ActionDeny, breaker.WhyHeld)},
		{"a route", held(tripped(schema.ScopeRoute, "DELETE /v1/orders/{id}", other, in(900)), schema.ActionDeny, breaker.WhyHeld)},
		{"kill switch on a run", held(forced(schema.ScopeRun, run.String()), schema.ActionDeny, breaker.WhyForced)},
		{"kill switch on a credential", held(forced(schema.ScopeCredential, "key-1"), schema.ActionDeny, breaker.WhyForced)},
		{"kill switch on the tenant", held(forced(schema.ScopeTenant, "t"), schema.ActionDeny, breaker.WhyForced)},
		{"half open, a write", held(half(tripped(schema.ScopeRun, run.String(), run, 0)), schema.ActionDeny, breaker.WhyHalfOpenWrite)},
		{"half open, the probe was lost", held(half(tripped(schema.ScopeCredential, "key-1", other, 0)), schema.ActionDeny, whyProbeLost)},
		{"slowed down", slowed},
		{"a breaker that asks", held(tripped(schema.ScopeAgent, "support/bot", other, in(900)), schema.ActionGate, breaker.WhyGated)},
		{"a person's no behind a breaker that asks", held(tripped(schema.ScopeAgent, "support/bot", other, in(900)), schema.ActionDeny,
			whyRefused)},
		{"a question", asked},
		{"too many questions", ruled(schema.ActionGate, "manifest", whyGateFull)},
		{"a no", ruled(schema.ActionDeny, "manifest", whyRefused)},
		{"no answer", ruled(schema.ActionDeny, "manifest", whyTimedOut)},
		{"a quota", ruled(schema.ActionDeny, "manifest", "policy.quota:spent")},
		{"outside of the manifest, under a milder breaker", overruled},
		{"outside of the task", ruled(schema.ActionDeny, "task", "policy.task:target_outside")},
		{"the log is away", ruled(schema.ActionDeny, "failure_mode", "policy.failure:log_away")},
		{"a reason without a sentence", ruled(schema.ActionDeny, "manifest", "new_reason")},
		{"a path that can be read in several ways", ruled(schema.ActionDeny, "request", whyAmbiguousPath)},
		{"loading", loading},
	} {
		c.a.decision, c.a.clock = "c_1", clock
		var body bytes.Buffer
		if err := json.Indent(&body, c.a.problem(), "", "  "); err != nil {
			t.Fatal(c.name, err)
		}
		fmt.Fprintf(&out, "== %s\n", c.name)
		for _, h := range c.a.headers() {
			fmt.Fprintf(&out, "%s: %s\n", h[0], h[1])
		}
		fmt.Fprintf(&out, "%s\n", body.Bytes())
	}
	const golden = "testdata/problems.txt"
	if *update {
		if err := os.WriteFile(golden, out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, out.Bytes()) {
		t.Errorf("problems differ from %s; if that is meant, run with -update and read the difference. Now:\n%s", golden, out.Bytes())
	}
}

// A run that did nothing was told that it ran away: its credential was held for what another run did.
func TestInnocentRunOfAHeldCredentialIsNotToldThatItRanAway(t *testing.T) {
	led := schema.RunID{9}
	c := newChecker(t, nil)
	c.replay(schema.Command{ID: "1", Kind: schema.CommandTrip, Tenant: "t", TTL: 600e9, ActiveAgents: 100,
		Reason: "billing deletes: 4 calls since it began", Decision: &schema.Decision{
			Tenant: "t", Mode: schema.ModeArmed, Action: schema.ActionDeny, Scope: schema.Scope{Kind: schema.ScopeCredential, Value: "billing"},
			RunID: led, FindingID: "f_1", Why: "second_run_of_credential"}})
	w := ask(c, map[string]string{"X-Original-Method": "GET", "X-Original-URI": "/v1/orders/1", "X-Consumer": "billing",
		"X-Agent-Run-Id": "innocent"})
	var p problem.Document
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != http.StatusForbidden {
		t.Fatalf("%d %s %v", w.Code, w.Body, err)
	}
	if strings.Contains(p.Detail, "This run has been stopped") || strings.Contains(p.Detail, "stopped this run") ||
		!strings.Contains(p.Detail, "nothing here says that this run did anything wrong") {
		t.Errorf("detail: %s", p.Detail)
	}
	h := w.Header()
	if h.Get("X-Flyball-Scope") != "credential:billing" || p.Flyball.Scope != "credential:billing" || h.Get("Retry-After") != "600" ||
		p.Flyball.DecisionID != h.Get("X-Flyball-Decision") ||
		h.Get("X-Flyball-Expires") != c.clock.Now().Add(600e9).Format("2006-01-02T15:04:05Z") {
		t.Errorf("headers %v", h)
	}
	over, err := (&authorization{c: c.Checker}).Check(t.Context(),
		&auth.CheckRequest{Attributes: &auth.AttributeContext{Request: &auth.AttributeContext_Request{Http: &auth.AttributeContext_HttpRequest{
			Method: "GET", Path: "/v1/orders/1", Headers: map[string]string{"x-consumer": "billing", "x-agent-run-id": "innocent"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, o := range over.GetDeniedResponse().GetHeaders() {
		got[o.GetHeader().GetKey()] = o.GetHeader().GetValue()
	}
	for _, name := range []string{"X-Flyball-Scope", "X-Flyball-Expires", "X-Flyball-Reason", "Retry-After"} {
		if got[strings.ToLower(name)] != h.Get(name) {
			t.Errorf("%s over gRPC: %q, over HTTP: %q", name, got[strings.ToLower(name)], h.Get(name))
		}
	}
}

// nginx puts the header's text between the quotes of the JSON body that it makes.
func TestReasonInAHeaderCannotBreakOutOfTheBodyThatAGatewayMakes(t *testing.T) {
	for _, s := range []string{"plain", `"} , {"type":"x`, `back\slash`, "line\r\nSet-Cookie: a=b", "\x00\x1b[2K\x7f", "Grüße 日本 😀",
		"\xff\xfe", "\u202e", strings.Repeat("é", 300), strings.Repeat("😀", 300), strings.Repeat("x", 300)} {
		got := headerText(s)
		if len(got) > maxHeaderText || strings.ContainsFunc(got, func(r rune) bool { return r < 0x20 || r > 0x7e || r == '"' }) {
			t.Errorf("%q became %q", s, got)
		}
		var back string
		if err := json.Unmarshal([]byte(`"`+got+`"`), &back); err != nil || !strings.HasPrefix(strings.ToValidUTF8(s, "\ufffd"), back) &&
			utf8.ValidString(s) {
			t.Errorf("%q reads back as %q, %v", got, back, err)
		}
	}
}

func FuzzHeaderText(f *testing.F) {
	f.Add("a\"b\\c\r\n\x00é😀")
	f.Fuzz(func(t *testing.T, s string) {
		got := headerText(s)
		if !json.Valid([]byte(`"`+got+`"`)) || len(got) > maxHeaderText || strings.ContainsFunc(got, func(r rune) bool {
			return r < 0x20 ||
				r > 0x7e
		}) {
			t.Errorf("%q became %q", s, got)
		}
	})
}
