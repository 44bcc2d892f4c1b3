package operator

import (
	"context"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"flyball/detect/enforce/operator/operatortest"
	"flyball/schema"
)

const redirect = "https://flyball.example/v1/sign-in"

func newSignIn(t testing.TB, i *Issuer) *SignIn {
	t.Helper()
	s, err := NewSignIn(i, redirect, func() schema.Secret { return operatortest.ClientSecret }, "key-of-the-deployment")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// begin begins a sign-in and returns the cookie of the browser and the address at the issuer.
func begin(t testing.TB, s *SignIn, back string) (*http.Cookie, *url.URL) {
	t.Helper()
	w := httptest.NewRecorder()
	if err := s.Begin(w, httptest.NewRequest("GET", back, nil), back); err != nil {
		t.Fatal(err)
	}
	to, err := w.Result().Location()
	if err != nil {
		t.Fatal(err)
	}
	return w.Result().Cookies()[0], to
}

// atIssuer lets the person sign in at an address of the issuer, and returns what it sends to the page.
func atIssuer(t testing.TB, to *url.URL) url.Values {
	t.Helper()
	client := &http.Client{CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if r.URL.Host == "flyball.example" {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	resp, err := client.Get(to.String())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	at, err := resp.Location()
	if err != nil {
		t.Fatalf("%d: %v", resp.StatusCode, err)
	}
	return at.Query()
}

func finish(s *SignIn, query url.Values, cookies ...*http.Cookie) (Identity, string, error) {
	r := httptest.NewRequest("GET", "/v1/sign-in?"+query.Encode(), nil)
	for _, c := range cookies {
		r.AddCookie(c)
	}
	return s.Finish(httptest.NewRecorder(), r)
}

func TestSignInIsTakenOver(t *testing.T) {
	p := operatortest.Start(t)
	i, c := newIssuer(t, p, nil)
	s := newSignIn(t, i)
	p.SignIn("ana", "soc")
	const page = "/v1/grants/g1/page?until=1&sig=x"

	cookie, to := begin(t, s, page)
	if !cookie.HttpOnly || !cookie.Secure || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.Domain != "" {
		t.Errorf("%+v", cookie)
	}
	if q := to.Query(); q.Get("code_challenge_method") != "S256" || q.Get("nonce") == "" || q.Get("state") == "" ||
		q.Get("redirect_uri") != redirect {
		t.Errorf("%v", q)
	}
	answer := atIssuer(t, to)
	id, back, err := finish(s, answer, cookie)
	if err != nil || id.ID() != p.URL+"#ana" || back != page {
		t.Fatalf("%s %s %v", &id, back, err)
	}
	with := func(q url.Values, name, value string) url.Values {
		out := url.Values{}
		maps.Copy(out, q)
		out.Set(name, value)
		return out
	}
	refused := func(name string, want Reason, query url.Values, cookies ...*http.Cookie) {
		t.Helper()
		if id, _, err := finish(s, query, cookies...); reasonOf(err) != want {
			t.Errorf("%s: %s, %v (%q), want %q", name, &id, err, reasonOf(err), want)
		}
	}
	refused("replayed code", RefusedCode, answer, cookie)

	cookie, to = begin(t, s, page)
	answer = atIssuer(t, to)
	otherCookie, otherTo := begin(t, s, page)
	other := atIssuer(t, otherTo)
	refused("stolen state in a browser without a sign-in", BadState, answer)
	refused("stolen state in another browser", BadState, answer, otherCookie)
	refused("no state", BadState, with(answer, "state", ""), cookie)
	refused("code of another sign-in", RefusedCode, with(other, "state", answer.Get("state")), cookie)
	refused("another issuer answers", BadState, with(answer, "iss", "https://evil.example"), cookie)
	refused("the issuer refuses", RefusedThere, url.Values{"state": answer["state"], "error": {"access_denied"}}, cookie)
	forged := *cookie
	forged.Value = cookie.Value[:len(cookie.Value)-4] + "AAAA"
	refused("forged cookie", BadState, answer, &forged)

	// The address is changed on the way to the issuer, so that the ID token is one for another sign-in.
	cookie, to = begin(t, s, page)
	to.RawQuery = with(to.Query(), "nonce", "another").Encode()
	refused("mixed-up nonce", BadNonce, atIssuer(t, to), cookie)

	cookie, to = begin(t, s, page)
	answer = atIssuer(t, to)
	c.add(signInTime)
	refused("too late", BadState, answer, cookie)
}

func TestSignInRedirectsToAnotherSite(t *testing.T) {
	p := operatortest.Start(t)
	i, _ := newIssuer(t, p, nil)
	s := newSignIn(t, i)
	for _, back := range []string{"https://evil.example/v1/", "//evil.example/v1/", "/\\evil.example", "/v1/\\evil", "/openapi.json", "",
		"javascript:alert(1)",
		"/v1/x\r\nLocation: https://evil.example", "v1/grants"} {
		w := httptest.NewRecorder()
		if err := s.Begin(w, httptest.NewRequest("GET", "/", nil), back); reasonOf(err) != BadState || len(w.Result().Cookies()) > 0 {
			t.Errorf("%q: %v", back, err)
		}
	}
}

// The cookie of a sign-in that has begun is no proof of who somebody is, and one of another deployment or issuer neither.
func TestCookieIsTakenForAnother(t *testing.T) {
	p := operatortest.Start(t)
	i, c := newIssuer(t, p, nil)
	s := newSignIn(t, i)
	w := httptest.NewRecorder()
	if err := s.Admit(w, &Identity{Issuer: p.URL, Subject: "ana"}); err != nil {
		t.Fatal(err)
	}
	person := w.Result().Cookies()[0]
	is := func(s *SignIn, c *http.Cookie) bool {
		r := httptest.NewRequest("GET", "/", nil)
		r.AddCookie(c)
		_, ok := s.Person(r)
		return ok
	}
	if !is(s, person) || !person.HttpOnly || !person.Secure || person.SameSite != http.SameSiteLaxMode {
		t.Errorf("%+v", person)
	}
	begun, _ := begin(t, s, "/v1/x")
	begun.Name = personCookie
	if is(s, begun) {
		t.Error("a sign-in that has begun is a person")
	}
	another, err := NewSignIn(i, redirect, s.secret, "another key")
	if err != nil {
		t.Fatal(err)
	}
	if is(another, person) {
		t.Error("the cookie of another deployment")
	}
	long := &Identity{Issuer: p.URL, Subject: "ana", Known: []string{strings.Repeat("x", maxCookie)}}
	if err := s.Admit(httptest.NewRecorder(), long); reasonOf(err) != TooLarge {
		t.Errorf("a cookie that browsers drop: %v", err)
	}
	c.add(personTime)
	if is(s, person) {
		t.Error("a sign-in of long ago")
	}
}

// Whoever has a link and a browser can end sign-ins with invented codes.
func TestInventedCodesFloodTheIssuer(t *testing.T) {
	p := operatortest.Start(t)
	i, _ := newIssuer(t, p, nil)
	s := newSignIn(t, i)
	cookie, to := begin(t, s, "/v1/x")
	answer := url.Values{"state": to.Query()["state"], "code": {"invented"}}
	reasons := map[Reason]int{}
	for range 10 * exchanges {
		_, _, err := finish(s, answer, cookie)
		reasons[reasonOf(err)]++
	}
	if reasons[RefusedCode] != 4*exchanges || reasons[TooMany] != 6*exchanges {
		t.Errorf("%v", reasons)
	}
}

// deviceToken returns an ID token that the provider has made for a device code.
func deviceToken(t testing.TB, p *operatortest.Provider, i *Issuer, subject string, groups ...string) string {
	t.Helper()
	known, refused := i.known()
	if refused != nil {
		t.Fatal(refused)
	}
	conf := &oauth2.Config{ClientID: operatortest.CLIClientID, Endpoint: known.Endpoint, Scopes: i.Scopes()}
	conf.Endpoint.AuthStyle = oauth2.AuthStyleInParams // the client has no secret
	ctx := oidc.ClientContext(context.Background(), i.client)
	code, err := conf.DeviceAuth(ctx)
	if err != nil {
		t.Fatal(err)
	}
	p.Approve(t, code.UserCode, subject, groups...)
	token, err := conf.DeviceAccessToken(ctx, code)
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := token.Extra("id_token").(string)
	if !strings.HasPrefix(raw, "ey") {
		t.Fatalf("no ID token for scopes %v", conf.Scopes)
	}
	return raw
}

// Whoever has no token learns nothing of the network between here and the issuer.
func TestRefusalShowsErrorsOfTheNetwork(t *testing.T) {
	p := operatortest.Start(t)
	var log strings.Builder
	i, c := newIssuer(t, p, func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	s := newSignIn(t, i)
	cookie, to := begin(t, s, "/v1/x")
	p.Rotate(t)
	fresh := p.Token(t, c.Now(), "ana", "soc")
	p.SetAway(true)
	_, verified := i.Verify(t.Context(), fresh)
	_, _, finished := finish(s, url.Values{"state": to.Query()["state"], "code": {"x"}}, cookie)
	for _, err := range []error{verified, finished} {
		if reasonOf(err) != Away || strings.Contains(err.Error(), "EOF") || !strings.Contains(err.Error(), p.URL) {
			t.Errorf("%v", err)
		}
	}
	if strings.Count(log.String(), "EOF") != 2 {
		t.Errorf("the log does not say why: %s", log.String())
	}
}
