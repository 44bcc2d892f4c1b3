package identity

import (
	"cmp"
	"errors"
	"iter"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"flyball/schema"
)

// maxCredentials bounds how many credentials one request may show in its headers.
const maxCredentials = 8

// ErrTooManyCredentials is of a request that shows more than MaxCredentials: looking
// only some of them up would let the caller choose which.
var ErrTooManyCredentials = errors.New("too_many_credentials")

// Headers that hold a bare key, and those that hold a scheme and a credential; the first
// that is there identifies.
var (
	keyHeaders   = []string{"x-api-key", "apikey", "api-key", "x-apikey"}
	tokenHeaders = []string{"authorization", "proxy-authorization"}
)

// findCredentials is every secret that a request shows, each once, whatever way its headers
// are written down: several values, values joined by commas, tabs, trailing commas, a
// scheme in another case. The first one identifies the caller; who is stopped by one of
// them is stopped whichever stands first. A header of several values counts as one
// credential besides, since a key may hold a comma.
func findCredentials(h Headers) (secrets []string, err error) {
	add := func(s string) {
		switch s = trimmed(s); {
		case s == "" || s == "-" || slices.Contains(secrets, s):
		case len(secrets) == maxCredentials:
			err = ErrTooManyCredentials
		default:
			secrets = append(secrets, s)
		}
	}
	for _, name := range keyHeaders {
		v := h(name)
		add(v)
		if strings.IndexByte(v, ',') < 0 {
			continue
		}
		for part := range strings.SplitSeq(v, ",") {
			add(part)
		}
	}
	for _, name := range tokenHeaders {
		v := h(name)
		if v == "" {
			continue
		}
		add(ParseCredential(v))
		if strings.IndexByte(v, ',') < 0 {
			continue
		}
		for part := range strings.SplitSeq(v, ",") {
			if part = trimmed(part); err == nil && !parameter(part) {
				add(ParseCredential(part))
			}
		}
	}
	return secrets, err
}

// ParseCredential is the credential in one value of Authorization: what follows the scheme,
// or all of it where there is none.
func ParseCredential(v string) string {
	v = trimmed(v)
	if i := strings.IndexAny(v, " \t"); i > 0 && strings.IndexByte(v[:i], '=') < 0 {
		return trimmed(v[i:])
	}
	return v
}

func trimmed(s string) string { return strings.Trim(s, " \t,") }

// parameter distinguishes name=value of the credential before it (Digest, AWS4) from a token
// with padding.
func parameter(v string) bool {
	i := strings.IndexByte(v, '=')
	return i > 0 && !strings.ContainsAny(v[:i], " \t") && strings.Trim(v[i:], "=") != ""
}

// Shown is what a request shows of its caller besides the identity that it is given.
type Shown struct {
	// Credentials are the ids of all credentials, the identifying one among them.
	Credentials []string
	// Claimed are names that nobody has verified: what tokens say of themselves, and all
	// but the first of several names. They can stop a call, never let one through.
	Claimed []schema.Scope
}

func (s *Shown) credential(id string) {
	if id != "" && !slices.Contains(s.Credentials, id) {
		s.Credentials = append(s.Credentials, id)
	}
}

func (s *Shown) claim(kind schema.ScopeKind, name string) {
	if sc := (schema.Scope{Kind: kind, Value: id(name)}); sc.Value != "" && !slices.Contains(s.Claimed, sc) {
		s.Claimed = append(s.Claimed, sc)
	}
}

// queryKeys are parameters of a query by which a key is shown, in lower case. Words that
// also name other things (key, token) are left out: a list of them is no list of keys.
var queryKeys = []string{"api_key", "apikey", "api-key", "access_token", "auth_token"}

// queryCredentials adds the keys that a raw query shows. They are looked up among
// breakers and identify nobody: logs without a receipt do not hold them.
func queryCredentials(secrets []string, query string) ([]string, error) {
	if strings.IndexByte(query, '=') < 0 {
		return secrets, nil
	}
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		if n, err := url.QueryUnescape(name); err == nil {
			name = n
		}
		if value == "" || len(name) > 20 || !slices.Contains(queryKeys, strings.ToLower(name)) {
			continue
		}
		if v, err := url.QueryUnescape(value); err == nil {
			value = v
		}
		switch value = trimmed(value); {
		case value == "" || slices.Contains(secrets, value):
		case len(secrets) == maxCredentials:
			return secrets, ErrTooManyCredentials
		default:
			secrets = append(secrets, value)
		}
	}
	return secrets, nil
}

// ResolveRequest gives a live request its identity, as Resolve gives one to the record
// of it, and says what else it shows. query is raw. The error is ErrTooManyCredentials;
// the identity is set then, too.
func (r *Resolver) ResolveRequest(h Headers, query string, client netip.Addr, c *schema.Call) (Shown, error) {
	secrets, err := findCredentials(h)
	ev := fromRequest(h, secrets, client, c)
	secrets, more := queryCredentials(secrets, query)
	err = cmp.Or(err, more)
	r.Resolve(&ev, c)
	var shown Shown
	shown.credential(c.CredentialID)
	shown.credential(id(ev.SPIFFE))
	for _, s := range secrets {
		shown.credential(r.CredentialID("api_key", s))
		if strings.Count(s, ".") == 2 {
			for _, sc := range r.tokenNames(s) {
				shown.claim(sc.Kind, sc.Value)
			}
		}
	}
	for _, name := range consumerHeaders {
		for v := range values(h(name)) {
			shown.credential(id(v))
			shown.claim(schema.ScopeAgent, v)
		}
	}
	for _, name := range principalHeaders {
		for v := range values(h(name)) {
			shown.claim(schema.ScopePrincipal, v)
		}
	}
	return shown, err
}

// values are a header's value and, where it is a list, at most MaxCredentials of its elements.
func values(v string) iter.Seq[string] {
	return func(yield func(string) bool) {
		if v == "" || !yield(v) || strings.IndexByte(v, ',') < 0 {
			return
		}
		n := 0
		for part := range strings.SplitSeq(v, ",") {
			if n++; n > maxCredentials || !yield(part) {
				return
			}
		}
	}
}

// tokenNames are the names by which logs that hold a token's claims know its bearer.
func (r *Resolver) tokenNames(token string) []schema.Scope {
	r.mu.RLock()
	names, ok := r.tokens[token]
	r.mu.RUnlock()
	if ok {
		return names
	}
	names = tokenScopes(token)
	r.mu.Lock()
	if len(r.tokens) >= cacheSize {
		clear(r.tokens)
	}
	r.tokens[strings.Clone(token)] = names
	r.mu.Unlock()
	return names
}

func tokenScopes(token string) []schema.Scope {
	payload, ok := jwtPayload(token)
	if !ok {
		return nil
	}
	claims, ok := ParseClaims(payload)
	if !ok {
		return nil
	}
	var s Shown
	raw := object(payload)
	for _, name := range [...]string{"client_id", "azp", "appid"} {
		client := text(raw[name])
		s.claim(schema.ScopeCredential, client)
		s.claim(schema.ScopeAgent, client)
		if client != "" && claims.Confirm != "" {
			s.claim(schema.ScopeCredential, client+"#"+claims.Confirm)
		}
	}
	s.claim(schema.ScopePrincipal, claims.Subject)
	s.claim(schema.ScopeAgent, claims.Subject)
	for _, actor := range claims.Act {
		s.claim(schema.ScopeAgent, actor)
	}
	return s.Claimed
}
