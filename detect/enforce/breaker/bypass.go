package breaker

import (
	"cmp"
	"slices"

	"flyball/detect/enforce"
	"flyball/schema"
)

// maxBypasses is how many bypasses may be in force at a time. A further one is rejected, so that
// enforcement continues.
const maxBypasses = 1_000

// bypassed is the key of a bypass: an agent or, with an empty name, the whole tenant.
type bypassed struct{ tenant, agent string }

// bypasses holds the bypasses in force.
type bypasses struct{ bypass map[bypassed]schema.Bypass }

// applyBypass begins or ends the bypass of the agent in the scope or, without a scope, of the
// tenant.
func (s *bypasses) applyBypass(at enforce.LogPosition, c *schema.Command) (enforce.ResultCode, []schema.Event) {
	k := bypassed{tenant: c.Tenant}
	switch {
	case c.Reason == "":
		return enforce.Rejected, nil
	case c.Scope.Kind == schema.ScopeAgent && c.Scope.Value != "":
		k.agent = c.Scope.Value
	case c.Scope.Kind != schema.ScopeNone:
		return enforce.Rejected, nil
	}
	_, on := s.bypass[k]
	b := schema.Bypass{Tenant: c.Tenant, Agent: k.agent, Reason: c.Reason, By: c.By, Generation: at.Generation()}
	switch {
	case c.Kind == schema.CommandBypassEnd && !on:
		return enforce.NoBypass, nil
	case c.Kind == schema.CommandBypassEnd:
		delete(s.bypass, k)
	case c.TTL <= 0:
		return enforce.Rejected, nil
	case !on && len(s.bypass) >= maxBypasses:
		return enforce.TooManyBypasses, nil
	default:
		b.Until = at.Time + c.TTL
		s.bypass[k] = b
	}
	return enforce.Applied, []schema.Event{schema.BypassEvent(&b)}
}

// expireBypasses ends the bypasses that have expired.
func (s *bypasses) expireBypasses(at enforce.LogPosition) []schema.Event {
	var out []schema.Event
	for k, b := range s.bypass {
		if at.Time >= b.Until {
			delete(s.bypass, k)
			ended := schema.Bypass{Tenant: k.tenant, Agent: k.agent, Reason: "the bypass has expired", By: "ttl", Generation: at.Generation()}
			out = append(out, schema.BypassEvent(&ended))
		}
	}
	return out
}

// Bypass returns the bypass of a tenant, if one is in force.
func (s *bypasses) Bypass(tenant string, now int64) (schema.Bypass, bool) {
	b, ok := s.bypass[bypassed{tenant: tenant}]
	return b, ok && now < b.Until
}

// BypassForAgent returns the bypass of an agent or that of its tenant, if one is in force. The
// agent's bypass does not apply to callers that only claim the agent's name.
func (s *bypasses) BypassForAgent(tenant, agent string, trust schema.Trust, now int64) (schema.Bypass, bool) {
	if b, on := s.Bypass(tenant, now); on || len(s.bypass) == 0 {
		return b, on
	}
	agent = established(agent, trust)
	b, ok := s.bypass[bypassed{tenant, agent}]
	return b, ok && agent != "" && now < b.Until
}

// Bypasses returns the bypasses in force in a tenant: that of the tenant first, then those of
// agents by name.
func (s *bypasses) Bypasses(tenant string, now int64) []schema.Bypass {
	out := []schema.Bypass{}
	for k, b := range s.bypass {
		if k.tenant == tenant && now < b.Until {
			out = append(out, b)
		}
	}
	slices.SortFunc(out, func(a, b schema.Bypass) int { return cmp.Compare(a.Agent, b.Agent) })
	return out
}
