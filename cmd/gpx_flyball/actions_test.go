package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/config"

	"flyball/detect/enforce/enforcetest"
	"flyball/schema"
)

// all are bodies that every action takes.
func all() map[string]fields {
	return map[string]fields{
		"breakers/trip":    {"agent": "billing", "reason": "x", "for": "15m"},
		"breakers/reset":   {"breaker": "agent billing", "reason": "x"},
		"gates/grant":      {"gate": "g_x", "reason": "x"},
		"gates/refuse":     {"gate": "g_x", "reason": "x"},
		"findings/verdict": {"finding": judged, "verdict": "true", "reason": "x"},
		"exceptions/add":   {"agent": "billing", "family": "runaway.loop", "reason": "x"},
		"bypass/end":       {"reason": "x"},
	}
}

func bypassForAdmins() fields { return fields{"Admin": "bypass"} }

// has reports whether an answer contains all texts.
func (r *result) has(texts ...string) bool {
	return !slices.ContainsFunc(texts, func(x string) bool { return !strings.Contains(r.Message, x) })
}

func TestTripOfAPanelDoesNotSayWhatItHolds(t *testing.T) {
	f := deploy(t)
	d := source(t, f.url, tokenGrafana)
	if v := f.Ask("billing", "k1", "GET", "/v1/orders/1", ""); v.Status != 200 {
		t.Fatalf("%+v", v)
	}
	before := time.Now()
	got := press(t, d, "Editor", "breakers/trip", fields{"run": "k1", "reason": "looks wrong", "for": "15m"}, nil)
	until, err := time.Parse(time.RFC3339Nano, got.Until)
	if got.Status != 200 || err != nil || until.Before(before.Add(14*time.Minute)) || until.After(before.Add(16*time.Minute)) {
		t.Fatalf("%+v", got)
	}
	if !strings.HasPrefix(got.Scope, "run ") || !strings.Contains(got.Undo, "flyball breakers reset "+got.Scope) || got.By != "alice" ||
		!strings.Contains(got.Besides, "of agent billing") || !got.has(got.Scope+" is held", "until "+got.Until, "Undo: ", "tenant t") {
		t.Errorf("%+v", got)
	}
	if v := f.Ask("billing", "k1", "GET", "/v1/orders/1", ""); v.Status != 403 {
		t.Errorf("held, and its next call: %+v", v)
	}
	if b := f.Breakers(); len(b) != 1 || b[0].By != "grafana on behalf of alice" || b[0].Reason != "looks wrong" {
		t.Errorf("%+v", b)
	}
	if back := press(t, d, "Editor", "breakers/reset", fields{"breaker": got.Scope, "reason": "looked"}, nil); back.Status != 200 ||
		!back.has(got.Scope+" is not held any more", "Undo: ") {
		t.Errorf("%+v", back)
	}
	if v := f.Ask("billing", "k1", "GET", "/v1/orders/1", ""); v.Status != 200 {
		t.Errorf("released, and its next call: %+v", v)
	}
}

// An agent chooses the keys of its runs, also the id of a run that somebody is about to hold.
func TestKeyOfAnotherRunKeepsARunFromBeingHeld(t *testing.T) {
	f := deploy(t)
	d := source(t, f.url, tokenGrafana)
	trip := func(run string) result {
		return press(t, d, "Editor", "breakers/trip", fields{"run": run, "reason": "x", "for": "15m"}, nil)
	}
	f.Ask("billing", "k1", "GET", "/v1/orders/1", "")
	_, id, _ := strings.Cut(trip("k1").Scope, " ")
	if back := press(t, d, "Editor", "breakers/reset", fields{"breaker": "run " + id, "reason": "x"}, nil); back.Status != 200 {
		t.Fatalf("%+v", back)
	}
	f.Ask("payroll", id, "GET", "/v1/orders/1", "")
	if got := trip(id); got.Status != 200 || got.Scope != "run "+id {
		t.Errorf("%+v", got)
	}
}

// The row of a panel is a while old. The breaker that the user sees in it must be the one that is reset.
func TestResetClosesABreakerThatTheUserHasNotSeen(t *testing.T) {
	f := deploy(t)
	d := source(t, f.url, tokenGrafana)
	f.Ask("billing", "k1", "GET", "/v1/orders/1", "")
	trip := func(length string) string {
		if got := press(t, d, "Editor", "breakers/trip", fields{"agent": "billing", "reason": "x", "for": length}, nil); got.Status != 200 {
			t.Fatalf("%+v", got)
		}
		return strconv.FormatUint(f.Breakers()[0].Generation, 10)
	}
	first := trip("15m")
	second := trip("1d")
	if got := press(t, d, "Editor", "breakers/reset", fields{"breaker": first, "reason": "x"}, nil); got.Status != 404 ||
		len(f.Breakers()) != 1 {
		t.Errorf("an old generation: %+v", got)
	}
	if got := press(t, d, "Editor", "breakers/reset", fields{"breaker": second, "reason": "x"}, nil); got.Status != 200 || got.Scope !=
		"agent billing" || len(f.Breakers()) != 0 {
		t.Errorf("%+v", got)
	}
	if got := press(t, d, "Editor", "breakers/reset", fields{"breaker": "agent billing", "reason": "x"}, nil); got.Status != 404 ||
		got.Reason != "no_breaker" {
		t.Errorf("nothing is open: %+v", got)
	}
}

func TestViewerActs(t *testing.T) {
	f := deploy(t)
	for name, user := range map[string]*backend.User{"a viewer": {Login: "v", Role: "Viewer"}, "without a role": {Login: "v"},
		"of an unknown role": {Login: "v", Role: "Owner"}, "nobody": nil, "an editor, mapped to see": {Login: "e", Role: "Editor"}} {
		d := source(t, f.url, tokenRoot, "roles", fields{"Editor": "see"})
		for path, body := range all() {
			got := press(t, d, "", path, body, func(r *backend.CallResourceRequest) { r.PluginContext.User = user })
			if got.Status != 403 || got.Message == "" {
				t.Errorf("%s: %s: %+v", name, path, got)
			}
		}
	}
	got := press(t, source(t, f.url, tokenRoot), "Viewer", "breakers/trip", all()["breakers/trip"], nil)
	if !got.has("alice may not do this", "Viewer is mapped to see", "needs respond") {
		t.Errorf("%+v", got)
	}
	if len(f.Breakers()) != 0 {
		t.Error("a breaker is open")
	}
}

// What needs Flyball's role admin is refused to Grafana's Admin until the settings map it to bypass.
func TestAdminBypassesWithoutAMapping(t *testing.T) {
	f := deploy(t)
	body := fields{"agent": "billing", "family": "runaway.loop", "reason": "a migration"}
	if got := press(t, source(t, f.url, tokenRoot), "Admin", "exceptions/add", body, nil); got.Status != 403 || !got.has("needs bypass") {
		t.Errorf("%+v", got)
	}
	mapped := source(t, f.url, tokenRoot, "roles", bypassForAdmins())
	if got := press(t, mapped, "Editor", "exceptions/add", body, nil); got.Status != 403 {
		t.Errorf("an editor: %+v", got)
	}
	if got := press(t, source(t, f.url, tokenGrafana, "roles", bypassForAdmins()), "Admin", "exceptions/add", body,
		nil); got.Status != 502 || !got.has("token grafana has the role responder, this needs admin") {
		t.Errorf("a token that may less than the user: %+v", got)
	}
	before := time.Now()
	got := press(t, mapped, "Admin", "exceptions/add", body, nil)
	until, err := time.Parse(time.RFC3339Nano, got.Until)
	if got.Status != 200 || err != nil || until.Before(before.Add(59*time.Minute)) || until.After(before.Add(61*time.Minute)) ||
		got.ID == "" || got.Undo != "flyball exceptions remove "+got.ID {
		t.Errorf("for an hour: %+v", got)
	}
	if code, text := f.Operate(t, "POST", "/v1/bypass", fields{"for_seconds": 600, "reason": "x"}, tokenRoot); code != 200 {
		t.Fatal(text)
	}
	if got := press(t, mapped, "Admin", "bypass/end", fields{"reason": "over"}, nil); got.Status != 200 ||
		!got.has("has ended", "flyball bypass") || !strings.Contains(strings.Join(got.Met, ""), "there was a bypass by root") {
		t.Errorf("%+v", got)
	}
	if got := press(t, mapped, "Admin", "bypass/end", fields{"reason": "over"}, nil); got.Status != 404 {
		t.Errorf("a second time: %+v", got)
	}
}

// The page of another site can make the browser of a user who is logged in to Grafana send requests.
func TestPageOfAnotherSiteTrips(t *testing.T) {
	f := deploy(t)
	d := source(t, f.url, tokenGrafana)
	f.Ask("billing", "k1", "GET", "/v1/orders/1", "")
	grafana := config.NewGrafanaCfg(map[string]string{backend.AppURL: "https://grafana.example/"})
	for name, tc := range map[string]struct {
		change func(*backend.CallResourceRequest)
		status int
	}{
		"without the header of actions": {func(r *backend.CallResourceRequest) { delete(r.Headers, "X-Grafana-Action") }, 403},
		"as a form": {func(r *backend.CallResourceRequest) {
			r.Headers["Content-Type"] = []string{"application/x-www-form-urlencoded"}
		}, 415},
		"as a text":      {func(r *backend.CallResourceRequest) { r.Headers["Content-Type"] = []string{"text/plain"} }, 415},
		"without a type": {func(r *backend.CallResourceRequest) { delete(r.Headers, "Content-Type") }, 415},
		"cross-site":     {func(r *backend.CallResourceRequest) { r.Headers["Sec-Fetch-Site"] = []string{"cross-site"} }, 403},
		"a neighbour":    {func(r *backend.CallResourceRequest) { r.Headers["Sec-Fetch-Site"] = []string{"same-site"} }, 403},
		"a link":         {func(r *backend.CallResourceRequest) { r.Headers["Sec-Fetch-Site"] = []string{"none"} }, 403},
		"an old browser": {func(r *backend.CallResourceRequest) {
			delete(r.Headers, "Sec-Fetch-Site")
			r.Headers["Origin"], r.PluginContext.GrafanaConfig = []string{"https://evil.example"}, grafana
		}, 403},
		"an origin that cannot be compared": {func(r *backend.CallResourceRequest) {
			delete(r.Headers, "Sec-Fetch-Site")
			r.Headers["Origin"] = []string{"https://evil.example"}
		}, 403},
		"with GET": {func(r *backend.CallResourceRequest) { r.Method = http.MethodGet }, 405},
	} {
		for path, body := range all() {
			got := press(t, d, "Editor", path, body, tc.change)
			if got.Status != tc.status || got.Message == "" {
				t.Errorf("%s: %s: %+v", name, path, got)
			}
		}
	}
	if len(f.Breakers()) != 0 {
		t.Error("a breaker is open")
	}
	for name, change := range map[string]func(*backend.CallResourceRequest){
		"an old browser on Grafana's own page": func(r *backend.CallResourceRequest) {
			delete(r.Headers, "Sec-Fetch-Site")
			r.Headers["Origin"], r.PluginContext.GrafanaConfig = []string{"https://grafana.example"}, grafana
		},
		"a program": func(r *backend.CallResourceRequest) { delete(r.Headers, "Sec-Fetch-Site") },
	} {
		if got := press(t, d, "Editor", "breakers/trip", all()["breakers/trip"], change); got.Status != 200 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestActionWithoutAReasonOrWithABadBodyIsSent(t *testing.T) {
	f := deploy(t)
	d := source(t, f.url, tokenRoot, "roles", bypassForAdmins())
	for path, body := range all() {
		for _, reason := range []any{nil, "", " \t", "$reason", " ${reason} ", strings.Repeat("x", 1001)} {
			bad := fields{}
			for k, v := range body {
				bad[k] = v
			}
			bad["reason"] = reason
			if got := press(t, d, "Admin", path, bad, nil); got.Status != 400 || !got.has("reason") {
				t.Errorf("%s: %+v", path, got)
			}
		}
		for name, text := range map[string]string{"nothing": "", "null": "null", "a list": "[]", "no end": `{"reason":"x"`,
			"two": `{"reason":"x"}{}`, "an unknown member": `{"reason":"x","force":true}`} {
			got := press(t, d, "Admin", path, nil, func(r *backend.CallResourceRequest) { r.Body = []byte(text) })
			if got.Status != 400 || got.Message == "" {
				t.Errorf("%s: %s: %+v", path, name, got)
			}
		}
		got := press(t, d, "Admin", path, fields{"reason": strings.Repeat("x", 20_000)}, nil)
		if got.Status != 413 {
			t.Errorf("%s: a large body: %+v", path, got)
		}
	}
	for _, tc := range []struct {
		path string
		body fields
		want string
	}{
		{"breakers/trip", fields{"reason": "x", "for": "1h"}, "run, agent: name one of the two"},
		{"breakers/trip", fields{"run": "a", "agent": "b", "reason": "x", "for": "1h"}, "run, agent: name one of the two"},
		{"breakers/trip", fields{"run": "${run}", "reason": "x", "for": "1h"}, "the panel has not filled it in"},
		{"breakers/trip", fields{"agent": "a", "reason": "x"}, "for: "},
		{"breakers/trip", fields{"agent": "a", "reason": "x", "for": "59s"}, "from 1m to 7d"},
		{"breakers/trip", fields{"agent": "a", "reason": "x", "for": "8d"}, "from 1m to 7d"},
		{"breakers/trip", fields{"agent": "a", "reason": "x", "for": "-1h"}, "from 1m to 7d"},
		{"breakers/trip", fields{"agent": "a", "reason": "x", "for": "99999999999999w"}, "from 1m to 7d"},
		{"breakers/trip", fields{"agent": "a", "reason": "x", "for": "1h0.5s"}, "from 1m to 7d"},
		{"exceptions/add", fields{"agent": "a", "family": "runaway.loop", "reason": "x", "for": "$for"}, "from 1m to 7d"},
		{"exceptions/add", fields{"family": "runaway.loop", "reason": "x"}, "agent: empty"},
		{"breakers/reset", fields{"breaker": "planet earth", "reason": "x"}, "breaker: "},
		{"breakers/reset", fields{"breaker": "", "reason": "x"}, "breaker: empty"},
		{"findings/verdict", fields{"finding": "f", "verdict": "yes", "reason": "x"}, "none of true, benign, test"},
	} {
		if got := press(t, d, "Admin", tc.path, tc.body, nil); got.Status != 400 || !got.has(tc.want) {
			t.Errorf("%s %v: %+v, want %q", tc.path, tc.body, got, tc.want)
		}
	}
	if got := press(t, d, "Admin", "breakers/destroy", fields{}, nil); got.Status != 404 || !got.has("breakers/trip") {
		t.Errorf("%+v", got)
	}
	if len(f.Breakers()) != 0 {
		t.Error("a breaker is open")
	}
	f.Ask("pay$bot", "k1", "GET", "/v1/orders/1", "")
	if got := press(t, d, "Admin", "breakers/trip", fields{"agent": "pay$bot", "reason": "x", "for": "1h"}, nil); got.Status == 400 {
		t.Errorf("an agent with a $ in its name: %+v", got)
	}
}

// Grafana puts what was typed or pasted into a body as it is: a quote ends the member, and what follows can be another one.
func TestPastedQuoteChangesWhatIsHeld(t *testing.T) {
	f := deploy(t)
	d := source(t, f.url, tokenGrafana)
	f.Ask("billing", "k1", "GET", "/v1/orders/1", "")
	f.Ask("payroll", "k2", "GET", "/v1/orders/1", "")
	const whole = `{"agent":"payroll","reason":"x","for":"15m"}`
	for name, tc := range map[string]struct{ body, query, want string }{
		"a second member":           {`{"agent":"payroll","for":"15m","reason":"x","agent":"billing"}`, "", "agent is there twice"},
		"a second one, other case":  {`{"agent":"payroll","for":"15m","reason":"x","Agent":"billing"}`, "", `unknown member "Agent"`},
		"in both":                   {whole, "agent=billing", "agent is there twice"},
		"in both, an escaped name":  {`{"\u0061gent":"payroll","reason":"x","for":"15m"}`, "agent=payroll", "agent is there twice"},
		"in the address twice":      {"{}", "agent=payroll&agent=billing&reason=x&for=15m", "agent is there twice"},
		"not the query of anything": {"{}", "agent=%zz&reason=x&for=15m", "cannot be read"},
		"not UTF-8":                 {"{}", "agent=%ff&reason=x&for=15m", "not UTF-8"},
		"unknown in the address":    {whole, "force=true", `unknown member "force"`},
	} {
		got := press(t, d, "Editor", "breakers/trip", nil, func(r *backend.CallResourceRequest) {
			r.Body, r.URL = []byte(tc.body), "breakers/trip?"+tc.query
		})
		if got.Status != 400 || !got.has(tc.want) {
			t.Errorf("%s: %+v, want %q", name, got, tc.want)
		}
	}
	if len(f.Breakers()) != 0 {
		t.Fatal("a breaker is open")
	}
	const reason = `he said "stop", agent=billing & more`
	for name, body := range map[string]string{"as Grafana sends it": "{}", "without a body": ""} {
		got := press(t, d, "Editor", "breakers/trip", nil, func(r *backend.CallResourceRequest) {
			r.Body = []byte(body)
			r.URL = "breakers/trip?" + url.Values{"agent": {"payroll"}, "for": {"15m"}, "reason": {reason}}.Encode()
		})
		if b := f.Breakers(); got.Status != 200 || got.Scope != "agent payroll" || len(b) != 1 || b[0].Reason != reason {
			t.Errorf("%s: %+v %+v", name, got, b)
		}
	}
	replaced := press(t, d, "Editor", "findings/verdict", nil, func(r *backend.CallResourceRequest) {
		r.Body, r.URL = nil, "findings/verdict?finding="+judged+"&verdict=benign&reason=x&replace=true"
	})
	if replaced.Status != 200 {
		t.Errorf("%+v", replaced)
	}
}

func TestTargetThatNobodyHasMetIsHeld(t *testing.T) {
	f := deploy(t)
	d := source(t, f.url, tokenGrafana)
	for _, body := range []fields{{"run": "nosuchrun", "reason": "x", "for": "1h"}, {"agent": "nosuchagent", "reason": "x", "for": "1h"}} {
		if got := press(t, d, "Editor", "breakers/trip", body, nil); got.Status != 404 || !got.has("nothing was held") {
			t.Errorf("%+v", got)
		}
	}
}

func TestAnswerToAQuestionIsNotThePersons(t *testing.T) {
	f := deploy(t)
	d := source(t, f.url, tokenGrafana)
	if code, text := f.Operate(t, "PUT", "/v1/manifests", fields{"text": enforcetest.Billing, "reason": "x"}, tokenRoot); code != 200 {
		t.Fatal(text)
	}
	ask := func(run string) string {
		t.Helper()
		v := f.Ask("billing", run, "DELETE", "/v1/orders/7", "")
		if v.Gate == "" {
			t.Fatalf("no question: %+v", v)
		}
		return v.Gate
	}
	gate := ask("k1")
	got := press(t, d, "Editor", "gates/grant", fields{"gate": gate, "reason": "he asked for it"}, nil)
	if got.Status != 200 || got.Until == "" || !got.has("granted once", "billing wants", "Undo: none") {
		t.Errorf("%+v", got)
	}
	if g := f.Gate(gate); g.State != schema.GateGranted || g.By != "grafana on behalf of alice" {
		t.Errorf("%+v", g)
	}
	if v := f.Ask("billing", "k1", "DELETE", "/v1/orders/7", ""); v.Status != 200 {
		t.Errorf("granted, and %+v", v)
	}
	gate = ask("k2")
	if got := press(t, d, "Editor", "gates/refuse", fields{"gate": gate, "reason": "no"}, nil); got.Status != 200 || !got.has("refused") {
		t.Errorf("%+v", got)
	}
	if g := f.Gate(gate); g.State != schema.GateRefused || g.By != "grafana on behalf of alice" {
		t.Errorf("%+v", g)
	}
	if got := press(t, d, "Editor", "gates/grant", fields{"gate": "../../bypass", "reason": "x"}, nil); got.Status != 404 {
		t.Errorf("a path in place of an id: %+v", got)
	}
}

func TestSecondVerdictReplacesTheFirstUnasked(t *testing.T) {
	f := deploy(t)
	d := source(t, f.url, tokenGrafana)
	body := fields{"finding": judged, "verdict": "benign", "reason": "a migration"}
	if got := press(t, d, "Editor", "findings/verdict", body, nil); got.Status != 409 || !got.has("is true by ops") {
		t.Errorf("%+v", got)
	}
	body["replace"] = true
	if got := press(t, d, "Editor", "findings/verdict", body, nil); got.Status != 200 || !got.has("is judged benign", "Undo: ") {
		t.Errorf("%+v", got)
	}
	body["finding"] = "f_none"
	if got := press(t, d, "Editor", "findings/verdict", body, nil); got.Status != 404 {
		t.Errorf("%+v", got)
	}
}

// A user is not told "unauthorized" for what is wrong with the data source: Grafana would end the session.
func TestControlAwayOrItsTokenWrongIsTheUsersFault(t *testing.T) {
	f := deploy(t)
	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	for name, tc := range map[string]struct {
		url, token string
		more       []any
		status     int
		want       string
	}{
		"away":                     {"http://127.0.0.1:1", tokenGrafana, nil, 502, "start flyball up or the role control there"},
		"another service":          {other.URL, tokenGrafana, nil, 502, "controlUrl names another service"},
		"an unknown token":         {f.url, "unknown", nil, 502, "make one with flyball token"},
		"no token":                 {f.url, "", nil, 502, "make one with flyball token"},
		"a token of a viewer":      {f.url, tokenWall, nil, 502, "token wall has the role viewer"},
		"a token without delegate": {f.url, tokenDelegate, nil, 502, "delegate: true"},
		"no control":               {"", "", nil, 501, "set controlUrl"},
		"another tenant":           {f.url, tokenGrafana, []any{"tenant", "other"}, 409, "controlUrl changes the state of tenant t"},
	} {
		d := source(t, tc.url, tc.token, tc.more...)
		got := press(t, d, "Editor", "breakers/trip", fields{"agent": "billing", "reason": "x", "for": "1h"}, nil)
		if got.Status != tc.status || !got.has(tc.want) {
			t.Errorf("%s: %+v, want %d %q", name, got, tc.status, tc.want)
		}
	}
	if len(f.Breakers()) != 0 {
		t.Error("a breaker is open")
	}
}

// The health check says what is wrong before somebody needs an action.
func TestWrongTokenIsFoundOnlyByAnAction(t *testing.T) {
	f := deploy(t)
	for name, tc := range map[string]struct {
		url, token string
		more       []any
		want       string
	}{
		"away":             {"http://127.0.0.1:1", tokenGrafana, nil, "Actions do not work: the control API does not answer at http"},
		"an unknown token": {f.url, "unknown", nil, "make one with flyball token"},
		"of a viewer":      {f.url, tokenWall, nil, "the token wall has the role viewer, and roles of this data source allow"},
		"of a responder, and admins bypass": {f.url, tokenGrafana, []any{"roles", bypassForAdmins()},
			"the token grafana has the role responder, and roles of this data source allow what needs admin"},
		"without delegate": {f.url, tokenDelegate, nil, "set delegate: true at it in control.tokens"},
		"another tenant":   {f.url, tokenGrafana, []any{"tenant", "other"}, "controlUrl changes the state of tenant t"},
		"no control":       {"", "", nil, "Actions are off: controlUrl is empty"},
		"as it should be":  {f.url, tokenGrafana, []any{"tenant", "t"}, "Actions are sent as token grafana"},
		"an admin's token": {f.url, tokenRoot, []any{"roles", bypassForAdmins()}, "Actions are sent as token root"},
	} {
		health, err := source(t, tc.url, tc.token, tc.more...).CheckHealth(t.Context(), nil)
		if err != nil || health.Status != backend.HealthStatusError || !strings.Contains(health.Message, tc.want) ||
			!strings.Contains(health.Message, "correct addr") { // the database is away in all of them
			t.Errorf("%s: %+v %v, want %q", name, health, err, tc.want)
		}
	}
}

func TestCompletionHidesThatTheDatabaseIsAway(t *testing.T) {
	d := source(t, "", "")
	for _, path := range []string{"agents", "runs"} {
		get := func(r *backend.CallResourceRequest) {
			r.Method, r.URL, r.Headers = http.MethodGet, path+"?prefix=a", nil
		}
		if got := press(t, d, "Viewer", path, nil, get); got.Status != 502 || !got.has("correct addr") {
			t.Errorf("%s: %+v", path, got)
		}
		if got := press(t, d, "Other", path, nil, get); got.Status != 403 {
			t.Errorf("%s: %+v", path, got)
		}
	}
}
