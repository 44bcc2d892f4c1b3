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
		i, c, reason = f.findings.finding(e.Finding, e.ID, written)
	case e.Gate != nil:
		i, c, reason = f.findings.gate(e.Gate, e.ID, written)
	case e.Breaker != nil && e.Breaker.FindingID != "":
		i, c, reason = f.findings.breaker(e.Breaker, e.ID)
	case e.Ack != nil:
		return f.acknowledge(e.Ack, e.ID)
	case e.Silence != nil:
		d := Decision{Subject: e.Silence.ID}
		if d.Reason = f.silences.apply(e.Silence, f.now); d.Reason == SilenceEnded {
			d.Released = f.release()
		}
		return d
	}
	if c != nil && c.because == GateAsked && f.Link != nil {
		i.link = f.Link(i.gate.ID, i.gate.Expires)
	}
	if c == nil {
		d := Decision{Reason: reason, Subject: subjectOf(e)}
		if i != nil && i.group != nil {
			d.Incident = i.group.id
		}
		return d
	}
	return f.decide(i, c)
}

// subjectOf returns the finding or gate that an event is about.
func subjectOf(e *schema.Event) string {
	switch {
	case e.Finding != nil:
		return e.Finding.ID
	case e.Gate != nil:
		return e.Gate.ID
	case e.Breaker != nil:
		return e.Breaker.FindingID
	}
	return ""
}

// Apply is Decide for callers that need the page alone.
func (f *Fold) Apply(e *schema.Event, written int64) (Page, bool) {
	if d := f.Decide(e, written); d.Page != nil {
		return *d.Page, true
	}
	return Page{}, false
}

// Pages is Advance and Decide for callers that need the pages alone, in their order. now is the broker's time of the record.
func (f *Fold) Pages(now int64, e *schema.Event, written int64) (out []Page) {
	due := f.Advance(now)
	d := f.Decide(e, written)
	for _, x := range append(append(due, d), d.Released...) {
		if x.Page != nil {
			out = append(out, *x.Page)
		}
	}
	return out
}

// decide finds the incident that a change belongs to, and whether the receiver has to know.
func (f *Fold) decide(i *open, c *change) Decision {
	newFamily, why := false, JoinedAgent
	switch {
	case c.kind == Resolved:
		if g := i.group; len(g.members) > 1 {
			f.leave(i)
			f.watch(g)
			return Decision{Reason: OthersStillOpen, Subject: i.finding.ID, Incident: g.id}
		}
	case i.group == nil:
		newFamily, why = f.join(i, c)
	case c.kind == Updated && f.nowEstablished(i):
		f.leave(i) // an established agent is not left among claimed names
		c.kind = Opened
		newFamily, why = f.join(i, c)
	}
	g := i.group
	switch c.because {
	case BreakerOpened:
		g.setDenied(i, true)
	case BreakerClosed:
		g.setDenied(i, false)
	}
	routes, routed := f.routed(i.finding)
	silence := f.silences.of(i.finding, f.Registry)
	v := judge(&situation{
		change: c, why: why, newFamily: newFamily,
		first: g.because, level: i.finding.Level, wide: g.wide(), denying: g.denying, size: g.size(), pages: g.pages,
		quiet:  !near(f.written, g.pages.lastAt, f.bounds().Window),
		routed: routed, silenced: silence != nil, acked: g.ack != nil,
	})
	if v.Held && (silence != nil && routed || len(routes.Receivers) == 0 && routes.Timed) {
		g.silenced = g.silenced || silence != nil && routed
		f.holdBack(g)
	}
	if silence == nil && len(routes.Receivers) > 0 {
		g.anyNotified = true
	}
	d := f.notify(g, i, c, v, routes)
	if silence != nil {
		d.Silence = silence.ID
	}
	if c.kind == Resolved {
		f.leave(i)
	}
	return d
}

// join places a finding, and reports whether its family is new to its incident, and why it belongs there.
func (f *Fold) join(i *open, c *change) (newFamily bool, why Reason) {
	g, why := f.incidents.place(i, c.cause, f.written, f.bounds())
	return g.join(i, f.written), why
}

// nowEstablished reports whether the caller of a finding was established after the finding had joined others of claimed names.
func (f *Fold) nowEstablished(i *open) bool {
	return i.gate == nil && i.group.scope.class == claimed && classOf(i.finding) == established && len(i.group.members) > 1
}

// notify makes the page of a decision, if there is one.
func (f *Fold) notify(g *group, i *open, c *change, v verdict, r Routes) Decision {
	d := Decision{Reason: v.Reason, Subject: i.finding.ID, Incident: g.id, Routes: r.By}
	if !v.Page {
		if c.because == BreakerClosed && g.denying == 0 {
			g.pages.denied = false
		}
		f.watch(g)
		return d
	}
	level := max(g.pages.level, i.finding.Level)
	if v.Kind == Resolved || v.Kind == Acknowledged {
		level = g.pages.level
	}
	if v.Worse {
		g.ack = nil
	}
	p := g.page(i, c, v.Kind, v.Reason, level)
	if v.Worse {
		p.Worse = string(v.Reason)
	}
	if f.AckLink != nil && g.ack == nil && v.Kind != Resolved && i.gate == nil {
		p.AckLink = f.AckLink(g.scope.tenant, g.id, p.ID, f.now+int64(schema.AckLinkLife))
	}
	sent := &g.pages
	sent.any, sent.level, sent.lastAt = true, level, f.written
	switch {
	case c.because == BreakerOpened || i.denies():
		sent.denied, sent.saidDenied = true, true
	case c.because == BreakerClosed:
		sent.denied = false
	}
	sent.withheld = sent.withheld || c.because == TripWithheld
	for sent.growth <= g.size() {
		sent.growth = max(sent.growth, 1) * growthFactor
	}
	if v.Kind != Resolved {
		g.silenced = false
		delete(f.held, g)
		f.remindLater(g)
	}
	d.Page = &p
	return d
}

// Open returns a page with the current state of each open incident of which the receiver was notified.
func (f *Fold) Open() []Page {
	var out []Page
	seen := map[*group]bool{}
	for _, order := range f.findings.order {
		for e := order.Front(); e != nil; e = e.Next() {
			g := e.Value.(*open).group
			if g == nil || seen[g] || !g.pages.any {
				continue
			}
			seen[g] = true
			worst := g.worst(1)[0]
			out = append(out, g.page(worst, &change{cause: string(StillOpen), at: worst.finding.UpdatedAt}, Updated, StillOpen, g.pages.level))
		}
	}
	return out
}
