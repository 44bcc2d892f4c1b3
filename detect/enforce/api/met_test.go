package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"flyball/detect/enforce/enforcetest"
	"flyball/schema"
	"flyball/schema/route"
)

// met returns what a change met, as one text, and checks that the response names the tenant and where
// the change is applied.
func met(t *testing.T, r ChangeResult) string {
	t.Helper()
	if r.Tenant != "t" || len(r.Points) == 0 {
		t.Errorf("the change names no tenant, or nothing where it is applied: %+v", r)
	}
	return strings.Join(r.Met, "; ")
}

func TestTripAndResetDoNotSayWhatTheyMet(t *testing.T) {
	r := ready(t, enforcetest.Broker(t), "a", nil)
	r.Ask("billing", "kk1", "GET", "/v1/orders/1", "")
	agent := schema.Scope{Kind: schema.ScopeAgent, Value: "billing"}
	first := changed[TripResult](t, r, "/v1/breakers/trip", TripRequest{Scope: agent, TTL: 60, Reason: "looks wrong"})
	if got := met(t, first.ChangeResult); !strings.Contains(got, "no breaker was open on it") ||
		!strings.Contains(got, "met 1 run of it (the latest: kk1), and let 1 calls pass") || first.Until == "" {
		t.Errorf("a trip met %q, until %q", got, first.Until)
	}
	again := changed[TripResult](t, r, "/v1/breakers/trip", TripRequest{Scope: agent, UntilReset: true, Reason: "still"})
	if got := met(t, again.ChangeResult); !strings.Contains(got, "forced open since ") || !strings.Contains(got, ": looks wrong") {
		t.Errorf("a second trip met %q", got)
	}
	closed := changed[ResetResult](t, r, "/v1/breakers/reset", ResetRequest{Scope: agent, Reason: "done"})
	if got := met(t, closed.ChangeResult); !strings.Contains(got, "until a reset") || closed.Scope != agent {
		t.Errorf("a reset of %v met %q", closed.Scope, got)
	}
}

func TestChangeOfArmingBypassExceptionOrManifestDoesNotSayWhatItMet(t *testing.T) {
	r := ready(t, enforcetest.Broker(t), "a", func(o *enforcetest.Options) { o.Armed = nil })
	r.Ask("billing", "k", "GET", "/v1/orders/1", "")
	arm := func(path string) string {
		return met(t, changed[ArmingResult](t, r, path, ArmingRequest{Pattern: "billing", Reason: "ready"}).ChangeResult)
	}
	if got := arm("/v1/arming/arm"); got != "no command was in force about this pattern" {
		t.Errorf("arm met %q", got)
	}
	if got := arm("/v1/arming/disarm"); !strings.Contains(got, "a command had armed it, by ") {
		t.Errorf("disarm met %q", got)
	}
	bypass := changed[BypassResult](t, r, "/v1/bypass", BypassRequest{Seconds: 60, Reason: "maintenance"})
	if got := met(t, bypass.ChangeResult); got != "no bypass was in force" || bypass.Until == "" {
		t.Errorf("a bypass met %q, until %q", got, bypass.Until)
	}
	end := changed[ChangeResult](t, r, "/v1/bypass/end", EndBypassRequest{Reason: "done"})
	if got := met(t, end); !strings.Contains(got, "until "+bypass.Until+": maintenance") {
		t.Errorf("its end met %q", got)
	}
	added := changed[ExceptionResult](t, r, "/v1/exceptions", AddExceptionRequest{Agent: "billing", Family: "runaway.*", Seconds: 3600,
		Reason: "clean-up"})
	if met(t, added.ChangeResult); added.Until == "" {
		t.Error("an exception does not say until when")
	}
	removed := changed[ChangeResult](t, r, "/v1/exceptions/"+added.Ref+"/remove", RemoveExceptionRequest{Reason: "done"})
	if got := met(t, removed); !strings.Contains(got, "runaway.* of billing on any route") || !strings.Contains(got, "clean-up") {
		t.Errorf("its removal met %q", got)
	}
	r.PutManifest(t, enforcetest.Billing)
	code, text := r.Operate(t, "PUT", "/v1/manifests", PutManifestRequest{Text: enforcetest.Billing, Reason: "x"}, "")
	var put ChangeResult
	if err := json.Unmarshal([]byte(text), &put); code != 200 || err != nil || !strings.HasPrefix(met(t, put), "version ") {
		t.Errorf("a manifest met %q (%d %s)", put.Met, code, text)
	}
}

func TestTaskOfAnUnknownAgentOrTypeIsAccepted(t *testing.T) {
	r := ready(t, enforcetest.Broker(t), "a", nil)
	r.PutManifest(t, strings.Replace(enforcetest.Billing, "quotas:", "task_types: {refund: {routes: [POST /v1/refunds]}}\nquotas:", 1))
	declare := func(agent, taskType string, force bool) (int, string) {
		return r.Operate(t, "POST", "/v1/runs", DeclareTaskRequest{RunKey: agent + taskType, Agent: agent, TaskType: taskType, Seconds: 600,
			Force: force}, "")
	}
	for _, tc := range []struct {
		agent, taskType string
		force           bool
		want            int
		text            string
	}{
		{"nosuch", "", false, 404, "no established agent of that name"},
		{"nosuch", "", true, 200, ""},
		{"billing", "refunds", false, 422, "is not in task_types of the manifest of billing (version "},
		{"billing", "refunds", true, 200, ""},
		{"billing", "refund", false, 200, ""},
		{"billing", "", false, 200, ""},
	} {
		if code, text := declare(tc.agent, tc.taskType, tc.force); code != tc.want || !strings.Contains(text, tc.text) {
			t.Errorf("%+v: %d %s", tc, code, text)
		}
	}
	task := changed[ChangeResult](t, r, "/v1/runs", DeclareTaskRequest{RunKey: "r9", Agent: "billing", Targets: []string{"order:7"},
		Seconds: 600})
	if got := met(t, task); !strings.Contains(got, "the manifest of billing, version ") || task.Until == "" {
		t.Errorf("a task met %q, until %q", got, task.Until)
	}
	end := changed[ChangeResult](t, r, "/v1/runs/"+task.Ref+"/end", EndTaskRequest{Reason: "done"})
	if got := met(t, end); !strings.Contains(got, "run r9 of billing, may write order:7") {
		t.Errorf("its end met %q", got)
	}
}

func TestSecondVerdictReplacesTheFirstInSilence(t *testing.T) {
	stored := &schema.Verdict{Label: schema.VerdictTrue, By: "ops", Why: "seen", At: time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC).UnixNano()}
	r := ready(t, enforcetest.Broker(t), "a", func(o *enforcetest.Options) {
		o.FindFinding = func(_ context.Context, _, term string) ([]string, *schema.Verdict, error) {
			switch term {
			case "f_judged":
				return []string{"f_judged1"}, stored, nil
			case "f_several":
				return []string{"f_several1", "f_several2"}, nil, nil
			case "f_new":
				return []string{"f_new1"}, nil, nil
			case "f_aaaabbbbccccdddd", "f_aaaa":
				return nil, nil, errors.New("the database is away")
			}
			return nil, nil, nil
		}
	})
	label := func(term string, is schema.VerdictLabel, replace bool) (int, string) {
		return r.Operate(t, "POST", "/v1/findings/"+term+"/verdict", LabelFindingRequest{Is: is, Why: "looked", Replace: replace}, "")
	}
	for _, tc := range []struct {
		term    string
		is      schema.VerdictLabel
		replace bool
		want    int
		text    string
	}{
		{"f_new", schema.VerdictBenign, false, 200, `"ref":"f_new1"`},
		{"f_judged", schema.VerdictTrue, false, 200, "the verdict was true by ops at 2026-05-04T09:00:00Z: seen"},
		{"f_judged", schema.VerdictBenign, false, 409, "the verdict on f_judged1 is true by ops at 2026-05-04T09:00:00Z: seen; replace"},
		{"f_judged", schema.VerdictBenign, true, 200, "the verdict was true by ops"},
		{"f_several", schema.VerdictBenign, false, 409, "f_several1, f_several2"},
		{"f_none", schema.VerdictBenign, false, 404, "no such finding"},
		{"f_aaaabbbbccccdddd", schema.VerdictBenign, false, 200, "whether another verdict stands is not known"},
		{"f_aaaa", schema.VerdictBenign, false, 503, "by its whole id"}, // without the database any text was taken for an id
	} {
		if code, text := label(tc.term, tc.is, tc.replace); code != tc.want || !strings.Contains(text, tc.text) {
			t.Errorf("%+v: %d %s", tc, code, text)
		}
	}
}

func TestQuestionDoesNotSayWhomItIsAbout(t *testing.T) {
	r := ready(t, enforcetest.Broker(t), "a", func(o *enforcetest.Options) {
		o.LinkKey = "0123456789abcdef"
		o.Routes = enforcetest.Table(t, route.Rule{Method: "POST", Template: "/customers/{customerId}/emails", Effect: schema.EffectSend,
			Reversibility: schema.Irreversible, Resources: []string{"customerId:customer"}})
	})
	r.PutManifest(t, "version: 1\nagent: billing\nscope: {routes: [\"POST /**\"]}\nautonomy: [{routes: [\"POST /**\"], ask: always}]\n")
	r.Ask("billing", "kk1", "POST", "/customers/5/emails?subject=secret", "")
	code, text := r.Operate(t, "GET", "/v1/grants", nil, "")
	var gates []GateLine
	if err := json.Unmarshal([]byte(text), &gates); err != nil || len(gates) != 1 {
		t.Fatalf("%d %s: %v", code, text, err)
	}
	g := &gates[0].Gate
	const call = "POST /customers/5/emails with a body that was not shown"
	if g.Call() != call || g.About() != "customer:5" || g.Caller() != "run kk1" || strings.Contains(text, "secret") {
		t.Errorf("it is about %q %q of %q: %s", g.Call(), g.About(), g.Caller(), text)
	}
	link := ApprovalLink("0123456789abcdef", "http://127.0.0.1", g.ID, time.Now().Add(time.Minute).UnixNano())
	w := httptest.NewRecorder()
	r.API.ServeHTTP(w, httptest.NewRequest("GET", link, nil))
	for _, want := range []string{"billing wants to call POST /customers/5/emails", "customer:5", "run kk1",
		"the manifest wants a person&#39;s yes for every such call"} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("the page does not say %q: %s", want, w.Body)
		}
	}
	granted := changed[ChangeResult](t, r, "/v1/grants/"+g.ID+"/grant", GrantRequest{Reason: "he asked for it"})
	if got := met(t, granted); !strings.Contains(got, "billing wants "+call+" about customer:5") || granted.Until == "" {
		t.Errorf("a grant met %q, until %q", got, granted.Until)
	}
	if v := r.Ask("billing", "kk1", "POST", "/customers/5/emails?subject=secret", ""); v.Status != 200 {
		t.Errorf("granted, and %+v", v)
	}
}
