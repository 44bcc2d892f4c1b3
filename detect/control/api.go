package control

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"flyball/detect/breaker"
	"flyball/schema"
)

// Role of whoever holds a token.
type Role string

const (
	Viewer    Role = "viewer"
	Responder Role = "responder"
	Admin     Role = "admin"
)

// BreakerLine is a line of /v1/breakers.
type BreakerLine struct {
	schema.Breaker
	Since   string    `json:"since"`
	Expires string    `json:"expires,omitempty"`
	Applied []Applied `json:"applied"`
}

// Applied says how far a point is.
type Applied struct {
	Point      string `json:"point"`
	Generation uint64 `json:"generation"`
	LagMS      int64  `json:"lag_ms"`
}

// Ask is the body of a mutation.
type Ask struct {
	Scope   schema.Scope `json:"scope"`
	TTL     string       `json:"ttl"`
	For     string       `json:"for"`
	Reason  string       `json:"reason"`
	IfMatch uint64       `json:"if_match"`
	By      string       `json:"by"`
}

// APIHandler serves operators and tools.
func (c *Control) APIHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/breakers", c.allow(Viewer, func(w http.ResponseWriter, r *http.Request) { reply(w, http.StatusOK, c.lines(false)) }))
	mux.HandleFunc("GET /v1/breakers/history", c.allow(Viewer, func(w http.ResponseWriter, r *http.Request) { reply(w, http.StatusOK, c.lines(true)) }))
	mux.HandleFunc("POST /v1/breakers/trip", c.allow(Responder, c.mutate(schema.CommandForceOpen)))
	mux.HandleFunc("POST /v1/breakers/reset", c.allow(Responder, c.mutate(schema.CommandReset)))
	mux.HandleFunc("POST /v1/bypass", c.allow(Admin, c.mutate(schema.CommandBypass)))
	return mux
}

var rank = map[Role]int{Viewer: 1, Responder: 2, Admin: 3}

// allow lets a token's role in. Without tokens the listener is loopback's and
// whoever reaches it is the operator.
func (c *Control) allow(least Role, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if len(c.o.Tokens) == 0 {
			next(w, r)
			return
		}
		shown := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
		for token, role := range c.o.Tokens {
			if subtle.ConstantTimeCompare([]byte(shown), []byte(token)) != 1 {
				continue
			}
			if rank[role] < rank[least] {
				fail(w, http.StatusForbidden, fmt.Errorf("the token's role is %s, this needs %s", role, least))
				return
			}
			next(w, r)
			return
		}
		fail(w, http.StatusUnauthorized, errors.New("no known token in Authorization: Bearer"))
	}
}

func (c *Control) lines(history bool) []BreakerLine {
	p := c.Point()
	c.mu.RLock()
	defer c.mu.RUnlock()
	list := c.state.Breakers()
	if history {
		list = c.state.History()
	}
	slices.SortStableFunc(list, func(a, b schema.Breaker) int { return int(int64(b.Generation) - int64(a.Generation)) })
	out := make([]BreakerLine, 0, len(list))
	for _, b := range list {
		l := BreakerLine{Breaker: b, Since: stamp(b.Since), Applied: []Applied{{p.Point, uint64(p.Applied) + 1, max(0, (c.o.Now().UnixNano()-p.At)/1e6)}}}
		if b.Expires > 0 {
			l.Expires = stamp(b.Expires)
		}
		out = append(out, l)
	}
	return out
}

func stamp(ns int64) string { return time.Unix(0, ns).UTC().Format(time.RFC3339Nano) }

func (c *Control) mutate(kind schema.CommandKind) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var ask Ask
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&ask); err != nil {
			fail(w, http.StatusBadRequest, fmt.Errorf("body: %w", err))
			return
		}
		if ask.Reason == "" {
			fail(w, http.StatusBadRequest, errors.New("reason: empty; say why, it goes into the history"))
			return
		}
		command := schema.Command{ID: "o_" + strconv.FormatUint(rand.Uint64(), 36), Kind: kind, Tenant: c.o.Tenant, Scope: ask.Scope, By: ask.By, Reason: ask.Reason, IfMatch: ask.IfMatch}
		if m := strings.Trim(r.Header.Get("If-Match"), `"`); m != "" {
			g, err := strconv.ParseUint(m, 10, 64)
			if err != nil {
				fail(w, http.StatusBadRequest, fmt.Errorf("If-Match: %q is no generation", m))
				return
			}
			command.IfMatch = g
		}
		if kind == schema.CommandBypass {
			ask.TTL = ask.For
		} else if ask.Scope.Kind == schema.ScopeNone || ask.Scope.Value == "" {
			fail(w, http.StatusBadRequest, fmt.Errorf("scope: kind must be one of %s, and value must be set", strings.Join(schema.ScopeKindWords[1:], ", ")))
			return
		}
		if ask.TTL != "" {
			d, err := time.ParseDuration(ask.TTL)
			if err != nil || d <= 0 {
				fail(w, http.StatusBadRequest, fmt.Errorf("ttl: %q is no duration above 0, as in 15m", ask.TTL))
				return
			}
			command.TTL = int64(d)
		} else if kind == schema.CommandBypass {
			fail(w, http.StatusBadRequest, errors.New("for: empty; a bypass must end by itself"))
			return
		}
		outcome, err := c.Submit(r.Context(), command)
		switch {
		case err != nil:
			fail(w, http.StatusServiceUnavailable, err)
		case outcome == breaker.IfMatchFailed:
			fail(w, http.StatusPreconditionFailed, fmt.Errorf("the breaker is at another generation than %d: look again", command.IfMatch))
		case outcome == breaker.NoBreaker:
			fail(w, http.StatusNotFound, fmt.Errorf("no breaker on %s", ask.Scope))
		case outcome != breaker.Applied:
			fail(w, http.StatusConflict, fmt.Errorf("the command was not applied: %s", outcome))
		default:
			reply(w, http.StatusOK, map[string]string{"outcome": string(outcome), "id": command.ID})
		}
	}
}

func reply(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v)
}

func fail(w http.ResponseWriter, code int, err error) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]any{"type": "about:blank", "title": http.StatusText(code), "status": code, "detail": err.Error()})
}
