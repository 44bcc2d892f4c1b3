package api

import (
	"flyball/detect/enforce"
	"flyball/detect/enforce/approval"
	"flyball/detect/enforce/breaker"
	"flyball/detect/enforce/ledger"
	"flyball/schema"
)

// probe claims the right to pass a half-open breaker.
func (c *Control) probe(a *answer) {
	b := a.breaker
	if a.crowded {
		a.why = ledger.WhyShareExceeded
		return
	}
	r, err := c.claim(a.standing, &schema.Command{ID: newID("p_"), Kind: schema.CommandProbe, Tenant: b.Tenant, Scope: b.Scope, IfMatch: b.Generation, By: c.o.Name})
	switch {
	case err != nil:
		a.why = unanswered(a.standing, err)
	case r.Code == enforce.Applied:
		a.action, a.why = schema.ActionAnnotate, breaker.WhyProbe
	default:
		a.why = whyProbeLost
	}
}

// spendAll takes what a call costs out of its quotas. What a quota refuses is
// denied, or asks.
func (c *Control) spendAll(a *answer, req *ledger.Request, call *schema.Call, asks *approval.Query, yes **schema.Gate, usable *bool, clock int64) {
	d := &a.weighed
	for i := range d.Spends {
		s := &d.Spends[i]
		over, why := s.Over, s.Why
		if a.crowded {
			why = ledger.WhyShareExceeded
		} else {
			switch c.spend(a.standing, call.Tenant, d.ManifestOf, s) {
			case spendDone:
				continue
			case spendLate:
				why = whyQuotaLate
			case spendCrowd:
				c.m.full.WithLabelValues(a.standing.String(), "leases").Inc()
				if why = whyQuotaCrowd; a.standing == schema.StandingClaimed {
					why = ledger.WhyShareExceeded
				}
			case spendAway:
				if over, why = c.whenAway(call), whyQuotaAway; over == schema.ActionNone {
					if a.action == schema.ActionNone {
						a.why, a.line = why, s.Key
					}
					continue
				}
			}
		}
		if over > d.Would {
			d.Would, d.WouldWhy = over, why
		}
		if d.Bypassed || !c.armed(req, ledger.ReasonFamily(why)) || over < a.action {
			continue
		}
		a.action, a.why, a.line, a.breaker = over, why, s.Key, nil
		if over == schema.ActionDeny {
			return
		}
		c.mu.RLock()
		*yes, *usable = c.state.Approvals.Find(asks, clock)
		c.mu.RUnlock()
	}
}

// whenAway is what the agent's failure mode wants of a call.
func (c *Control) whenAway(call *schema.Call) schema.Action {
	c.mu.RLock()
	defer c.mu.RUnlock()
	m, _ := c.state.Manifests.ForAgent(call.Tenant, call.AgentID, call.AgentTrust)
	return m.WhenLogStale(call.Reversibility)
}
