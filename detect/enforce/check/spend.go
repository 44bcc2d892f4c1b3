package check

import (
	"flyball/detect/enforce"
	"flyball/detect/enforce/breaker"
	"flyball/detect/enforce/ledger"
	"flyball/detect/enforce/manifest"
	"flyball/detect/enforce/point"
	"flyball/schema"
)

// probe claims the right to pass a half-open breaker.
func (c *Checker) probe(a *answer) {
	b := a.breaker
	if a.overShare {
		a.why = ledger.WhyShareExceeded
		return
	}
	r, err := c.claim(a.standing, &schema.Command{ID: point.NewCommandID("p_"), Kind: schema.CommandProbe, Tenant: b.Tenant,
		Scope: b.Scope, IfMatch: b.Generation, By: c.o.Name})
	switch {
	case err != nil:
		a.why = whyUnanswered(a.standing, err)
	case r.Code == enforce.Applied:
		a.action, a.why = schema.ActionAnnotate, breaker.WhyProbe
	default:
		a.why = whyProbeLost
	}
}

// spendAll takes what a call costs out of its quotas. What a quota refuses is denied, or
// needs approval.
func (c *Checker) spendAll(e *evaluation) {
	a := &e.a
	d := &a.weighed
	for i := range d.Spends {
		s := &d.Spends[i]
		over, why := c.spend(e, s)
		if why == "" {
			continue
		}
		if why == whyQuotaAway && over == schema.ActionNone {
			if a.action == schema.ActionNone {
				a.why, a.line = why, s.Key
			}
			continue
		}
		if over > d.Would {
			d.Would, d.WouldWhy = over, why
		}
		if d.Bypassed || over < a.action || !c.isArmed(&e.req, ledger.ReasonFamily(why)) {
			continue
		}
		a.action, a.why, a.line, a.breaker = over, why, s.Key, nil
		if over == schema.ActionDeny {
			return
		}
		c.findGrant(e)
	}
}

// spend takes units out of one quota. why is empty if they were there, else the named
// reason for the action over.
func (c *Checker) spend(e *evaluation, s *manifest.Spend) (over schema.Action, why string) {
	if e.a.overShare {
		return s.Over, ledger.WhyShareExceeded
	}
	switch c.leases.spend(e.a.standing, e.decided.Tenant, e.a.weighed.ManifestOf, s) {
	case spendDone:
		return schema.ActionNone, ""
	case spendLate:
		return s.Over, whyQuotaLate
	case spendCrowd:
		c.m.full.WithLabelValues(e.a.standing.String(), "leases").Inc()
		if e.a.standing == schema.StandingClaimed {
			return s.Over, ledger.WhyShareExceeded
		}
		return s.Over, whyQuotaCrowd
	case spendAway:
		return c.failureMode(e.decided), whyQuotaAway
	}
	return s.Over, s.Why
}

// isArmed reports whether what a family finds is enforced for the caller of a request.
func (c *Checker) isArmed(r *ledger.Request, family string) bool {
	v := c.o.State.Acquire()
	defer v.Release()
	return v.Armed(r, family)
}

func (c *Checker) findGrant(e *evaluation) {
	v := c.o.State.Acquire()
	defer v.Release()
	e.grant, e.usable = v.Approvals.Find(&e.query, e.clock)
}

// failureMode is what the agent's failure mode wants of a call while the log is away.
func (c *Checker) failureMode(call *schema.Call) schema.Action {
	v := c.o.State.Acquire()
	defer v.Release()
	m, _ := v.Manifests.ForAgent(call.Tenant, call.AgentID, call.AgentTrust)
	return m.WhenLogStale(call.Reversibility)
}
