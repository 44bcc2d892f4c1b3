package stitch

import "flyball/schema"

// Partition is the state of one partition of flyball.calls: it applies calls to runs in the order of the log. What is stored of it is
// the job of its Store.
type Partition struct {
	Store

	part      int32
	limits    Limits
	actors    map[string]*Actor
	watermark int64
	words     words

	binder    binder
	ender     ender
	queues    queues
	counters  counters
	room      room
	freezer   freezer
	hours     HourCounts
	idle      idleActors
	changed   changedRuns
	checkRows checkRows

	newActorAttachment func() Attachment // to actors
}

// NewPartition returns an empty partition.
func NewPartition(part int32, limits Limits) *Partition {
	p := &Partition{part: part, limits: limits, actors: make(map[string]*Actor)}
	p.Store.p = p
	p.binder = binder{part: p, limits: &p.limits, actors: p.actors, counters: &p.counters, room: &p.room, idle: &p.idle}
	p.ender = ender{limits: &p.limits, watermark: &p.watermark, queues: &p.queues, counters: &p.counters, room: &p.room, freezer: &p.freezer,
		checkRows: &p.checkRows, changed: &p.changed, dirty: &p.dirty}
	p.idle = idleActors{counters: &p.counters, dirty: &p.dirty}
	p.queues = queues{limits: &p.limits, watermark: &p.watermark}
	p.counters = counters{limits: &p.limits}
	p.room = room{limits: &p.limits, queues: &p.queues, counters: &p.counters, dirty: &p.dirty, runs: &p.ender, idle: &p.idle}
	p.freezer = freezer{queues: &p.queues}
	p.hours = HourCounts{part: part, legacyTo: -1, words: &p.words, watermark: &p.watermark}
	return p
}

// SetLegacyTo sets the highest offset of flyball.calls that a process of schema version 4 may have applied; -1: none. Runs
// that are opened up to there have the opened day 0: rows of them are in the tables of that version.
func (p *Partition) SetLegacyTo(offset int64) { p.hours.legacyTo = offset }

// SetRunAttachment sets the function that makes the empty state of a later stage when a run is
// restored.
func (p *Partition) SetRunAttachment(attach func() Attachment) { p.freezer.attach = attach }

// SetActorAttachment sets the function that makes the empty state of a later stage when an actor is
// restored.
func (p *Partition) SetActorAttachment(attach func() Attachment) { p.newActorAttachment = attach }

// SetWatermark restores the watermark, in Unix ns. It closes no runs.
func (p *Partition) SetWatermark(w int64) { p.watermark = w }

// TakeClosed appends to into the runs that were closed since the last call of TakeClosed and have had no
// call since.
func (p *Partition) TakeClosed(into []*Run) []*Run { return p.ender.take(into) }

// OpenRuns returns the number of open runs, the overflow runs included.
func (p *Partition) OpenRuns() int { return p.counters.openRuns }

// ActiveAgents returns how many established or proven actors have runs in memory.
func (p *Partition) ActiveAgents() int {
	return p.counters.activePools[schema.StandingEstablished] + p.counters.activePools[schema.StandingProven]
}

// RefusalsByStanding returns how many runs and actors of a standing were above a limit.
func (p *Partition) RefusalsByStanding(s schema.Standing) uint64 {
	return p.counters.refusalsByStanding[s]
}

// Actors returns the number of actors in memory.
func (p *Partition) Actors() int { return len(p.actors) }

// Apply binds a call, found at an offset of flyball.calls, to its run and sets
// the call's Run fields. It returns nil when the actor's restored state already
// includes the call.
func (p *Partition) Apply(c *schema.Call, offset int64) *Run {
	a := p.binder.actor(c, offset)
	if offset <= a.SavedThrough {
		return nil
	}
	a.dropExpired(p.watermark)
	c.Late = c.Start < p.watermark
	r, rule := p.binder.run(a, c, offset)
	p.freezer.wake(r)
	if r.State == schema.RunClosed && !p.room.reopen(r, a.callerStanding(c), offset) {
		r, rule = p.binder.refuse(a, c, r.bind, offset), schema.RunOverflow
		if p.freezer.wake(r); r.State == schema.RunClosed {
			p.room.reopen(r, r.standing, offset)
		}
	}
	of, what := p.checkRows.relate(a, r, c)
	switch what {
	case furtherRow:
		c.SetAttr(AttrObservationOf, of)
		c.Duplicate = true
		r.identify(c)
	case lateRow:
		c.SetAttr(AttrObservationOf, of)
		c.LoggedLate = true
		r.extend(c)
		r.addOutcome(c)
		r.addResources(c)
		r.identify(c)
	default:
		r.add(c)
	}
	if rule != schema.RunOverflow && r.Rule == schema.RunOverflow {
		rule = schema.RunOverflow
	}
	a.countAccepted(c)
	if s := a.callerStanding(c); s > r.standing || s > a.standing {
		p.room.raiseStanding(r, s)
		p.counters.promote(a, s)
	}
	a.noteTrace(c, r)
	r.inherit(c)
	c.RunID, c.RunRule, c.RunConfidence, c.Segment = r.RunID, rule, confidence[rule], r.Segment
	c.ActorHash = a.hash
	c.CallsPart, c.CallsOffset = p.part, offset
	p.hours.count(r, c, offset)
	if what == ofCheck {
		p.checkRows.keep(r, c)
	}

	p.changed.mark(r)
	r.markUnstored()
	a.Included = offset
	p.dirty.mark(a, offset)
	p.queues.schedule(r)
	return r
}

// Advance moves the watermark, at an offset of flyball.calls, and closes or evicts the runs that
// are due at the new watermark. The watermark never moves back.
func (p *Partition) Advance(watermark, offset int64) {
	if watermark <= p.watermark {
		return
	}
	p.watermark = watermark
	for s := p.queues.firstDue(); s != nil; s = p.queues.firstDue() {
		switch {
		case p.queues.updateDue(s):
		case !s.pool.closed():
			p.ender.close(s.live(), offset)
		default:
			a := s.actor
			p.ender.evict(s)
			p.dirty.markApplied(a, offset)
			p.idle.add(a)
		}
	}
}

// Changed returns how many runs' snapshots are due.
func (p *Partition) Changed() int { return len(p.changed) }

// TakeChanged appends to into the runs that have changed since the last call of TakeChanged: their
// snapshots are due.
func (p *Partition) TakeChanged(into []*Run) []*Run {
	for _, r := range p.changed {
		r.changed = false
		into = append(into, r)
	}
	clear(p.changed)
	p.changed = p.changed[:0]
	return into
}
