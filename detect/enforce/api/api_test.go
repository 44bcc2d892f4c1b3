package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"flyball/detect/enforce/enforcetest"
	"flyball/schema"
)

func TestDocumentOfTheAPIIsValidAndComplete(t *testing.T) {
	c := newAPI(t, nil)
	w := enforcetest.Serve(c, "GET", "/openapi.json", "")
	doc, err := openapi3.NewLoader().LoadFromData(w.Body.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, op := range c.operations() {
		if item := doc.Paths.Find(op.path); item == nil || item.GetOperation(op.method) == nil {
			t.Errorf("%s %s is not in the document", op.method, op.path)
		}
	}
}

func TestTokensLetInWhomTheyShould(t *testing.T) {
	r := run(t, enforcetest.Broker(t), "a", func(o *enforcetest.Options) {
		o.Tokens = []enforcetest.Token{{Name: "v", Role: "viewer", Hash: enforcetest.TokenHash("viewer")}, {Name: "r", Role: "responder",
			Hash: enforcetest.TokenHash("responder")}, {Name: "a", Role: "admin", Hash: enforcetest.TokenHash("admin"), Tenants: []string{"t"}},
			{Name: "o", Role: "orchestrator", Hash: enforcetest.TokenHash("orchestrator")}, {Name: "x", Role: "admin",
				Hash: enforcetest.TokenHash("other tenant"), Tenants: []string{"u"}},
			{Name: "e", Role: "admin", Hash: enforcetest.TokenHash("expired"), Expires: time.Now().Add(-time.Minute)}}
	})
	r.AwaitSettings(t)
	api := r.API
	trip := `{"scope": {"kind": "agent", "value": "x"}, "until_reset": true, "force": true, "reason": "test"}`
	for _, tc := range []struct {
		token, method, path, body string
		want                      int
	}{
		{"viewer", "GET", "/v1/breakers", "", 200},
		{"", "GET", "/v1/breakers", "", 401},
		{"wrong", "GET", "/v1/breakers", "", 401},
		{"expired", "GET", "/v1/breakers", "", 401},
		{"other tenant", "GET", "/v1/breakers", "", 403},
		{"orchestrator", "GET", "/v1/breakers", "", 403},
		{"viewer", "POST", "/v1/breakers/trip", trip, 403},
		{"orchestrator", "POST", "/v1/breakers/trip", trip, 403},
		{"responder", "POST", "/v1/breakers/trip", trip, 200},
		{"responder", "POST", "/v1/bypass", `{"for_seconds": 60, "reason": "x"}`, 403},
		{"viewer", "POST", "/v1/arming/arm", `{"pattern": "*", "reason": "x"}`, 403},
		{"responder", "POST", "/v1/arming/arm", `{"pattern": "*", "reason": "x"}`, 403},
		{"responder", "POST", "/v1/arming/disarm", `{"pattern": "*", "reason": "x"}`, 403},
		{"responder", "POST", "/v1/arming/clear", `{"pattern": "*", "reason": "x"}`, 403},
		{"responder", "POST", "/v1/exceptions", `{"agent": "a", "family": "runaway.*", "for_seconds": 60, "reason": "x"}`, 403},
		{"responder", "POST", "/v1/exceptions/x_1/remove", `{"reason": "x"}`, 403},
		{"responder", "POST", "/v1/bypass/end", `{"reason": "x"}`, 403},
		{"admin", "POST", "/v1/arming/arm", `{"pattern": "*", "reason": "x"}`, 200},
		{"viewer", "POST", "/v1/arming/agents", `{"agents": ["a"]}`, 200},
		{"viewer", "GET", "/v1/arming", "", 200},
		{"viewer", "GET", "/v1/exceptions", "", 200},
		{"responder", "PUT", "/v1/manifests", `{"text": "version: 1\nagent: a\n", "reason": "x"}`, 403},
		{"responder", "POST", "/v1/runs", `{"run_key": "r", "agent": "a", "for_seconds": 60}`, 403},
		{"orchestrator", "POST", "/v1/runs", `{"run_key": "r", "agent": "a", "for_seconds": 60, "force": true}`, 200},
		{"admin", "POST", "/v1/bypass", `{"for_seconds": 60, "reason": "x"}`, 200},
	} {
		w := enforcetest.Serve(api, tc.method, "http://flyball.example"+tc.path, tc.body, "Authorization", "Bearer "+tc.token, "Content-Type",
			"application/json")
		if w.Code != tc.want {
			t.Errorf("%s: %s %s: %d %s, want %d", tc.token, tc.method, tc.path, w.Code, w.Body, tc.want)
		}
		if w.Code != 200 && w.Header().Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: %s", tc.method, tc.path, w.Header().Get("Content-Type"))
		}
	}
	many := 0
	for range 300 {
		if enforcetest.Serve(api, "GET", "/v1/breakers", "", "Authorization", "Bearer guess").Code == 429 {
			many++
		}
	}
	if many < 150 {
		t.Errorf("%d of 300 guesses were slowed down", many)
	}
}

func TestWrongBodyIsRefusedByName(t *testing.T) {
	r := run(t, enforcetest.Broker(t), "a", nil)
	api := r.API
	for _, tc := range []struct {
		path, body string
		want       int
		says       string
	}{
		{"/v1/breakers/trip", `{`, 400, "body"},
		{"/v1/breakers/trip", `null`, 400, "null"},
		{"/v1/breakers/trip", `[]`, 400, "body"},
		{"/v1/breakers/trip", `{"reason": "x"}`, 400, "scope"},
		{"/v1/breakers/trip", `{"reason": "x", "scope": {"kind": "planet", "value": "x"}}`, 400, "planet"},
		{"/v1/breakers/trip", `{"reason": " ", "scope": {"kind": "agent", "value": "x"}}`, 400, "reason"},
		{"/v1/breakers/trip", `{"reason": "x", "scope": {"kind": "agent", "value": "x"}, "ttl_seconds": -1}`, 400, "ttl_seconds"},
		{"/v1/breakers/trip", `{"reason": "x", "scope": {"kind": "agent", "value": "x"}, "more": 1}`, 400, "more"},
		{"/v1/breakers/trip", `{"reason": "x", "scope": {"kind": "agent", "value": "x"}} {}`, 400, "body"},
		{"/v1/breakers/trip", `{"reason": "` + strings.Repeat("x", maxBody) + `"}`, 413, "body"},
		{"/v1/breakers/reset", `{"reason": "x", "scope": {"kind": "agent", "value": "nobody"}}`, 404, "no_breaker"},
		{"/v1/bypass", `{"reason": "x"}`, 400, "for_seconds"},
		{"/v1/bypass", `{"reason": "x", "for_seconds": 86401}`, 400, "86400"},
		{"/v1/runs", `{"run_key": "r", "agent": "a", "for_seconds": 60, "targets": ["order:["]}`, 400, "targets"},
		{"/v1/runs", `{"agent": "a", "for_seconds": 60}`, 400, "run_key"},
		{"/v1/grants/g_none/grant", `{"reason": "x"}`, 404, "no_such_gate"},
		{"/v1/grants/g_none/refuse", `{"reason": "x", "uses": 3}`, 400, "uses"},
		{"/v1/nothing", `{}`, 404, "openapi"},
	} {
		w := enforcetest.Serve(api, "POST", "http://localhost"+tc.path, tc.body, "Content-Type", "application/json")
		if w.Code != tc.want || !strings.Contains(w.Body.String(), tc.says) {
			t.Errorf("%s %.80s: %d %s, want %d and %q", tc.path, tc.body, w.Code, w.Body, tc.want, tc.says)
		}
	}
	if w := enforcetest.Serve(api, "POST", "http://localhost/v1/bypass", `{}`, "Content-Type", "text/plain"); w.Code != 415 {
		t.Errorf("text/plain: %d", w.Code)
	}
	if w := enforcetest.Serve(api, "DELETE", "http://localhost/v1/breakers", ""); w.Code != 405 || w.Header().Get("Allow") == "" {
		t.Errorf("DELETE: %d %v", w.Code, w.Header())
	}
	if w := enforcetest.Serve(api, "PUT", "http://localhost/v1/manifests",
		`{"text": "version: 1\nagent: a\nscope: {routes: [nothing]}\n", "reason": "x"}`, "Content-Type", "application/json"); w.Code != 422 ||
		!strings.Contains(w.Body.String(), "scope.routes[0]") {
		t.Errorf("a bad manifest: %d %s", w.Code, w.Body)
	}
}

func TestPageInABrowserCannotOperate(t *testing.T) {
	c := newAPI(t, nil)
	api := c
	body := `{"for_seconds": 3600, "reason": "x"}`
	if w := enforcetest.Serve(api, "POST", "http://127.0.0.1/v1/bypass", body, "Content-Type", "application/json", "Sec-Fetch-Site",
		"cross-site", "Origin", "http://evil.example"); w.Code != 403 {
		t.Errorf("another origin: %d", w.Code)
	}
	if w := enforcetest.Serve(api, "GET", "http://rebound.example/v1/breakers", ""); w.Code != 403 {
		t.Errorf("a name that was pointed here: %d", w.Code)
	}
	if w := enforcetest.Serve(api, "GET", "http://localhost:7171/v1/breakers", ""); w.Code != 200 {
		t.Errorf("the operator: %d %s", w.Code, w.Body)
	}
}

func TestListenersKeepToThemselves(t *testing.T) {
	c := newAPI(t, nil)
	for _, path := range []string{"/v1/breakers", "/v1/breakers/trip", "/openapi.json", "/v1/grants/x/page"} {
		if w := enforcetest.Serve(c.check, "POST", path, `{}`); w.Code != 404 {
			t.Errorf("%s on the check listener: %d", path, w.Code)
		}
	}
	for _, path := range []string{"/check", "/check/v1/orders"} {
		if w := enforcetest.Serve(c, "GET", "http://localhost"+path, ""); w.Code != 404 {
			t.Errorf("%s on the control listener: %d", path, w.Code)
		}
	}
}

func TestQuestionIsDecidedByItsLinkOnce(t *testing.T) {
	r := run(t, enforcetest.Broker(t), "a", func(o *enforcetest.Options) { o.LinkKey = "key of this deployment" })
	r.PutManifest(t, enforcetest.Billing)
	held := r.Ask("billing", "r1", "DELETE", "/v1/orders/7", "")
	g := r.Gate(held.Gate)
	link := ApprovalLink(r.server.o.LinkKey, "http://flyball.example", g.ID, g.Expires+time.Now().Add(time.Hour).UnixNano())
	api := r.API
	for range 3 { // programs that follow links
		w := enforcetest.Serve(api, "GET", link, "")
		if w.Code != 200 || !strings.Contains(w.Body.String(), "order:7") || !strings.Contains(w.Body.String(), "<form") ||
			w.Header().Get("Referrer-Policy") != "no-referrer" {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	if r.Gate(g.ID).State != schema.GatePending {
		t.Fatal("looking at it decided it")
	}
	post := func(link, answer string) *httptest.ResponseRecorder {
		return enforcetest.Serve(api, "POST", link, url.Values{"answer": {answer}, "reason": {"looked at it"}, "by": {"Ann"}}.Encode(),
			"Content-Type", "application/x-www-form-urlencoded")
	}
	u, _ := url.Parse(link)
	q := u.Query()
	q.Set("until", fmt.Sprint(1<<62))
	u.RawQuery = q.Encode()
	for name, bad := range map[string]string{"a longer time": u.String(), "another question": strings.Replace(link, g.ID, "g_other", 1),
		"no signature": strings.Split(link, "&")[0]} {
		if w := post(bad, "grant"); w.Code != 403 {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
	if w := post(ApprovalLink(r.server.o.LinkKey, "http://flyball.example", g.ID, time.Now().UnixNano()), "grant"); w.Code != 410 {
		t.Errorf("a link that is over: %d", w.Code)
	}
	if w := post(link, "perhaps"); w.Code != 400 {
		t.Errorf("perhaps: %d", w.Code)
	}
	if w := post(link, "grant"); w.Code != 200 || !strings.Contains(w.Body.String(), "granted") {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := post(link, "refuse"); w.Code != 409 {
		t.Errorf("a second answer: %d", w.Code)
	}
	if got := r.Gate(g.ID); got.By != "link for Ann" {
		t.Errorf("%+v", got)
	}
	if v := r.Ask("billing", "r1", "DELETE", "/v1/orders/7", ""); v.Status != 200 {
		t.Errorf("%+v", v)
	}
}

func TestEveryChangeIsInTheAuditTrail(t *testing.T) {
	r := run(t, enforcetest.Broker(t), "a", func(o *enforcetest.Options) {
		o.Tokens = []enforcetest.Token{{Name: "soc", Role: "admin", Hash: enforcetest.TokenHash("admin")}}
	})
	r.AwaitSettings(t)
	before := r.Audit()
	for _, body := range []TripRequest{{Scope: schema.Scope{Kind: schema.ScopeAgent, Value: "x"}, UntilReset: true, Force: true, Reason: "x",
		By: "ann"}} {
		if code, text := r.Operate(t, "POST", "/v1/breakers/trip", body, "admin"); code != 200 {
			t.Fatal(code, text)
		}
	}
	code, text := r.Operate(t, "GET", "/v1/audit", nil, "admin")
	var end struct{ Seq uint64 }
	if err := json.Unmarshal([]byte(text), &end); err != nil || code != 200 || end.Seq != before.Seq+1 {
		t.Fatalf("%d %s %v", code, text, err)
	}
	if l := r.Breakers(); l[0].By != "soc for ann" {
		t.Errorf("%q", l[0].By)
	}
}

func TestPointsTellWhatABreakerDidAtEachOfThem(t *testing.T) {
	k := enforcetest.Broker(t)
	a, b := run(t, k, "a", nil), run(t, k, "b", nil)
	a.Must(t, "POST", "/v1/breakers/trip", TripRequest{Scope: schema.Scope{Kind: schema.ScopeCredential, Value: "billing"}, UntilReset: true,
		Force: true, Reason: "x"})
	enforcetest.Within(t, "the other point", func() bool { return b.Ask("billing", "r", "GET", "/", "").Status == 403 })
	enforcetest.Within(t, "a receipt of both points", func() bool {
		list := (&breakers{a.server, nil}).receipts()
		return len(list) == 1 && len(list[0].Points) == 2 && (list[0].Points[0].Denied > 0 || list[0].Points[1].Denied > 0)
	})
	enforcetest.Within(t, "both points are listed", func() bool { return len((&breakers{a.server, nil}).lines(false)[0].Applied) == 2 })
}

func TestOnlyAnAdminChangesSettings(t *testing.T) {
	r := run(t, enforcetest.Broker(t), "a", func(o *enforcetest.Options) {
		for name, role := range map[string]Role{"v": Viewer, "r": Responder, "a": Admin} {
			o.Tokens = append(o.Tokens, enforcetest.Token{Name: name, Role: string(role), Hash: enforcetest.TokenHash(name)})
		}
	})
	r.AwaitSettings(t)
	n, tooMany := 7, 101
	for token, want := range map[string]int{"v": 403, "r": 403, "a": 200} {
		if code, text := r.Operate(t, "POST", "/v1/settings", ChangeSettingsRequest{TripsPerHour: &n, Reason: "x"}, token); code != want {
			t.Errorf("%s: %d %s", token, code, text)
		}
	}
	for _, bad := range []ChangeSettingsRequest{{Reason: "x"}, {TripsPerHour: &n}, {AgentsPercent: &tooMany, Reason: "x"}} {
		if code, text := r.Operate(t, "POST", "/v1/settings", bad, "a"); code != 400 {
			t.Errorf("%+v: %d %s", bad, code, text)
		}
	}
	code, text := r.Operate(t, "GET", "/v1/settings", nil, "v")
	if code != 200 || !strings.Contains(text, `"trips_per_hour":7`) || !strings.Contains(text, `"by":"a"`) {
		t.Errorf("%d %s", code, text)
	}
}

func TestAuditOfTheLogIsComparedAtAnyOfItsLastEntries(t *testing.T) {
	r := run(t, enforcetest.Broker(t), "a", nil)
	r.AwaitSettings(t)
	for i := range 4 {
		scope := schema.Scope{Kind: schema.ScopeCredential, Value: fmt.Sprint("d", i)}
		r.Must(t, "POST", "/v1/breakers/trip", TripRequest{Scope: scope, UntilReset: true, Force: true, Reason: "x"})
	}
	var end AuditEnd
	w := httptest.NewRecorder()
	r.API.ServeHTTP(w, httptest.NewRequest("GET", "http://127.0.0.1/v1/audit?at=3", nil))
	if err := json.Unmarshal(w.Body.Bytes(), &end); err != nil || end.At == nil || end.Next == nil {
		t.Fatalf("%v %s", err, w.Body)
	}
	if end.Seq != 5 || end.At.Seq != 3 || end.Next.Seq != 4 || end.Hash == end.At.Hash || end.Stale || end.Clock == 0 {
		t.Errorf("%s", w.Body)
	}
}

// A script that finds no token may write the hash of an empty text. This hash would accept a
// request without a token.
func TestHashOfAnEmptyTokenLetsNobodyIn(t *testing.T) {
	if _, err := ParseToken(TokenHashLine("")); err == nil {
		t.Error("it is taken for a token")
	}
	c := newAPI(t, func(o *enforcetest.Options) {
		o.Tokens = []enforcetest.Token{{Name: "x", Role: "admin", Hash: enforcetest.TokenHash("")}}
	})
	for _, shown := range []string{"Bearer ", "Bearer", ""} {
		if w := enforcetest.Serve(c, "GET", "/v1/breakers", "", "Authorization", shown); w.Code != http.StatusUnauthorized {
			t.Errorf("%q: %d", shown, w.Code)
		}
	}
}
