package operator

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
	"golang.org/x/time/rate"

	"flyball/schema"
)

const (
	// signInTime is how long a person may need at the issuer, and personTime how long a sign-in is valid at pages.
	signInTime = 10 * time.Minute
	personTime = 15 * time.Minute
	// exchangeTime bounds the exchange of a code for a token.
	exchangeTime = 10 * time.Second
	// exchanges is how many codes are exchanged in a second: whoever has a link can cause requests to the issuer.
	exchanges = 5
)

// Path is the path of the page to which the issuer sends people back.
const Path = "/v1/sign-in"

// SignIn signs people in at pages: authorization code with PKCE. What it must remember is in cookies, so that every point of a deployment
// can end what another one began.
type SignIn struct {
	issuer       *Issuer
	redirect     string // where the issuer sends people back
	prefix       string // of the paths of pages, before /v1
	secret       func() schema.Secret
	flow, person sealKey
	exchanged    *rate.Limiter
}

// NewSignIn returns the sign-in of an issuer. redirect is the URL to which the issuer sends people back; secret returns the secret of the
// client (empty: it has none); key is that of the deployment.
func NewSignIn(issuer *Issuer, redirect string, secret func() schema.Secret, key schema.Secret) (*SignIn, error) {
	if key == "" {
		return nil, errors.New("operator: cookies need the key of the deployment")
	}
	u, err := url.Parse(redirect)
	if err != nil || !strings.HasSuffix(u.Path, Path) {
		return nil, fmt.Errorf("operator: the redirect URL must end in %s", Path)
	}
	s := &SignIn{issuer: issuer, redirect: redirect, prefix: strings.TrimSuffix(u.Path, Path), secret: secret,
		exchanged: rate.NewLimiter(exchanges, 4*exchanges)}
	if s.flow, err = newSealKey(key, flowCookie); err == nil {
		s.person, err = newSealKey(key, personCookie)
	}
	return s, err
}

// flow is a sign-in that has begun.
type flow struct {
	State    string `json:"state"`
	Nonce    string `json:"nonce"`
	Verifier string `json:"verifier"`
	Back     string `json:"back"` // path and query of the page
}

// Person returns who has signed in with the browser that sends a request.
func (s *SignIn) Person(r *http.Request) (id Identity, ok bool) {
	ok = s.person.read(r, s.issuer.o.Now(), &id)
	return id, ok && id.Issuer == s.issuer.o.URL
}

// Begin sends a person to the issuer, and then back to a page of this deployment: its path and query.
func (s *SignIn) Begin(w http.ResponseWriter, r *http.Request, back string) error {
	if !local(back) {
		return refuse(BadState, "a sign-in returns to a page of this deployment only")
	}
	conf, refused := s.config()
	if refused != nil {
		return refused
	}
	f := flow{State: rand.Text(), Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Back: back}
	now := s.issuer.o.Now()
	if err := s.flow.set(w, now, now.Add(signInTime), f); err != nil {
		return err
	}
	http.Redirect(w, r, conf.AuthCodeURL(f.State, oauth2.S256ChallengeOption(f.Verifier), oidc.Nonce(f.Nonce)), http.StatusSeeOther)
	return nil
}

// Finish ends a sign-in: the issuer has sent the person back. It returns who the person is, with all groups, and the page to return to.
func (s *SignIn) Finish(w http.ResponseWriter, r *http.Request) (id Identity, back string, err error) {
	var f flow
	begun := s.flow.read(r, s.issuer.o.Now(), &f)
	s.flow.clear(w)
	query := r.URL.Query()
	switch {
	case !begun || subtle.ConstantTimeCompare([]byte(query.Get("state")), []byte(f.State)) != 1 || !local(f.Back):
		return id, "", refuse(BadState, "this sign-in did not begin in this browser within %s, or another one began meanwhile: "+
			"open the link of the notification again", signInTime)
	case query.Has("iss") && query.Get("iss") != s.issuer.o.URL: // RFC 9207
		return id, "", refuse(BadState, "another issuer than %s has answered", s.issuer.o.URL)
	case query.Get("code") == "":
		return id, "", refuse(RefusedThere, "%s has not signed you in: %s", s.issuer.o.URL, errorCode(query.Get("error")))
	}
	id, err = s.exchange(r.Context(), query.Get("code"), f)
	return id, s.prefix + f.Back, err
}

// exchange exchanges a code for an ID token, and checks that it was made for this sign-in.
func (s *SignIn) exchange(ctx context.Context, code string, f flow) (Identity, error) {
	conf, refused := s.config()
	if refused != nil {
		return Identity{}, refused
	}
	if !s.exchanged.AllowN(s.issuer.o.Now(), 1) {
		return Identity{}, refuse(TooMany, "more than %d people a second sign in; open the link of the notification again", exchanges)
	}
	ctx, cancel := context.WithTimeout(oidc.ClientContext(ctx, s.issuer.client), exchangeTime)
	defer cancel()
	got, err := conf.Exchange(ctx, code, oauth2.VerifierOption(f.Verifier))
	if err != nil {
		return Identity{}, s.exchangeError(err)
	}
	raw, _ := got.Extra("id_token").(string)
	if raw == "" {
		return Identity{}, refuse(Malformed, "the issuer %s has sent no ID token", s.issuer.o.URL)
	}
	t, refused := s.issuer.verify(ctx, raw, []string{s.issuer.o.ClientID})
	if refused != nil {
		return Identity{}, refused
	}
	nonce, _ := t.all["nonce"].(string)
	if subtle.ConstantTimeCompare([]byte(nonce), []byte(f.Nonce)) != 1 {
		return Identity{}, refuse(BadNonce, "the ID token was made for another sign-in (nonce)")
	}
	if party, there := t.all["azp"]; there && party != s.issuer.o.ClientID {
		return Identity{}, refuse(OtherClient, "the ID token was made for another client (azp)")
	}
	id, refused := s.issuer.o.identity(t.Issuer, t.Subject, t.all)
	if refused != nil {
		return Identity{}, refused
	}
	return id, nil
}

// exchangeError returns why there is no token. Why the issuer does not answer is for the log: anybody can have begun the sign-in.
func (s *SignIn) exchangeError(err error) *Refusal {
	issuer := s.issuer.o.URL
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		return refuse(RefusedCode, "the issuer %s does not take the code: %s; open the link of the notification again", issuer,
			errorCode(refused.ErrorCode))
	}
	s.issuer.o.Logger.Warn("the issuer does not exchange the code of a sign-in", "issuer", issuer, "error", schema.WithoutURL(err))
	return refuse(Away, "the issuer %s does not answer; open the link of the notification again later", issuer)
}

// errorCode returns an error code of OAuth, which anybody can put into an address.
func errorCode(code string) string {
	if code == "" || len(code) > 50 || strings.Trim(code, "abcdefghijklmnopqrstuvwxyz_") != "" {
		return "it does not say why"
	}
	return code
}

// Admit remembers a person in the browser.
func (s *SignIn) Admit(w http.ResponseWriter, id *Identity) error {
	now := s.issuer.o.Now()
	return s.person.set(w, now, now.Add(personTime), id)
}

// Forget removes the person from the browser.
func (s *SignIn) Forget(w http.ResponseWriter) { s.person.clear(w) }

func (s *SignIn) config() (*oauth2.Config, *Refusal) {
	p, refused := s.issuer.known()
	if refused != nil {
		return nil, refused
	}
	if p.AuthURL == "" || p.TokenURL == "" {
		return nil, refuse(RefusedThere, "the issuer %s offers no sign-in with an authorization code", s.issuer.o.URL)
	}
	c := &oauth2.Config{ClientID: s.issuer.o.ClientID, ClientSecret: string(s.secret()), Endpoint: p.Endpoint, RedirectURL: s.redirect,
		Scopes: s.issuer.Scopes()}
	if c.ClientSecret == "" {
		c.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	}
	return c, nil
}

// local reports whether a path with its query is one of this host.
func local(back string) bool {
	u, err := url.Parse(back)
	return err == nil && u.Scheme == "" && u.Host == "" && u.User == nil && strings.HasPrefix(back, "/v1/") && !strings.ContainsAny(back,
		"\\\r\n\t")
}
