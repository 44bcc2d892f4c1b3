package incident

import (
	"flyball/schema"
)

// change is a change of a finding, breaker or gate about which a page is possible.
type change struct {
	kind    Kind
	because Reason
	cause   string // id of the event
	at      int64  // event time, Unix ns
}

// Decide applies the event of a record that was written at a time (Unix ns), and returns whether somebody is notified of it and why.
func (f *Fold) Decide(e *schema.Event, written int64) Decision {
	f.written = written
	var i *open
	var c *change
	reason := NotAnAlert
	switch {
	case e.Finding != nil:
		i, c, reason = f.finding(e.Finding, e.ID, written)
	case e.Gate != nil:
		i, c, reason = f.gate(e.Gate, e.ID, written)
	case e.Breaker != nil && e.Breaker.FindingID != "":
		i, c, reason = f.breaker(e.Breaker, e.ID)
	}
	if c == nil {
		d := Decision{Reason: reason}
		if i != nil && i.group != nil {
			d.Incident = i.group.id
		}
		return d
	}
	return f.decide(i, c)
}

// Apply is Decide for callers that need the page alone.
func (f *Fold) Apply(e *schema.Event, written int64) (Page, bool) {
	if d := f.Decide(e, written); d.Page != nil {
		return *d.Page, true
	}
	return Page{}, false
}

// decide finds the incident that a change belongs to, and whether its receiver has to know.
func (f *Fold) decide(i *open, c *change) Decision {
	switch {
	case c.kind == Resolved:
		return f.resolved(i, c)
	case i.group == nil:
		return f.opened(i, c)
	case f.nowEstablished(i):
		f.leave(i) // an established agent is not left among claimed names
		return f.opened(i, c)
	}
	return f.updated(i, c)
}

// nowEstablished reports whether the caller of a finding was established after the finding had joined others of claimed names.
func (f *Fold) nowEstablished(i *open) bool {
	return i.gate == nil && i.group.scope.class == claimed && classOf(i.finding) == established && len(i.group.members) > 1
}

// opened places the first page of a finding.
func (f *Fold) opened(i *open, c *change) Decision {
	g, fresh, why := f.place(i, c.cause, f.written)
	newFamily := g.join(i, f.written)
	level := i.finding.Level
	if fresh {
		return f.notify(g, i, c, Opened, why, level)
	}
	grew := g.size() >= g.growth
	for g.growth <= g.size() {
		g.growth *= growthFactor
	}
	switch {
	case level > g.level:
		return f.notify(g, i, c, Updated, LevelRaised, level)
	case grew:
		return f.notify(g, i, c, Updated, IncidentGrew, g.level)
	case newFamily && !f.near(f.written, g.pagedAt):
		return f.notify(g, i, c, Updated, NewFamily, g.level)
	}
	return Decision{Reason: why, Incident: g.id}
}

// updated decides about a change of a finding that belongs to an incident.
func (f *Fold) updated(i *open, c *change) Decision {
	g := i.group
	level := g.level
	silent := func(r Reason) Decision { return Decision{Reason: r, Incident: g.id} }
	switch c.because {
	case LevelRaised:
		if level = i.finding.Level; level <= g.level {
			return silent(AlreadyTold)
		}
	case BreakerOpened:
		first := g.denying == 0 && !(g.wide() && g.denied)
		g.setDenied(i, true)
		if !first {
			return silent(AlreadyTold)
		}
		g.denied = true
	case BreakerClosed:
		g.setDenied(i, false)
		switch {
		case g.denying > 0:
			return silent(OthersStillDenied)
		case g.wide():
			return silent(NoChange) // pages of a tenant do not name breakers
		}
	case TripWithheld:
		if g.withheld {
			return silent(AlreadyTold)
		}
		g.withheld = true
	}
	return f.notify(g, i, c, Updated, c.because, level)
}

// resolved ends a finding, and its incident if no other finding of it is open.
func (f *Fold) resolved(i *open, c *change) Decision {
	g := i.group
	if len(g.members) > 1 {
		f.leave(i)
		return Decision{Reason: OthersStillOpen, Incident: g.id}
	}
	d := f.notify(g, i, c, Resolved, c.because, g.level)
	f.leave(i)
	return d
}

func (f *Fold) notify(g *group, i *open, c *change, kind Kind, because Reason, level schema.Level) Decision {
	p := g.page(i, c, kind, because, level)
	g.level, g.pagedAt = level, f.written
	return Decision{Reason: because, Incident: g.id, Page: &p}
}

// Open returns a page with the current state of each open incident.
func (f *Fold) Open() []Page {
	var out []Page
	seen := map[*group]bool{}
	for _, order := range f.order {
		for e := order.Front(); e != nil; e = e.Next() {
			g := e.Value.(*open).group
			if g == nil || seen[g] {
				continue
			}
			seen[g] = true
			worst := g.worst(1)[0]
			out = append(out, g.page(worst, &change{cause: string(StillOpen), at: worst.finding.UpdatedAt}, Updated, StillOpen, g.level))
		}
	}
	return out
}
