package api

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"flyball/detect/enforce"
	"flyball/schema"
)

// supports is Supports of the kind that a command is written as.
func (c *Control) supports(command *schema.Command) error {
	kind := command.Kind
	if kind == schema.CommandBypass && command.Scope.Kind != schema.ScopeNone {
		kind = schema.CommandBypassEnd // which the same versions read
	}
	return c.Supports(kind)
}

// TripResult is the answer to a breaker by hand.
type TripResult struct {
	ChangeResult
	Tenant string       `json:"tenant"`
	Scope  schema.Scope `json:"scope"` // as requests are compared with it
	RunKey string       `json:"run_key,omitempty"`
	// Expires is when it closes by itself; absent: only a reset closes it.
	Expires string `json:"expires,omitempty"`
	// Holder of the run: later runs of the same are held besides.
	Holder *schema.Holder `json:"holder,omitempty"`
	// Points, and how far each has applied the log: those from the generation on enforce it.
	Points []Applied `json:"points"`
}

var breakerStatus = map[enforce.ResultCode]int{enforce.IfMatchFailed: http.StatusPreconditionFailed,
	enforce.NoBreaker: http.StatusNotFound,
	enforce.NoBypass:  http.StatusNotFound}

func (c *Control) trip(in *call) {
	ask := in.ask.(*TripRequest)
	if (ask.TTL == 0) == !ask.UntilReset {
		c.refuse(in.w, http.StatusBadRequest, "body", errors.New("ttl_seconds, until_reset: one of the two"))
		return
	}
	t, no := c.resolve(ask.Scope, ask.Force)
	if no != nil {
		c.refuse(in.w, no.status, no.why, no.err)
		return
	}
	run := t.scope.Kind == schema.ScopeRun || t.scope.Kind == schema.ScopeRunRoute
	if run && t.holder == nil && (ask.Agent != "" || ask.Credential != "") {
		for _, sc := range []schema.Scope{{Kind: schema.ScopeAgent, Value: ask.Agent}, {Kind: schema.ScopeCredential, Value: ask.Credential}} {
			if sc.Value == "" {
				continue
			}
			if _, no := c.resolveName(sc, true); no != nil {
				c.refuse(in.w, no.status, no.why, no.err)
				return
			}
		}
		t.holder = &schema.Holder{AgentID: ask.Agent, AgentTrust: ask.AgentTrust, CredentialID: ask.Credential}
		if ask.Agent != "" && ask.AgentTrust >= schema.TrustInfrastructure {
			t.holder.Standing = schema.StandingEstablished
		}
	}
	if t.holder != nil && c.o.Tags != nil {
		t.holder.Tags = c.o.Tags(t.holder.AgentID)
	}
	in.submit(c, schema.Command{Kind: schema.CommandForceOpen, Scope: t.scope, TTL: ask.TTL * 1e9, By: in.who.named(ask.By),
		Reason: ask.Reason, Holder: t.holder},
		enforce.Applied, breakerStatus, func(r enforce.Result) any { return c.tripped(in.who.tenant, &t, r) })
}

func (c *Control) tripped(tenant string, t *target, r enforce.Result) TripResult {
	out := TripResult{ChangeResult: ChangeResult{string(r.Code), r.Generation, r.Ref}, Tenant: tenant, Scope: t.scope, RunKey: t.key, Holder: t.holder,
		Points: c.applied()}
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, b := range c.state.Breakers.Breakers() {
		if b.Tenant == tenant && b.Scope == t.scope {
			out.Expires = stamp(b.Expires)
		}
	}
	return out
}

// applied is how far each live point is.
func (c *Control) applied() []Applied {
	points := c.live()
	c.mu.RLock()
	clock := c.state.Position.Time
	c.mu.RUnlock()
	out := make([]Applied, len(points))
	for i, p := range points {
		out[i] = Applied{p.Point, uint64(p.Applied) + 1, max(0, (clock-p.At)/1e6)}
	}
	return out
}

func (c *Control) reset(in *call) {
	ask := in.ask.(*ResetRequest)
	command := schema.Command{Kind: schema.CommandReset, Scope: ask.Scope, By: in.who.named(ask.By), Reason: ask.Reason,
		IfMatch: uint64(ask.IfMatch)}
	if m := strings.Trim(in.r.Header.Get("If-Match"), `"`); m != "" && m != "*" {
		g, err := strconv.ParseUint(m, 10, 64)
		if err != nil {
			c.refuse(in.w, http.StatusBadRequest, "if_match", fmt.Errorf("If-Match: %q is no generation", m))
			return
		}
		command.IfMatch = g
	}
	if !c.stands(in.who.tenant, ask.Scope) { // what is not there by that name may be there by another
		t, no := c.resolve(ask.Scope, true)
		if no != nil {
			c.refuse(in.w, no.status, no.why, no.err)
			return
		}
		command.Scope = t.scope
	}
	in.submit(c, command, enforce.Applied, breakerStatus, done)
}

// stands reports whether a breaker on a scope is not closed.
func (c *Control) stands(tenant string, sc schema.Scope) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, b := range c.state.Breakers.Breakers() {
		if b.Tenant == tenant && b.Scope == sc {
			return true
		}
	}
	return false
}

// BypassResult is the answer to a bypass.
type BypassResult struct {
	ChangeResult
	Tenant string    `json:"tenant"`
	Agent  string    `json:"agent,omitempty"`
	Until  string    `json:"until"`
	Points []Applied `json:"points"`
}

func (c *Control) bypass(in *call) {
	ask := in.ask.(*BypassRequest)
	command := schema.Command{Kind: schema.CommandBypass, TTL: ask.Seconds * 1e9, By: in.who.named(ask.By), Reason: ask.Reason}
	if ask.Agent != "" {
		t, no := c.resolve(schema.Scope{Kind: schema.ScopeAgent, Value: ask.Agent}, ask.Force)
		if no != nil {
			c.refuse(in.w, no.status, no.why, no.err)
			return
		}
		command.Scope = t.scope
	}
	in.submit(c, command, enforce.Applied, breakerStatus, func(r enforce.Result) any {
		out := BypassResult{ChangeResult: ChangeResult{string(r.Code), r.Generation, r.Ref}, Tenant: in.who.tenant, Agent: ask.Agent, Points: c.applied()}
		c.mu.RLock()
		defer c.mu.RUnlock()
		for _, b := range c.state.Breakers.Bypasses(in.who.tenant, c.state.Position.Time) {
			if b.Agent == ask.Agent {
				out.Until = stamp(b.Until)
			}
		}
		return out
	})
}

func (c *Control) endBypass(in *call) {
	ask := in.ask.(*EndBypassRequest)
	command := schema.Command{Kind: schema.CommandBypassEnd, By: in.who.named(ask.By), Reason: ask.Reason}
	if ask.Agent != "" {
		t, no := c.resolve(schema.Scope{Kind: schema.ScopeAgent, Value: ask.Agent}, true)
		if no != nil {
			c.refuse(in.w, no.status, no.why, no.err)
			return
		}
		command.Scope = t.scope
	}
	in.submit(c, command, enforce.Applied, breakerStatus, done)
}
