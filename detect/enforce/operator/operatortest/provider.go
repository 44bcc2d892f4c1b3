package operatortest

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// Clients of the provider. The first has a secret and is that of pages; the second is that of flyball login.
const (
	ClientID     = "flyball"
	ClientSecret = "secret-of-the-client"
	CLIClientID  = "flyball-cli"
)

// Provider is a running provider.
type Provider struct {
	URL string

	*storage.Storage
	provider *op.Provider
	discover atomic.Int64 // requests for discovery
	keyReads atomic.Int64 // requests for keys

	redirects []string

	mu     sync.Mutex
	away   bool
	person string
	groups map[string][]string // by subject
	key    *key
}

// shared is what all providers of a process remember: codes, device codes, tokens. It makes an RSA key, which takes long and is not used.
var shared = sync.OnceValue(func() *storage.Storage {
	return storage.NewStorageWithClients(people{}, map[string]*storage.Client{ClientID: storage.WebClient(ClientID, ClientSecret),
		CLIClientID: storage.NativeClient(CLIClientID)})
})

// Start runs a provider until the test ends. redirects are the URLs to which the client of pages may be sent back.
func Start(t testing.TB, redirects ...string) *Provider {
	t.Helper()
	p := &Provider{groups: map[string][]string{}, redirects: append(redirects, "https://flyball.example/v1/sign-in")}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.serve(w, r) }))
	t.Cleanup(server.Close)
	p.URL = server.URL
	p.Storage = shared()
	p.Rotate(t)
	var err error
	p.provider, err = op.NewProvider(&op.Config{CryptoKey: sha256.Sum256([]byte("test")), CodeMethodS256: true, AuthMethodPost: true,
		GrantTypeRefreshToken: true,
		DeviceAuthorization: op.DeviceAuthorizationConfig{Lifetime: time.Minute, PollInterval: time.Second, UserFormPath: "/device",
			UserCode: op.UserCodeBase20}},
		p, op.StaticIssuer(p.URL), op.WithAllowInsecure())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *Provider) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	away := p.away
	p.mu.Unlock()
	switch {
	case away:
		panic(http.ErrAbortHandler)
	case r.URL.Path == "/.well-known/openid-configuration":
		p.discover.Add(1)
	case r.URL.Path == p.provider.KeysEndpoint().Relative():
		p.keyReads.Add(1)
	case r.URL.Path == "/login": // whoever SignIn has named signs in without a question
		id := r.URL.Query().Get("id")
		p.mu.Lock()
		name := p.person
		p.mu.Unlock()
		if err := p.CheckUsernamePassword(name, password, id); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		http.Redirect(w, r, op.AuthCallbackURL(p.provider)(op.ContextWithIssuer(r.Context(), p.URL), id), http.StatusFound)
		return
	}
	p.provider.ServeHTTP(w, r)
}

// SetAway makes the provider close every connection, or answer again.
func (p *Provider) SetAway(away bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = away
}

// SignIn sets who is signed in by the login page, and the groups of the person.
func (p *Provider) SignIn(subject string, groups ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.person, p.groups[subject] = subject, groups
}

// KeyReads returns how often somebody has read the keys.
func (p *Provider) KeyReads() int { return int(p.keyReads.Load()) }

// Approve answers the question of a device code as a person.
func (p *Provider) Approve(t testing.TB, userCode, subject string, groups ...string) {
	t.Helper()
	p.SignIn(subject, groups...)
	if err := p.CompleteDeviceAuthorization(context.Background(), userCode, subject); err != nil {
		t.Fatal(err)
	}
}

// Rotate replaces the key of the provider.
func (p *Provider) Rotate(t testing.TB) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.key = &key{id: rand.Text(), private: private}
}

// Key returns the key with which the provider signs.
func (p *Provider) Key() (id string, private *ecdsa.PrivateKey) {
	k := p.present()
	return k.id, k.private
}

func (p *Provider) present() *key {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.key
}

// key is a key of the provider.
type key struct {
	id      string
	private *ecdsa.PrivateKey
}

func (k *key) ID() string                                  { return k.id }
func (k *key) SignatureAlgorithm() jose.SignatureAlgorithm { return jose.ES256 }
func (k *key) Key() any                                    { return k.private }

// publicKey is the public half of a key.
type publicKey struct{ *key }

func (k publicKey) Algorithm() jose.SignatureAlgorithm { return jose.ES256 }
func (k publicKey) Use() string                        { return "sig" }
func (k publicKey) Key() any                           { return &k.private.PublicKey }

// SigningKey and the two below replace the fixed key of the storage.
func (p *Provider) SigningKey(context.Context) (op.SigningKey, error) { return p.present(), nil }

// SignatureAlgorithms returns the algorithm of the key.
func (p *Provider) SignatureAlgorithms(context.Context) ([]jose.SignatureAlgorithm, error) {
	return []jose.SignatureAlgorithm{jose.ES256}, nil
}

// KeySet returns the public key.
func (p *Provider) KeySet(context.Context) ([]op.Key, error) {
	return []op.Key{publicKey{p.present()}}, nil
}

// client is a client whose ID tokens hold all claims, which may use device codes.
type client struct{ op.Client }

func (c client) LoginURL(id string) string            { return "/login?id=" + id }
func (c client) IDTokenUserinfoClaimsAssertion() bool { return true }
func (c client) IsScopeAllowed(string) bool           { return true }
func (c client) GrantTypes() []oidc.GrantType {
	return append(slices.Clone(c.Client.GrantTypes()), oidc.GrantTypeDeviceCode)
}

// GetClientByClientID returns a client of the storage, with the rights of client.
func (p *Provider) GetClientByClientID(ctx context.Context, id string) (op.Client, error) {
	if id == ClientID {
		return client{storage.WebClient(ClientID, ClientSecret, p.redirects...)}, nil
	}
	c, err := p.Storage.GetClientByClientID(ctx, id)
	if err != nil {
		return nil, err
	}
	return client{c}, nil
}

// SetUserinfoFromRequest adds the groups to an ID token.
func (p *Provider) SetUserinfoFromRequest(ctx context.Context, info *oidc.UserInfo, token op.IDTokenRequest, scopes []string) error {
	p.mu.Lock()
	groups := slices.Clone(p.groups[token.GetSubject()])
	p.mu.Unlock()
	info.AppendClaims("groups", groups)
	return p.Storage.SetUserinfoFromRequest(ctx, info, token, scopes)
}

// CreateAccessAndRefreshTokens notes for which client a refresh token of a device code is, which the storage does not.
func (p *Provider) CreateAccessAndRefreshTokens(ctx context.Context, req op.TokenRequest, current string) (id, refresh string,
	end time.Time, err error) {
	if d, ok := req.(*op.DeviceAuthorizationState); ok {
		req = storage.RefreshTokenRequestFromBusiness(&storage.RefreshToken{ApplicationID: d.ClientID, AuthTime: d.AuthTime, AMR: d.AMR,
			UserID: d.Subject, Audience: d.Audience, Scopes: d.Scopes})
	}
	return p.Storage.CreateAccessAndRefreshTokens(ctx, req, current)
}

// people are all possible users: the subject is the user name, the e-mail begins with it, and all have the same password.
type people struct{}

const password = "password-of-everybody"

// GetUserByID returns the user with a subject.
func (people) GetUserByID(id string) *storage.User {
	return &storage.User{ID: id, Username: id, Password: password, FirstName: id, Email: id + "@example.com", EmailVerified: true}
}

// GetUserByUsername returns the user with a name.
func (p people) GetUserByUsername(name string) *storage.User { return p.GetUserByID(name) }

// ExampleClientID is not used.
func (people) ExampleClientID() string { return storage.ServiceUserID }
