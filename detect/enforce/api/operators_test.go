package api

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"flyball/detect/enforce/enforcetest"
	"flyball/detect/enforce/operator"
	"flyball/detect/enforce/operator/operatortest"
	"flyball/schema"
)

// withIssuer returns the API of a server whose operators also have tokens of a provider.
func withIssuer(t testing.TB, s *server, p *operatortest.Provider, change func(*OIDC)) http.Handler {
	t.Helper()
	o := operator.Options{URL: p.URL, ClientID: operatortest.ClientID, CLIClientID: operatortest.CLIClientID, Scopes: []string{"email"},
		TenantsClaim: "tenants", Now: s.o.Now, Logger: enforcetest.NoLog()}
	issuer, err := operator.New(o)
	if err != nil {
		t.Fatal(err)
	}
	if err := issuer.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.o.OIDC = &OIDC{Issuer: issuer, Roles: map[string]Role{"watch": Viewer, "soc": Responder, "ops": Admin, "build": Orchestrator},
		Delegates: []string{"ops"}}
	if change != nil {
		change(s.o.OIDC)
	}
	return handler(t, s)
}

func bearer(token string) []string {
	return []string{"Content-Type", "application/json", "Authorization", "Bearer " + token}
}

func TestGroupsGiveOtherRightsThanTheirRoles(t *testing.T) {
	p := operatortest.Start(t)
	c := newAPI(t, delegates)
	h := withIssuer(t, c.server, p, nil)
	token := func(groups ...string) string { return p.Token(t, c.o.Now(), "ana", groups...) }
	const key = "AKIAIOSFODNN7EXAMPLE0"
	for name, tc := range map[string]struct {
		token   string
		headers []string // beside the token
		path    string
		status  int
		text    string
	}{
		"viewer reads":                 {token("watch"), nil, "/v1/breakers", 200, ""},
		"the highest of two roles":     {token("watch", "ops", "x"), nil, "/v1/caller", 200, `"role":"admin"`},
		"a person and orchestrator":    {token("build", "watch"), nil, "/v1/caller", 200, `"role":"viewer"`},
		"orchestrator reads":           {token("build"), nil, "/v1/breakers", 403, `"reason":"role"`},
		"unknown group is named":       {token("marketing"), nil, "/v1/breakers", 403, "marketing"},
		"unknown group, by its reason": {token("marketing"), nil, "/v1/breakers", 403, whyNoGroup},
		"no group":                     {token(), nil, "/v1/breakers", 403, "names no group"},
		"a secret among the groups":    {token(key), nil, "/v1/breakers", 403, "not shown"},
		"a group that hides":           {token("so\u202ec"), nil, "/v1/breakers", 403, `so\\u202ec`},
		"the case of a group":          {token("SOC"), nil, "/v1/breakers", 403, whyNoGroup},
		"static token":                 {"soc", nil, "/v1/breakers", 200, ""},
		"unknown static token":         {"nobody", nil, "/v1/breakers", 401, "flyball login"},
		"acts for a person":            {token("ops"), []string{HeaderOnBehalfOf, "bo", HeaderPersonsRole, "viewer"}, "/v1/caller", 200, `"role":"viewer"`},
		"acts for a person with more":  {token("ops"), []string{HeaderOnBehalfOf, "bo", HeaderPersonsRole, "responder"}, "/v1/caller", 200, `"role":"responder"`},
		"may not act for a person": {token("soc"), []string{HeaderOnBehalfOf, "bo", HeaderPersonsRole, "viewer"}, "/v1/caller", 403,
			whyNoDelegate},
		"who it is":               {token("soc"), nil, "/v1/caller", 200, `"issuer":"` + p.URL + `","subject":"ana","name":"ana@example.com"`},
		"status knows the issuer": {token("soc"), nil, "/v1/status", 200, `"oidc":{"issuer":"` + p.URL},
		"a token in place of the other": {p.Sign(t, p.Claims(c.o.Now(), "ana", "ops"), map[string]any{"aud": "x"}), nil, "/v1/breakers", 401,
			"oidc_audience"},
	} {
		w := enforcetest.Serve(h, "GET", tc.path, "", append(bearer(tc.token), tc.headers...)...)
		if w.Code != tc.status || !strings.Contains(w.Body.String(), tc.text) {
			t.Errorf("%s: %d %s, want %d %s", name, w.Code, w.Body, tc.status, tc.text)
		}
		if strings.Contains(w.Body.String(), key) || strings.Contains(w.Body.String(), tc.token+`"`) && strings.HasPrefix(tc.token, "ey") {
			t.Errorf("%s: the response repeats a secret: %s", name, w.Body)
		}
	}
	if w := enforcetest.Serve(h, "GET", "/v1/issuer", ""); w.Code != 200 || !strings.Contains(w.Body.String(), operatortest.CLIClientID) {
		t.Errorf("without a token: %d %s", w.Code, w.Body)
	}
	doc, err := openapi3.NewLoader().LoadFromData(enforcetest.Serve(h, "GET", "/openapi.json", "").Body.Bytes())
	if err != nil || doc.Validate(context.Background()) != nil || doc.Components.SecuritySchemes["oidc"] == nil ||
		doc.Paths.Find("/v1/issuer") == nil {
		t.Errorf("the document does not know the issuer: %v", err)
	}
}

// With an issuer and no token, the listener of loopback is not open to everybody any more.
func TestIssuerWithoutTokensLetsEverybodyIn(t *testing.T) {
	p := operatortest.Start(t)
	c := newAPI(t, nil)
	h := withIssuer(t, c.server, p, nil)
	if w := enforcetest.Serve(h, "GET", "http://127.0.0.1/v1/breakers", ""); w.Code != 401 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestIdentityReadsAnotherTenant(t *testing.T) {
	p := operatortest.Start(t)
	c := newAPI(t, nil)
	h := withIssuer(t, c.server, p, nil)
	for name, tc := range map[string]struct {
		claim   any // tenants of the token
		own     []string
		byClaim bool
		status  int
		text    string
	}{
		"any":                      {nil, nil, false, 200, `"tenants":[]`},
		"of the configuration":     {nil, []string{"t", "u"}, false, 200, `"tenants":["t","u"]`},
		"another":                  {nil, []string{"u"}, false, 403, "is not of tenant t"},
		"of the claim":             {[]string{"t", "v"}, nil, true, 200, `"tenants":["t","v"]`},
		"of both":                  {[]string{"t", "v"}, []string{"t", "u"}, true, 200, `"tenants":["t"]`},
		"another of the claim":     {"v", nil, true, 403, "is not of tenant t"},
		"none of the claim":        {nil, nil, true, 403, whyNoTenant},
		"none that is allowed":     {"v", []string{"t"}, true, 403, whyNoTenant},
		"a claim that is a number": {7, nil, true, 401, "oidc_tenants"},
	} {
		c.o.OIDC.Tenants, c.o.OIDC.TenantsClaim = tc.own, ""
		if tc.byClaim {
			c.o.OIDC.TenantsClaim = "tenants"
		}
		token := p.Sign(t, p.Claims(c.o.Now(), "ana", "soc"), map[string]any{"tenants": tc.claim})
		if w := enforcetest.Serve(h, "GET", "/v1/caller", "", bearer(token)...); w.Code != tc.status || !strings.Contains(w.Body.String(),
			tc.text) {
			t.Errorf("%s: %d %s, want %d %s", name, w.Code, w.Body, tc.status, tc.text)
		}
	}
}

func TestIssuerIsAwayAndStaticTokensAreRefused(t *testing.T) {
	p := operatortest.Start(t)
	c := newAPI(t, delegates)
	h := withIssuer(t, c.server, p, nil)
	known := p.Token(t, c.o.Now(), "ana", "soc")
	p.Rotate(t)
	fresh := p.Token(t, c.o.Now(), "ana", "soc")
	p.SetAway(true)
	for token, want := range map[string]int{"soc": 200, known: 200, fresh: 503} {
		if w := enforcetest.Serve(h, "GET", "/v1/breakers", "", bearer(token)...); w.Code != want {
			t.Errorf("%d %s, want %d", w.Code, w.Body, want)
		}
	}
}

func TestPrincipalApprovesUnderItsIdentityAtTheIssuer(t *testing.T) {
	const issuer = "https://id.example"
	id := &operator.Identity{Issuer: issuer, Subject: "u-17", Name: "ana@example.com", Known: []string{"u-17", "ana@example.com"}}
	who := caller{name: id.String(), identity: id}
	for principal, own := range map[string]bool{"ana@example.com": true, "ANA@example.com": true, "ana": true, "u-17": true,
		issuer + "#u-17": true,
		"bo@example.com": false, "u-18": false} {
		if err := ownApproval(&schema.Gate{PrincipalID: principal}, who.names()...); (err != nil) != own {
			t.Errorf("%s: %v", principal, err)
		}
	}
	if by := who.auditName("ana"); by != issuer+"#u-17 (ana@example.com)" {
		t.Errorf("the person is named twice: %s", by)
	}
	if by := who.auditName("bo"); by != issuer+"#u-17 (ana@example.com) for bo" {
		t.Errorf("%s", by)
	}
}

func TestOperationWithoutARoleIsOpenToEverybody(t *testing.T) {
	c := newAPI(t, delegates)
	serve := func(op operation) int {
		op.serve = func(x *exchange) { x.respond(struct{}{}) }
		w := httptest.NewRecorder()
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "Bearer soc")
		c.serve(newAuthenticator(c.o.Tokens, "t", c.o.Now), nil, &op)(w, r)
		return w.Code
	}
	for want, op := range map[int]operation{403: {}, 200: {anybody: true}} {
		if got := serve(op); got != want {
			t.Errorf("%+v: %d, want %d", op, got, want)
		}
	}
	for _, op := range withAll(t, c).operations() {
		if op.anybody != (op.path == "/v1/issuer") || !op.anybody && op.role == "" {
			t.Errorf("%s %s: anybody %v, role %q", op.method, op.path, op.anybody, op.role)
		}
	}
}

// withAll returns a server with the operations on an issuer.
func withAll(t testing.TB, c *inMemory) *server {
	withIssuer(t, c.server, operatortest.Start(t), nil)
	return c.server
}

// browser is a browser of a person, and the pages that it shows.
type browser struct {
	t testing.TB
	*http.Client
}

func newBrowser(t testing.TB, s *httptest.Server) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, &http.Client{Jar: jar, Transport: s.Client().Transport}}
}

func (b *browser) show(resp *http.Response, err error) (int, string) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// Each person has a browser. Whoever forwards a link forwards no right with it.
func TestLinkIsUsedByWhoeverHasIt(t *testing.T) {
	var pages http.Handler
	site := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { pages.ServeHTTP(w, r) }))
	defer site.Close()
	p := operatortest.Start(t, site.URL+operator.Path)
	r := ready(t, enforcetest.Broker(t), "a", func(o *enforcetest.Options) { o.LinkKey = "key of this deployment" })
	pages = withIssuer(t, r.server, p, func(o *OIDC) {
		var err error
		o.SignIn, err = operator.NewSignIn(o.Issuer, site.URL+operator.Path, func() schema.Secret { return operatortest.ClientSecret },
			r.server.o.LinkKey)
		if err != nil {
			t.Fatal(err)
		}
	})
	r.PutManifest(t, enforcetest.Billing)
	var g *schema.Gate
	enforcetest.Within(t, "a call is held", func() bool {
		g = r.Gate(r.Ask("billing", "r1", "DELETE", "/v1/orders/7", "").Gate)
		return g != nil
	})
	link := ApprovalLink(r.server.o.LinkKey, site.URL, g.ID, time.Now().Add(time.Hour).UnixNano())
	grant := url.Values{"answer": {"grant"}, "reason": {"looked at it"}}

	nobody := newBrowser(t, site)
	over := ApprovalLink(r.server.o.LinkKey, site.URL, g.ID, time.Now().UnixNano())
	if code, text := nobody.show(nobody.Get(over)); code != 410 || strings.Contains(text, "order:7") {
		t.Errorf("a link that is over shows the call to everybody: %d %s", code, text)
	}
	if code, text := nobody.show(nobody.PostForm(link, grant)); code != 401 {
		t.Errorf("without a sign-in: %d %s", code, text)
	}
	for name, tc := range map[string]struct {
		person, group string
		shown         int
		decided       int
		text          string
	}{
		"no group":           {"eve", "marketing", 403, 401, "marketing"},
		"only looks":         {"vic", "watch", 200, 403, "has the role viewer"},
		"the agent's person": {"billing", "soc", 200, 400, "cannot approve it"},
	} {
		p.SignIn(tc.person, tc.group)
		b := newBrowser(t, site)
		code, shown := b.show(b.Get(link))
		decided, answer := b.show(b.PostForm(link, grant))
		if code != tc.shown || decided != tc.decided || !strings.Contains(shown+answer, tc.text) {
			t.Errorf("%s: %d %d %s %s", name, code, decided, shown, answer)
		}
	}
	p.SignIn("ana", "soc")
	ana := newBrowser(t, site)
	code, text := ana.show(ana.Get(link))
	if code != 200 || !strings.Contains(text, "ana@example.com") || strings.Contains(text, `name="by"`) || !strings.Contains(text, "order:7") {
		t.Fatalf("%d %s", code, text)
	}
	grant.Set("by", "Somebody else")
	if code, text := ana.show(ana.PostForm(link, grant)); code != 200 || !strings.Contains(text, "granted") {
		t.Fatalf("%d %s", code, text)
	}
	if got := r.Gate(g.ID); got.By != p.URL+"#ana (ana@example.com) for Somebody else" {
		t.Errorf("%+v", got)
	}
	if code, _ := ana.show(ana.PostForm(link, grant)); code != 409 {
		t.Errorf("a second answer: %d", code)
	}
	// A form of another site carries no cookie in a browser; if one does, it is refused.
	req, _ := http.NewRequest("POST", link, strings.NewReader(grant.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	if code, text := ana.show(ana.Do(req)); code != 403 {
		t.Errorf("a form of another site: %d %s", code, text)
	}
	trip := enforcetest.Serve(pages, "POST", "/v1/breakers/trip", tripOfX, bearer(p.Token(t, time.Now(), "ana", "soc"))...)
	var done ChangeResult
	if err := json.Unmarshal(trip.Body.Bytes(), &done); err != nil || trip.Code != 200 {
		t.Fatalf("%d %s", trip.Code, trip.Body)
	}
	if b := r.Breakers(); b[0].By != p.URL+"#ana (ana@example.com)" {
		t.Errorf("%s", b[0].By)
	}
	p.SetAway(true) // the check needs nothing of the issuer
	if v := r.Ask("billing", "r3", "GET", "/v1/orders/1", ""); v.Status != 200 {
		t.Errorf("a read: %+v", v)
	}
	if v := r.Ask("x", "r3", "GET", "/v1/orders/1", ""); v.Status != 403 {
		t.Errorf("a tripped agent: %+v", v)
	}
}

func TestAcknowledgementWantsNoSignIn(t *testing.T) {
	p := operatortest.Start(t)
	c := newAPI(t, func(o *enforcetest.Options) { o.LinkKey = "key of this deployment" })
	h := withIssuer(t, c.server, p, func(o *OIDC) {
		var err error
		o.SignIn, err = operator.NewSignIn(o.Issuer, "https://flyball.example/v1/sign-in", func() schema.Secret { return "" }, c.o.LinkKey)
		if err != nil {
			t.Fatal(err)
		}
	})
	link := AckLink(c.o.LinkKey, "https://flyball.example", "t", "i_1", "n_1", c.o.Now().Add(time.Hour).UnixNano())
	w := enforcetest.Serve(h, "GET", link, "")
	if w.Code != 303 || !strings.HasPrefix(w.Header().Get("Location"), p.URL+"/") || strings.Contains(w.Header().Get("Location"), "i_1") {
		t.Errorf("%d %s", w.Code, w.Header())
	}
	form := url.Values{"why": {"x"}, "by": {"Ann"}}.Encode()
	if w := enforcetest.Serve(h, "POST", link, form, "Content-Type", "application/x-www-form-urlencoded"); w.Code != 401 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if w := enforcetest.Serve(h, "GET", strings.Replace(link, "n_1", "n_2", 1), ""); w.Code != 403 {
		t.Errorf("a forged link begins a sign-in: %d", w.Code)
	}
}
