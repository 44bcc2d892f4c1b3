package incident

import (
	"flyball/schema"
)

// acknowledge applies an acknowledgement, or that it was taken back. Receivers that were notified of the incident are notified of it.
func (f *Fold) acknowledge(a *schema.Acknowledgement, cause string) Decision {
	g := f.incidents.ids[a.Incident]
	if g == nil || g.scope.tenant != a.Tenant {
		return Decision{Reason: NoSuchIncident}
	}
	if a.Generation <= g.ackedAt {
		return Decision{Reason: AlreadyApplied, Incident: g.id}
	}
	acked := g.ack != nil
	g.ackedAt = a.Generation
	switch {
	case a.Undone && !acked:
		return Decision{Reason: NotAcknowledged, Incident: g.id}
	case a.Undone:
		return f.undo(g, a, cause)
	}
	g.ack = a
	delete(f.held, g)
	delete(f.unstopped, g)
	return f.decide(g.worst(1)[0], &change{Acknowledged, AcknowledgedBy, cause, a.At})
}

// undo takes an acknowledgement back: the incident is one that nobody has taken on, so that every change of it counts again.
func (f *Fold) undo(g *group, a *schema.Acknowledgement, cause string) Decision {
	g.ack = nil
	d := f.decide(g.worst(1)[0], &change{Updated, AckUndone, cause, a.At})
	if d.Page != nil {
		d.Page.Undone = statement(a)
	}
	f.watch(g)
	return d
}

func statement(a *schema.Acknowledgement) *Acknowledgement {
	return &Acknowledgement{By: a.By, Reason: a.Why, At: utc(a.At)}
}

// acknowledgement returns the acknowledgement for pages; nil: there is none.
func (g *group) acknowledgement() *Acknowledgement {
	if g.ack == nil {
		return nil
	}
	return statement(g.ack)
}
