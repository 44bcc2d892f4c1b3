package api

import (
	"cmp"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"flyball/detect/enforce/operator"
)

// Role is the role of a token.
type Role string

// Roles. Responder includes the rights of viewer, and admin includes all rights. Orchestrator may
// declare tasks and nothing else; only orchestrator and admin may declare tasks.
const (
	Viewer       Role = "viewer"
	Responder    Role = "responder"
	Admin        Role = "admin"
	Orchestrator Role = "orchestrator"
)

// Roles lists all roles.
var Roles = []Role{Viewer, Responder, Admin, Orchestrator}

// included maps a role to the roles that have its rights.
var included = map[Role][]Role{
	Viewer:       {Viewer, Responder, Admin},
	Responder:    {Responder, Admin},
	Admin:        {Admin},
	Orchestrator: {Orchestrator, Admin},
}

// Token authenticates a tool. Only its hash is kept.
type Token struct {
	Name    string
	Role    Role
	Tenants []string // empty: any
	Hash    [sha256.Size]byte
	Expires time.Time // zero: never
	// Delegate is the right to name the person for whom a request is made; see HeaderOnBehalfOf.
	Delegate bool
	// limit bounds the requests with the token; newAuthenticator sets it.
	limit *rate.Limiter
}

// HashPrefix begins the text of a token file that holds the hash of a token in place of the token.
const HashPrefix = "sha256:"

const (
	// minTokenLength is the minimum length of a token in characters.
	minTokenLength = 20
)

// ParseToken reads the text of a token file: "sha256:" and the hash in hexadecimal, or the
// token itself.
func ParseToken(text string) (hash [sha256.Size]byte, err error) {
	text = strings.TrimSpace(text)
	if h, ok := strings.CutPrefix(text, HashPrefix); ok {
		b, err := hex.DecodeString(h)
		if err != nil || len(b) != len(hash) {
			return hash, errors.New("sha256: must be followed by 64 hexadecimal digits")
		}
		if hash = [sha256.Size]byte(b); hash == sha256.Sum256(nil) {
			return hash, errors.New("this is the hash of an empty token; make one with flyball token")
		}
		return hash, nil
	}
	if len(text) < minTokenLength {
		return hash, errors.New("a token must have at least 20 characters; make one with flyball token")
	}
	return sha256.Sum256([]byte(text)), nil
}

// TokenHashLine returns the line to store for a token, in the form that ParseToken reads.
func TokenHashLine(token string) string {
	h := sha256.Sum256([]byte(token))
	return HashPrefix + hex.EncodeToString(h[:])
}

// caller is an authenticated client of the control API.
type caller struct {
	name   string // of the token; empty: there are no tokens
	role   Role   // of the token, or that of the person if it is the lesser one
	tenant string // tenant whose state it changes: that of the point
	// tenants that it may read; empty: all tenants in the log.
	tenants  []string
	delegate bool   // may name a person for whom it acts
	person   string // for whom the request is made; empty: nobody is named
	// identity is that of a token of the issuer; nil: the caller has another one.
	identity *operator.Identity
}

// authenticator identifies callers by tokens. Without tokens and an issuer the listener is on
// loopback, and any client that can connect is the operator.
type authenticator struct {
	// source returns the present tokens if they can change; nil: they cannot.
	source func() *[]Token
	state  sync.Mutex // guards tokens and seen
	tokens []Token
	seen   *[]Token // from which tokens was made

	oidc   *OIDC // nil: no issuer
	people people

	tenant string
	now    func() time.Time
	// unknown bounds how many unknown tokens may be tried per second.
	mu      sync.Mutex
	unknown *rate.Limiter
}

const (
	tokenRate, tokenBurst = 50, 100 // requests per second with one token
	unknownTokenRate      = 10      // requests per second without a known token
)

func newAuthenticator(tokens []Token, tenant string, now func() time.Time) *authenticator {
	a := &authenticator{tokens: slices.Clone(tokens), tenant: tenant, now: now,
		unknown: rate.NewLimiter(unknownTokenRate, 10*unknownTokenRate)}
	for i := range a.tokens {
		a.tokens[i].limit = rate.NewLimiter(tokenRate, tokenBurst)
	}
	return a
}

// known returns the present tokens. One that stays keeps its limit.
func (a *authenticator) known() []Token {
	a.state.Lock()
	defer a.state.Unlock()
	if a.source == nil {
		return a.tokens
	}
	now := a.source()
	if now == a.seen {
		return a.tokens
	}
	next := slices.Clone(*now)
	for i := range next {
		next[i].limit = rate.NewLimiter(tokenRate, tokenBurst)
		if j := slices.IndexFunc(a.tokens, func(t Token) bool { return t.Hash == next[i].Hash }); j >= 0 {
			next[i].limit = a.tokens[j].limit
		}
	}
	a.tokens, a.seen = next, now
	return next
}

// authenticate returns the caller of a request that needs a role.
func (a *authenticator) authenticate(r *http.Request, need Role) (caller, *refusal) {
	who, rejected := a.client(r)
	if rejected != nil {
		return caller{}, rejected
	}
	if rejected := who.mayUse(need); rejected != nil {
		return caller{}, rejected
	}
	person, rejected := readPerson(r.Header)
	if rejected != nil || person.name == "" {
		return who, rejected
	}
	return who.actingFor(person, need)
}

// client returns who sends a request: the holder of a known token, or the operator.
func (a *authenticator) client(r *http.Request) (caller, *refusal) {
	tokens := a.known()
	if len(tokens) == 0 && a.oidc == nil {
		return a.operator(r)
	}
	shown, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	token := find(tokens, shown)
	if ok && token == nil && a.oidc != nil && operator.LooksLikeJWT(shown) {
		return a.byIssuer(r.Context(), shown)
	}
	if !ok || shown == "" || token == nil {
		return caller{}, a.unknownToken(ok && shown != "")
	}
	switch {
	case !token.Expires.IsZero() && !a.now().Before(token.Expires):
		return caller{}, refused(http.StatusUnauthorized, "expired_token", "token %s has expired on %s",
			token.Name, token.Expires.UTC().Format(time.RFC3339))
	case !token.limit.Allow():
		return caller{}, refused(http.StatusTooManyRequests, "rate_limit", "token %s: more than %d requests a second", token.Name, tokenRate)
	case len(token.Tenants) > 0 && !slices.Contains(token.Tenants, a.tenant):
		return caller{}, refused(http.StatusForbidden, "tenant", "token %s is not of tenant %s", token.Name, a.tenant)
	}
	return caller{name: token.Name, role: token.Role, tenant: a.tenant, tenants: token.Tenants, delegate: token.Delegate}, nil
}

// operator authenticates a client of a loopback listener without tokens. The host of the
// request must be loopback too, so that a web page in the operator's browser is refused.
func (a *authenticator) operator(r *http.Request) (caller, *refusal) {
	host := r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	if ip := net.ParseIP(strings.Trim(host, "[]")); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return caller{}, refused(http.StatusForbidden, "host_not_loopback",
			"host %q is not this machine: without control.tokens only loopback is answered", r.Host)
	}
	return caller{role: Admin, tenant: a.tenant, delegate: true}, nil
}

// find compares a token with every known one, so that the duration reveals nothing about them.
func find(tokens []Token, shown string) (found *Token) {
	hash := sha256.Sum256([]byte(shown))
	for i := range tokens {
		if subtle.ConstantTimeCompare(hash[:], tokens[i].Hash[:]) == 1 {
			found = &tokens[i]
		}
	}
	return found
}

// unknownToken refuses a request without a known token; sent is set if it contains another one.
func (a *authenticator) unknownToken(sent bool) *refusal {
	why := "the request has no token"
	if sent {
		why = "the token is not known here"
	}
	which := "one of those whose hashes are in control.tokens"
	if a.oidc != nil {
		which += ", or one of the issuer " + a.oidc.Issuer.URL() + " (flyball login)"
	}
	return a.refusedToken(refused(http.StatusUnauthorized, "unknown_token", "no known token in Authorization: Bearer: %s; "+
		"send %s, as Authorization: Bearer TOKEN", why, which))
}

// maxByLength is the maximum length of a person's name in the audit trail, in bytes.
const maxByLength = 100

// auditName returns the name for the audit trail: the token, and the person for whom it acts, or whom the
// body names as the author. The second is not checked by anybody, and is written in other words.
func (c caller) auditName(by string) string {
	if c.person != "" {
		return cmp.Or(c.name, "operator") + " on behalf of " + c.person
	}
	by = strings.ToValidUTF8(by, "")
	by = by[:min(len(by), maxByLength)]
	switch {
	case c.identity != nil && slices.ContainsFunc(c.names(), func(n string) bool { return sameName(n, by) }):
		return c.name
	case c.name == "" && by == "":
		return "operator"
	case c.name == "":
		return by
	case by == "":
		return c.name
	}
	return c.name + " for " + by
}
