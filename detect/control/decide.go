package control

import (
	"encoding/hex"
	"encoding/json"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"flyball/detect/breaker"
	"flyball/schema"
	"flyball/schema/identity"
	"flyball/schema/route"
)

// request is what a gateway asks about, whatever way it asks.
type request struct {
	method, path string // path with the query
	host         string
	headers      identity.Headers
	client       netip.Addr
}

// answer to it.
type answer struct {
	status   int // 200, 403, 503
	why      string
	decision string
	run      string // set only when the request named its run
	stale    bool
	breaker  *schema.Breaker
}

// check answers from memory. It waits for nothing but a short lock.
func (c *Control) check(q *request) answer {
	now := c.o.Now()
	call := schema.Call{ObserverKind: schema.ObserverGate, Observer: "flyball", Format: "check/1", Start: now.UnixNano(), KafkaTime: now.UnixNano(), DurationNs: -1,
		TSPrecision: schema.PrecisionNano, TSBasis: schema.BasisStart, OpKind: schema.OpHTTP, Method: strings.ToUpper(q.method), Host: strings.ToLower(q.host)}
	path, query, _ := strings.Cut(q.path, "?")
	call.Path = path[:min(len(path), schema.MaxPath)]
	ev := identity.FromRequest(q.headers, q.client, &call)
	c.o.Resolver.Resolve(&ev, &call)
	c.o.Routes.Classify(&call, &route.Input{RawQuery: query})

	ask := breaker.Query{Tenant: call.Tenant, AgentID: call.AgentID, AgentTrust: call.AgentTrust, CredentialID: call.CredentialID,
		PrincipalID: call.PrincipalID, PrincipalTrust: call.PrincipalTrust, ClientIP: call.ClientIP, Route: call.Method + " " + call.Route}
	if call.RunKey != "" {
		ask.RunID = schema.RunIdentity{Tenant: call.Tenant, RoutingActor: call.RoutingKey, Credential: call.CredentialID, Rule: schema.RunExplicit, Key: call.RunKey}.ID()
	}
	a := answer{status: 200, decision: decisionID()}
	c.mu.RLock()
	loaded, clock := c.loaded, c.state.Clock
	first, known := c.seen.get(ask.RunID)
	ask.RunFirstSeen = first
	a.stale = loaded && c.stale()
	var v breaker.Verdict
	if loaded {
		v = c.state.Decide(&ask)
	}
	c.mu.RUnlock()
	if !ask.RunID.IsZero() {
		a.run = ask.RunID.String()
		if !known && loaded {
			c.mu.Lock()
			c.seen.note(ask.RunID, clock)
			c.mu.Unlock()
		}
	}
	switch a.why = v.Why; {
	case !loaded:
		a.status, a.why = 503, "not_loaded"
	case !v.Allow:
		a.status, a.breaker = 403, v.Breaker
		call.Status, call.Outcome, call.DeniedBy = 403, schema.OutcomeDenied, "flyball"
		c.m.refused.Add(1)
	}
	c.m.checked.Add(1)
	c.m.checks.WithLabelValues(a.why).Inc()
	if loaded {
		c.asked.note(&call)
	}
	return a
}

func decisionID() string {
	var b [8]byte
	v := rand.Uint64()
	for i := range b {
		b[i] = byte(v >> (8 * i))
	}
	return "c_" + hex.EncodeToString(b[:])
}

// problem is the body of an answer that is not 200 (RFC 9457): terminal, about
// this target, and no invitation to try again.
func (a *answer) problem() []byte {
	type detail struct {
		Reason     string `json:"reason"`
		Scope      string `json:"scope,omitempty"`
		FindingID  string `json:"finding_id,omitempty"`
		Generation uint64 `json:"generation,omitempty"`
		Expires    string `json:"expires,omitempty"`
	}
	p := struct {
		Type     string `json:"type"`
		Title    string `json:"title"`
		Status   int    `json:"status"`
		Detail   string `json:"detail"`
		Instance string `json:"instance"`
		Flyball  detail `json:"flyball"`
	}{"urn:flyball:problem:denied", "Stopped by the API owner's circuit breaker", a.status,
		"This run has been stopped. Do not repeat the call or make it in another way; tell the person you work for.", "urn:flyball:decision:" + a.decision, detail{Reason: a.why}}
	if a.status == 503 {
		p.Type, p.Title, p.Detail = "urn:flyball:problem:not-loaded", "Breakers are being loaded", "The gateway's failure mode decides."
	}
	if b := a.breaker; b != nil {
		p.Flyball = detail{a.why, b.Scope.String(), b.FindingID, b.Generation, ""}
		if b.Expires > 0 {
			p.Flyball.Expires = time.Unix(0, b.Expires).UTC().Format(time.RFC3339)
		}
		if b.Reason != "" {
			p.Detail = b.Reason + ". " + p.Detail
		}
	}
	body, err := json.Marshal(p)
	if err != nil {
		return []byte(`{"status":` + strconv.Itoa(a.status) + `}`)
	}
	return body
}
