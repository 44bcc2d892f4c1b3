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

// maxCredentials is the maximum number of credentials that are read from one request.
const maxCredentials = 8

// ErrTooManyCredentials is returned for a request with more than maxCredentials credentials.
// If only some of them were looked up, the caller could choose which ones.
var ErrTooManyCredentials = errors.New("too_many_credentials")

// keyHeaders hold a bare key; tokenHeaders hold a scheme and a credential. The first header
// that is present identifies the caller.
var (
	keyHeaders   = []string{"x-api-key", "apikey", "api-key", "x-apikey"}
	tokenHeaders = []string{"authorization", "proxy-authorization"}
)

// findCredentials returns every secret in the headers of a request, each once. It reads
// several values, values joined by commas, tabs, trailing commas, and a scheme in any case.
// The first secret identifies the caller; a breaker on any of them denies the call, in any
// order. A header with several values also counts as one credential, because a key can contain
// a comma.
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

// ParseCredential returns the credential in one value of Authorization: the text after the
// scheme, or the whole value when there is no scheme.
func ParseCredential(v string) string {
	v = trimmed(v)
	if i := strings.IndexAny(v, " \t"); i > 0 && strings.IndexByte(v[:i], '=') < 0 {
		return trimmed(v[i:])
	}
	return v
}

func trimmed(s string) string { return strings.Trim(s, " \t,") }

// parameter reports whether v is a parameter name=value of the credential before it (Digest,
// AWS4), and not a token with padding.
func parameter(v string) bool {
	i := strings.IndexByte(v, '=')
	return i > 0 && !strings.ContainsAny(v[:i], " \t") && strings.Trim(v[i:], "=") != ""
}

// Shown holds the credentials and names that a request contains in addition to its resolved
// identity.
type Shown struct {
	// Credentials are the ids of all credentials, including the one that identifies the
	// caller.
	Credentials []string
	// Claimed are names that are not verified: the claims of tokens, and all values of headers
	// that name a consumer or principal. A breaker on one of them can deny a call; such a name
	// never allows a call.
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

// queryKeys are the names, in lower case, of query parameters that carry a key. Words that
// also name other things (key, token) are left out, because their values are often not keys.
var queryKeys = []string{"api_key", "apikey", "api-key", "access_token", "auth_token"}

// queryCredentials adds the keys in a raw query to secrets. They are only looked up among
// breakers. They do not identify the caller, because logs without a receipt do not contain
// them.
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

// ResolveRequest sets the identity of a live request by the same rules that Resolve applies to
// its log record, and returns the other credentials and names in the request. query is the raw
// query. The error is ErrTooManyCredentials; the identity is also set in that case.
func (r *Resolver) ResolveRequest(h Headers, query string, client netip.Addr, c *schema.Call) (Shown, error) {
	secrets, err := findCredentials(h)
	ev := fromRequest(r.withoutSecrets(h), secrets, client, c)
	if consumer, _ := firstOf(h, consumerHeaders); ev.GatewayCredential == "" && consumer != "" {
		ev.APIKey = consumer // a gateway that names its consumers by their keys: only the hash is kept
	}
	if r.redact != nil && r.redact(ev.SPIFFE) != ev.SPIFFE {
		ev.SPIFFE = ""
	}
	secrets, more := queryCredentials(secrets, query)
	err = cmp.Or(err, more)
	r.Resolve(&ev, c)
	var shown Shown
	shown.credential(c.CredentialID)
	shown.credential(id(ev.SPIFFE))
	for _, s := range secrets {
		shown.credential(r.CredentialID("api_key", s))
		for _, former := range r.FormerCredentialIDs("api_key", s) { // a breaker may name an id of before the key was replaced
			shown.credential(former)
		}
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

// values yields the value of a header and, when it is a list, at most maxCredentials of its
// elements.
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

// tokenNames returns the names under which logs with the claims of this token record its
// bearer. Results are cached.
func (r *Resolver) tokenNames(token string) []schema.Scope {
	names, ok := r.tokens.get(token)
	if !ok {
		names = tokenScopes(token)
		r.tokens.put(token, names)
	}
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
