package operator

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/time/rate"
)

const (
	// keysEvery is the least time between two requests for keys that tokens cause, whoever sends them.
	keysEvery = 5 * time.Second
	// maxKeyAge is for how long keys are believed while the issuer does not answer: it cannot take back a key meanwhile.
	maxKeyAge = 24 * time.Hour
	// maxKeys bounds the keys of an issuer, and minRSA the size of one in bits.
	maxKeys = 100
	minRSA  = 2048
)

// keySet holds the keys of an issuer. It is ours because that of go-oidc asks the issuer once for each token with a bad signature, and
// never
// forgets a key that the issuer has taken back.
type keySet struct {
	client *http.Client
	now    func() time.Time
	asked  *rate.Limiter // requests that tokens cause

	mu      sync.Mutex
	url     string
	keys    []jose.JSONWebKey
	read    time.Time // of keys; zero: never
	loading *loading  // nil: nobody reads keys
}

// loading is one request for keys, on which all wait.
type loading struct {
	done chan struct{}
	err  error
}

func newKeySet(client *http.Client, now func() time.Time) *keySet {
	return &keySet{client: client, now: now, asked: rate.NewLimiter(rate.Every(keysEvery), 1)}
}

// named returns the keys with an id (all if it is empty) that may verify an algorithm.
func (k *keySet) named(id, algorithm string) (out []jose.JSONWebKey, fresh bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range k.keys {
		key := &k.keys[i]
		if (id == "" || key.KeyID == id) && (key.Algorithm == "" || key.Algorithm == algorithm) {
			out = append(out, *key)
		}
	}
	return out, !k.read.IsZero() && k.now().Sub(k.read) < maxKeyAge
}

// count returns how many keys are known, and since when; zero: never read.
func (k *keySet) count() (int, time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.keys), k.read
}

// errKeysAsked means that the keys were read a moment ago.
var errKeysAsked = errors.New("the keys of the issuer were read a moment ago")

// again reads the keys for a token whose key is not known, unless that was done within keysEvery. began: for this token and no other.
func (k *keySet) again(ctx context.Context) (began bool, err error) {
	k.mu.Lock()
	if k.loading == nil && !k.asked.AllowN(k.now(), 1) {
		k.mu.Unlock()
		return false, errKeysAsked
	}
	began = k.loading == nil
	l := k.begin(ctx)
	k.mu.Unlock()
	return began, l.wait(ctx)
}

// load reads the keys from a URL. Several callers share one request.
func (k *keySet) load(ctx context.Context, url string) error {
	k.mu.Lock()
	k.url = url
	l := k.begin(ctx)
	k.mu.Unlock()
	return l.wait(ctx)
}

// begin returns the request under way, or a new one. The caller holds mu.
func (k *keySet) begin(ctx context.Context) *loading {
	if k.loading == nil {
		k.loading = &loading{done: make(chan struct{})}
		go k.request(context.WithoutCancel(ctx), k.loading, k.url)
	}
	return k.loading
}

func (l *loading) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-l.done:
		return l.err
	}
}

func (k *keySet) request(ctx context.Context, l *loading, url string) {
	keys, err := k.get(ctx, url)
	k.mu.Lock()
	if err == nil {
		k.keys, k.read = keys, k.now()
	}
	l.err, k.loading = err, nil
	k.mu.Unlock()
	close(l.done)
}

func (k *keySet) get(ctx context.Context, url string) ([]jose.JSONWebKey, error) {
	if url == "" {
		return nil, errors.New("the issuer has not answered yet")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, fmt.Errorf("jwks_uri of the issuer: %w", err)
	}
	resp, err := k.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the keys of the issuer: HTTP %d", resp.StatusCode)
	}
	var document struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&document); err != nil {
		return nil, fmt.Errorf("the keys of the issuer cannot be read: %w", err)
	}
	if len(document.Keys) > maxKeys {
		return nil, fmt.Errorf("the issuer has %d keys, at most %d are read", len(document.Keys), maxKeys)
	}
	out := []jose.JSONWebKey{}
	for _, text := range document.Keys {
		var key jose.JSONWebKey
		if json.Unmarshal(text, &key) == nil && usable(&key) { // others are for encryption, or of a kind that nobody here reads
			out = append(out, key)
		}
	}
	if len(out) == 0 {
		return nil, errors.New("the issuer has no key that can verify a signature")
	}
	return out, nil
}

// usable reports whether a key is a public one that verifies signatures.
func usable(key *jose.JSONWebKey) bool {
	if key.Use != "" && key.Use != "sig" || !key.IsPublic() || !key.Valid() {
		return false
	}
	switch public := key.Key.(type) {
	case *rsa.PublicKey:
		return public.N.BitLen() >= minRSA
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	}
	return false
}
