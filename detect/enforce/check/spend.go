package check

import (
	"flyball/detect/enforce/ledger"
	"flyball/detect/enforce/manifest"
	"flyball/schema"
)

// quotas subtracts the cost of calls from quotas.
type quotas struct {
	o      *Options
	m      *metrics
	leases *leases
}

// spendAll subtracts the cost of a call from its quotas. A call that a quota refuses is
// denied, or needs approval.
func (u *quotas) spendAll(e *evaluation) {
	a := &e.a
	d := &a.weighed
	for i := range d.Spends {
		s := &d.Spends[i]
		over, why := u.spend(e, s)
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
		if d.Bypassed || over < a.action || !u.isArmed(e.req, ledger.ReasonFamily(why)) {
			continue
		}
		a.action, a.why, a.line, a.breaker = over, why, s.Key, nil
		if over == schema.ActionDeny {
			return
		}
		u.findGrant(e)
	}
}

// spend subtracts units from one quota. why is empty if enough was left, else the named reason for
// the action over.
func (u *quotas) spend(e *evaluation, s *manifest.Spend) (over schema.Action, why string) {
	if e.a.overShare {
		return s.Over, ledger.WhyShareExceeded
	}
	switch u.leases.spend(e.a.standing, e.decided.Tenant, e.a.weighed.ManifestOf, s) {
	case spendDone:
		return schema.ActionNone, ""
	case spendLate:
		return s.Over, whyQuotaLate
	case spendCrowd:
		u.m.full.WithLabelValues(e.a.standing.String(), "leases").Inc()
		if e.a.standing == schema.StandingClaimed {
			return s.Over, ledger.WhyShareExceeded
		}
		return s.Over, whyQuotaCrowd
	case spendAway:
		return u.failureMode(e.decided), whyQuotaAway
	}
	return s.Over, s.Why
}

// isArmed reports whether the findings of a family are enforced for the caller of a request.
func (u *quotas) isArmed(r *ledger.Request, family string) bool {
	v := u.o.State.Acquire()
	defer v.Release()
	return v.Armed(r, family)
}

func (u *quotas) findGrant(e *evaluation) {
	v := u.o.State.Acquire()
	defer v.Release()
	e.grant, e.usable = v.Approvals.Find(&e.query, e.clock)
}

// failureMode returns the action of the agent's failure mode for a call while the log is
// unreachable.
func (u *quotas) failureMode(call *schema.Call) schema.Action {
	v := u.o.State.Acquire()
	defer v.Release()
	m, _ := v.Manifests.ForAgent(call.Tenant, call.AgentID, call.AgentTrust)
	return m.WhenLogStale(call.Reversibility)
}
