package operator

import (
	"context"
	"crypto/rand"
	"net/http"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"flyball/schema"
)

// Probe is what an issuer answers to somebody who has not signed in.
type Probe struct {
	// Error is why its discovery document or keys cannot be used; empty: they can.
	Error string
	Now   time.Time // of the issuer, in whole seconds; zero: it does not say
	// Signs are the algorithms with which it signs ID tokens, and of those Allowed the ones that are accepted here.
	Signs, Allowed []string
	// DeviceCode reports whether flyball login can sign people in.
	DeviceCode bool
	// Client reports whether the issuer knows the client and the redirect URL; ClientError is what it answers otherwise. Both are empty if
	// pages want no sign-in.
	Client      bool
	ClientError string
}

// Probe asks the issuer. redirect is the URL to which it sends people back; empty: pages want no sign-in.
func (i *Issuer) Probe(ctx context.Context, redirect string) (p Probe) {
	if err := i.Refresh(ctx); err != nil {
		p.Error = err.Error()
		return p
	}
	known, _ := i.known()
	p.DeviceCode = known.DeviceAuthURL != ""
	p.Signs = known.Algorithms
	for _, a := range p.Signs {
		for _, b := range i.o.Algorithms {
			if a == b {
				p.Allowed = append(p.Allowed, a)
			}
		}
	}
	if resp, err := i.get(ctx, strings.TrimSuffix(i.o.URL, "/")+"/.well-known/openid-configuration"); err == nil {
		_ = resp.Body.Close()
		p.Now, _ = http.ParseTime(resp.Header.Get("Date"))
	}
	if redirect != "" {
		p.Client, p.ClientError = i.knowsClient(ctx, known, redirect)
	}
	return p
}

func (i *Issuer) get(ctx context.Context, address string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	return i.client.Do(req)
}

// knowsClient asks for a sign-in without any question to a person (prompt=none). An issuer that knows the client and its redirect URL sends
// the browser back with an error; one that does not must not send it anywhere (RFC 6749, 4.1.2.1).
func (i *Issuer) knowsClient(ctx context.Context, known *provider, redirect string) (ok bool, why string) {
	conf := oauth2.Config{ClientID: i.o.ClientID, Endpoint: known.Endpoint, RedirectURL: redirect, Scopes: i.Scopes()}
	resp, err := i.get(ctx, conf.AuthCodeURL(rand.Text(), oauth2.S256ChallengeOption(oauth2.GenerateVerifier()),
		oauth2.SetAuthURLParam("prompt", "none"), oauth2.SetAuthURLParam("nonce", rand.Text())))
	if err != nil {
		return false, schema.WithoutURL(err).Error()
	}
	defer resp.Body.Close()
	at, err := resp.Location()
	if err != nil {
		return false, resp.Status
	}
	back := at.Query()
	at.RawQuery, at.Fragment = "", ""
	if at.String() != redirect {
		return false, "it asks for a sign-in, and does not say whether it knows the client"
	}
	switch code := back.Get("error"); code {
	case "unauthorized_client", "invalid_scope", "unsupported_response_type", "invalid_request":
		return false, code
	}
	return true, ""
}
