package incident

import (
	"flyball/schema"
)

// acknowledge applies an acknowledgement. Receivers that were notified of the incident are notified of it.
func (f *Fold) acknowledge(a *schema.Acknowledgement, cause string) Decision {
	g := f.ids[a.Incident]
	if g == nil || g.scope.tenant != a.Tenant {
		return Decision{Reason: NoSuchIncident}
	}
	if a.Generation <= g.ackedAt {
		return Decision{Reason: AlreadyApplied, Incident: g.id}
	}
	g.ack, g.ackedAt = a, a.Generation
	delete(f.held, g)
	delete(f.unstopped, g)
	return f.decide(g.worst(1)[0], &change{Acknowledged, AcknowledgedBy, cause, a.At})
}

// acknowledgement returns the acknowledgement for pages; nil: there is none.
func (g *group) acknowledgement() *Acknowledgement {
	if g.ack == nil {
		return nil
	}
	return &Acknowledgement{By: g.ack.By, Reason: g.ack.Why, At: utc(g.ack.At)}
}

// ackLinkLife is how long the link of a page works, in ns.
const ackLinkLife = int64(24 * 3600e9)
