package operator

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"flyball/schema"
)

// Algorithms are the signature algorithms that can be allowed. Those with a shared secret (HS256) are not among them: everybody who can
// verify such a token can make one.
var Algorithms = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// DefaultAlgorithms are allowed if Options names none.
var DefaultAlgorithms = []string{"RS256", "PS256", "ES256", "EdDSA"}

// DefaultGroupsClaim is the claim with the groups if Options names none.
const DefaultGroupsClaim = "groups"

// Options of an issuer.
type Options struct {
	URL string // of the issuer, as in its tokens: https, or http on loopback
	// ClientID is the client of the pages, and CLIClientID that of flyball login; empty: the same.
	ClientID, CLIClientID string
	// Audience: a token must be for one of these; empty: for one of the clients.
	Audience     []string
	Algorithms   []string // empty: DefaultAlgorithms
	Scopes       []string // that a sign-in asks for beside openid
	GroupsClaim  string   // empty: DefaultGroupsClaim
	TenantsClaim string   // empty: tokens say nothing of tenants
	TLS          *tls.Config
	Now          func() time.Time
	Logger       *slog.Logger
}

// Issuer checks tokens of an OpenID Connect issuer.
type Issuer struct {
	o      Options
	client *http.Client
	keys   *keySet

	mu       sync.Mutex
	provider *provider // nil: the issuer has not answered yet
	answered time.Time // last complete answer
	problem  error     // of the last request; nil: it was answered
}

// provider is what the issuer says of itself.
type provider struct {
	oauth2.Endpoint
	JWKS       string   `json:"jwks_uri"`
	Algorithms []string `json:"id_token_signing_alg_values_supported"`
	Methods    []string `json:"token_endpoint_auth_methods_supported"`
}

// Times of requests to the issuer.
const (
	requestTimeout = 5 * time.Second
	refreshEvery   = 10 * time.Minute
	firstRetry     = time.Second
	lastRetry      = time.Minute
)

// maxAnswer bounds an answer of the issuer in bytes.
const maxAnswer = 1 << 20

// New returns an issuer, and does not connect. Run connects.
func New(o Options) (*Issuer, error) {
	if o.Now == nil || o.Logger == nil {
		return nil, errors.New("operator: an issuer needs a clock and a logger")
	}
	if o.URL == "" || o.ClientID == "" {
		return nil, errors.New("operator: an issuer needs its URL and a client id")
	}
	o.CLIClientID = cmp.Or(o.CLIClientID, o.ClientID)
	o.GroupsClaim = cmp.Or(o.GroupsClaim, DefaultGroupsClaim)
	if len(o.Algorithms) == 0 {
		o.Algorithms = DefaultAlgorithms
	}
	for _, a := range o.Algorithms {
		if !slices.Contains(Algorithms, a) {
			return nil, fmt.Errorf("operator: the algorithm %q is none of %s", a, strings.Join(Algorithms, ", "))
		}
	}
	if len(o.Audience) == 0 {
		o.Audience = slices.Compact([]string{o.ClientID, o.CLIClientID})
	}
	client := newClient(o.TLS)
	return &Issuer{o: o, client: client, keys: newKeySet(client, o.Now)}, nil
}

// newClient returns a client that follows no redirect and reads at most maxAnswer.
func newClient(conf *tls.Config) *http.Client {
	t := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: conf, TLSHandshakeTimeout: requestTimeout,
		ForceAttemptHTTP2: true, MaxIdleConns: 4, IdleConnTimeout: time.Minute,
		DialContext: (&net.Dialer{Timeout: requestTimeout}).DialContext}
	return &http.Client{Timeout: requestTimeout, Transport: bounded{t},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// bounded cuts responses.
type bounded struct{ next *http.Transport }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.next.RoundTrip(r)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxAnswer)
	}
	return resp, err
}

// Run reads what the issuer says of itself, and its keys, at once and then at intervals, until ctx ends. An issuer that does not answer is
// asked again; nothing waits for it.
func (i *Issuer) Run(ctx context.Context) error {
	defer i.client.CloseIdleConnections()
	retry := firstRetry
	for {
		wait := refreshEvery
		if err := i.Refresh(ctx); err != nil && ctx.Err() == nil {
			i.o.Logger.Warn("the issuer of operators' tokens does not answer as it should", "issuer", i.o.URL, "error", err)
			wait, retry = retry, min(2*retry, lastRetry)
		} else {
			retry = firstRetry
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return nil
		case <-timer.C:
		}
	}
}

// Refresh reads what the issuer says of itself, and its keys.
func (i *Issuer) Refresh(ctx context.Context) error {
	p, err := i.discover(ctx)
	if err == nil {
		if err = i.keys.load(ctx, p.JWKS); err == nil {
			i.mu.Lock()
			i.provider = p
			i.mu.Unlock()
		}
	}
	err = schema.WithoutURL(err)
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.problem = err; err == nil {
		i.answered = i.o.Now()
	}
	return err
}

// discover reads the discovery document. It must be that of the issuer, and must name only addresses to which nobody else can answer.
func (i *Issuer) discover(ctx context.Context) (*provider, error) {
	found, err := oidc.NewProvider(oidc.ClientContext(ctx, i.client), i.o.URL)
	if err != nil {
		return nil, discoveryError(err)
	}
	p := &provider{}
	if err := found.Claims(p); err != nil {
		return nil, fmt.Errorf("the discovery document cannot be read: %w", err)
	}
	p.Endpoint = found.Endpoint()
	p.AuthStyle = oauth2.AuthStyleInParams
	if len(p.Methods) == 0 || slices.Contains(p.Methods, "client_secret_basic") {
		p.AuthStyle = oauth2.AuthStyleInHeader
	}
	for name, address := range map[string]string{"jwks_uri": p.JWKS, "authorization_endpoint": p.AuthURL, "token_endpoint": p.TokenURL,
		"device_authorization_endpoint": p.DeviceAuthURL} {
		if address != "" && !Safe(address) || address == "" && name == "jwks_uri" {
			return nil, fmt.Errorf("the discovery document: %s is not an address with https://", name)
		}
	}
	return p, nil
}

// discoveryError shortens an error of the library, which contains the whole answer.
func discoveryError(err error) error {
	if other, ok := errors.AsType[*oidc.IssuerMismatchError](err); ok {
		return fmt.Errorf("the issuer calls itself %q, control.oidc.issuer calls it %q: they must be equal, also in the last slash",
			shown(other.Discovered, 200), other.Provided)
	}
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return failed.Err
	}
	return errors.New("its discovery document (/.well-known/openid-configuration): " + shown(err.Error(), 100))
}

// Safe reports whether an address of an issuer can be used: https, or http on loopback.
func Safe(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}

// known returns what the issuer says of itself, or why that is not known.
func (i *Issuer) known() (*provider, *Refusal) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.provider == nil {
		return nil, refuse(Away, "the issuer %s has not answered since the start, so that its tokens cannot be checked; tokens of "+
			"control.tokens are accepted", i.o.URL)
	}
	return i.provider, nil
}

// State is what is known of the issuer.
type State struct {
	Issuer   string    `json:"issuer"`
	ClientID string    `json:"client_id"`
	Keys     int       `json:"keys"` // that verify tokens at present
	KeysRead time.Time `json:"keys_read_at,omitzero"`
	Answered time.Time `json:"answered_at,omitzero"`
	// Problem is why the issuer did not answer last time; absent: it did.
	Problem string `json:"problem,omitempty"`
}

// State returns what is known of the issuer.
func (i *Issuer) State() State {
	s := State{Issuer: i.o.URL, ClientID: i.o.ClientID}
	s.Keys, s.KeysRead = i.keys.count()
	i.mu.Lock()
	defer i.mu.Unlock()
	s.Answered = i.answered
	if i.problem != nil {
		s.Problem = i.problem.Error()
	}
	return s
}

// Warning returns what does not work while the issuer does not answer; nil: it has answered.
func (i *Issuer) Warning() error {
	s := i.State()
	switch {
	case s.Problem == "":
		return nil
	case s.KeysRead.IsZero():
		return fmt.Errorf("%s: %s: its tokens are refused; tokens of control.tokens are accepted", s.Issuer, s.Problem)
	}
	return fmt.Errorf("%s: %s: tokens with the keys of %s are accepted until %s", s.Issuer, s.Problem,
		s.KeysRead.UTC().Format(time.RFC3339), s.KeysRead.Add(maxKeyAge).UTC().Format(time.RFC3339))
}

// Scopes returns the scopes that a sign-in asks for.
func (i *Issuer) Scopes() []string { return append([]string{oidc.ScopeOpenID}, i.o.Scopes...) }

// CLIClientID returns the client of flyball login.
func (i *Issuer) CLIClientID() string { return i.o.CLIClientID }

// URL returns the URL of the issuer.
func (i *Issuer) URL() string { return i.o.URL }
