package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Role of whoever holds a token. A responder may what a viewer may, an admin what
// both may; an orchestrator declares tasks and may nothing else, and nobody else
// but an admin may that.
type Role string

const (
	Viewer       Role = "viewer"
	Responder    Role = "responder"
	Admin        Role = "admin"
	Orchestrator Role = "orchestrator"
)

// Roles that there are.
var Roles = []Role{Viewer, Responder, Admin, Orchestrator}

// may lists who may do what a role may.
var may = map[Role][]Role{
	Viewer:       {Viewer, Responder, Admin},
	Responder:    {Responder, Admin},
	Admin:        {Admin},
	Orchestrator: {Orchestrator, Admin},
}

// Token lets a tool in. Only its hash is known here.
type Token struct {
	Name    string
	Role    Role
	Tenants []string // empty: any
	Hash    [sha256.Size]byte
	Expires time.Time // zero: never
	// limit on what it asks, made by New.
	limit *rate.Limiter
}

const hashPrefix = "sha256:"

// ParseToken reads what a token file holds: "sha256:" and the hash in hexadecimal,
// or the token itself.
func ParseToken(text string) (hash [sha256.Size]byte, err error) {
	text = strings.TrimSpace(text)
	if h, ok := strings.CutPrefix(text, hashPrefix); ok {
		b, err := hex.DecodeString(h)
		if err != nil || len(b) != len(hash) {
			return hash, errors.New("sha256: must be followed by 64 hexadecimal digits")
		}
		if hash = [sha256.Size]byte(b); hash == sha256.Sum256(nil) {
			return hash, errors.New("this is the hash of an empty token; make one with flyball token")
		}
		return hash, nil
	}
	if len(text) < 20 {
		return hash, errors.New("a token must have at least 20 characters; make one with flyball token")
	}
	return sha256.Sum256([]byte(text)), nil
}

// TokenHashLine is what to keep of a token.
func TokenHashLine(token string) string {
	h := sha256.Sum256([]byte(token))
	return hashPrefix + hex.EncodeToString(h[:])
}

// caller of the control API.
type caller struct {
	name   string
	role   Role
	tenant string // that it writes for: the point's
	// tenants that it may read; empty: all of the log.
	tenants []string
}

// door lets callers in.
type door struct {
	tokens []Token
	tenant string
	now    func() time.Time
	// wrong bounds how often anybody may try a token that is not known.
	mu    sync.Mutex
	wrong *rate.Limiter
}

const (
	perToken, burstOfToken = 50, 100
	wrongASecond           = 10
)

func newDoor(tokens []Token, tenant string, now func() time.Time) *door {
	d := &door{tokens: slices.Clone(tokens), tenant: tenant, now: now, wrong: rate.NewLimiter(wrongASecond, 10*wrongASecond)}
	for i := range d.tokens {
		d.tokens[i].limit = rate.NewLimiter(perToken, burstOfToken)
	}
	return d
}

// refusal is why somebody is not let in.
type refusal struct {
	status int
	why    string
	err    error
}

// admit says who calls. Without tokens the listener is loopback's and whoever
// reaches it is the operator, but not a page in his browser: the host that was
// asked for must be loopback's too.
func (d *door) admit(r *http.Request, least Role) (caller, *refusal) {
	if len(d.tokens) == 0 {
		host := r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
		if ip := net.ParseIP(strings.Trim(host, "[]")); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
			return caller{}, &refusal{http.StatusForbidden, "host_not_loopback", fmt.Errorf("host %q is not this machine: without control.tokens only loopback is answered", r.Host)}
		}
		return caller{role: Admin, tenant: d.tenant}, nil
	}
	shown, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	hash := sha256.Sum256([]byte(shown))
	var found *Token
	for i := range d.tokens { // all of them, so that time tells nothing
		if subtle.ConstantTimeCompare(hash[:], d.tokens[i].Hash[:]) == 1 {
			found = &d.tokens[i]
		}
	}
	if !ok || shown == "" || found == nil {
		d.mu.Lock()
		allowed := d.wrong.Allow()
		d.mu.Unlock()
		if !allowed {
			return caller{}, &refusal{http.StatusTooManyRequests, "too_many_unknown_tokens", errors.New("too many requests without a known token")}
		}
		return caller{}, &refusal{http.StatusUnauthorized, "unknown_token", errors.New("no known token in Authorization: Bearer")}
	}
	switch {
	case !found.Expires.IsZero() && !d.now().Before(found.Expires):
		return caller{}, &refusal{http.StatusUnauthorized, "expired_token", fmt.Errorf("token %s has expired on %s", found.Name, found.Expires.UTC().Format(time.RFC3339))}
	case !found.limit.Allow():
		return caller{}, &refusal{http.StatusTooManyRequests, "rate_limit", fmt.Errorf("token %s: more than %d requests a second", found.Name, perToken)}
	case !slices.Contains(may[least], found.Role):
		return caller{}, &refusal{http.StatusForbidden, "role", fmt.Errorf("token %s has the role %s, this needs %s", found.Name, found.Role, least)}
	case len(found.Tenants) > 0 && !slices.Contains(found.Tenants, d.tenant):
		return caller{}, &refusal{http.StatusForbidden, "tenant", fmt.Errorf("token %s is not of tenant %s", found.Name, d.tenant)}
	}
	return caller{name: found.Name, role: found.Role, tenant: d.tenant, tenants: found.Tenants}, nil
}

// named is who goes into the audit trail: the token, and the person that its
// holder says it acts for.
func (c caller) named(by string) string {
	by = strings.ToValidUTF8(by, "")
	by = by[:min(len(by), 100)]
	switch {
	case c.name == "" && by == "":
		return "operator"
	case c.name == "":
		return by
	case by == "":
		return c.name
	}
	return c.name + " for " + by
}
