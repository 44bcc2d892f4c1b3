package stitch

import (
	"github.com/cespare/xxhash/v2"

	"flyball/schema"
)

// Partition is the state of one partition of flyball.calls.
type Partition struct {
	part        int32
	limits      Limits
	actors      map[string]*Actor
	watermark   int64
	words       words
	storedBytes int64

	queues  queues
	census  census
	room    room
	freezer freezer
	hours   HourCounts

	newActorAttachment func() Attachment // to actors
	deltas             deltaWriter
	changed            changedRuns
	closed             []*Run
	dirty              dirtyActors
	checkRows          checkRows
}

// NewPartition returns an empty partition.
func NewPartition(part int32, limits Limits) *Partition {
	p := &Partition{part: part, limits: limits, actors: make(map[string]*Actor)}
	p.queues = queues{limits: &p.limits, watermark: &p.watermark}
	p.census = census{limits: &p.limits}
	p.room = room{limits: &p.limits, queues: &p.queues, census: &p.census, dirty: &p.dirty, runs: p}
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

// TakeClosed appends to into the runs that were closed since the last call of TakeClosed and have had no
// call since.
func (p *Partition) TakeClosed(into []*Run) []*Run {
	for _, r := range p.closed {
		if r.State == schema.RunClosed {
			into = append(into, r)
		}
	}
	clear(p.closed)
	p.closed = p.closed[:0]
	return into
}

// OpenRuns returns the number of open runs, the overflow runs included.
func (p *Partition) OpenRuns() int { return p.census.openRuns }

// Actors returns the number of actors in memory.
func (p *Partition) Actors() int { return len(p.actors) }

// Apply binds a call, found at an offset of flyball.calls, to its run and sets
// the call's Run fields. It returns nil when the actor's restored state already
// includes the call.
func (p *Partition) Apply(c *schema.Call, offset int64) *Run {
	a := p.actor(c)
	if offset <= a.SavedThrough {
		return nil
	}
	c.Late = c.Start < p.watermark
	r, rule := p.bindCall(a, c, offset)
	p.freezer.wake(r)
	if r.State == schema.RunClosed && !p.room.reopen(r, a.callerStanding(c), offset) {
		r, rule = p.refuse(a, c, r.bind, offset), schema.RunOverflow
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
		p.census.promote(a, s)
	}
	a.noteTrace(c, r)
	r.inherit(c)
	c.RunID, c.RunRule, c.RunConfidence, c.Segment = r.RunID, rule, confidence[rule], r.Segment
	c.ActorHash = a.hash
	c.CallsPart, c.CallsOffset = p.part, offset
	p.hours.count(r, c, offset)
	if what == askedOf {
		p.checkRows.keep(r, c)
	}

	p.changed.mark(r)
	r.markUnstored()
	a.Included = offset
	p.dirty.mark(a, offset)
	p.queues.schedule(r)
	return r
}

// actor finds or makes the actor of a call. If a limit is reached, the call gets a shared actor:
// see sharedKey.
func (p *Partition) actor(c *schema.Call) *Actor {
	if a := p.actors[c.RoutingKey]; a != nil {
		return a
	}
	s := c.Standing()
	if p.census.actorPools.room(s, p.limits.Actors, p.limits.claimedActors()) {
		return p.newActor(c.RoutingKey, s)
	}
	key := p.census.sharedKey(c, s, func(key string) bool { return p.actors[key] != nil })
	a := p.actors[key]
	if a == nil {
		p.census.countRefusal(s)
		return p.newActor(key, s)
	}
	if proven := a.callerStanding(c); proven == schema.StandingProven && p.census.actorPools.room(proven, p.limits.Actors, 0) {
		own := p.newActor(c.RoutingKey, proven) // keeps the proof that was counted in the shared actor
		own.proofs = []proof{*a.findProof(xxhash.Sum64String(c.CredentialID))}
		return own
	}
	p.census.countRefusal(s)
	return a
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
			p.close(s.live(), offset)
		default:
			a := s.actor
			p.evict(s)
			p.dirty.markApplied(a, offset)
		}
	}
}

// close closes an open run, at an offset of flyball.calls. A run that is closed before silence would have closed it is evicted when
// it would have been.
func (p *Partition) close(r *Run, offset int64) {
	p.queues.dequeue(r.slot)
	r.closedAt = max(p.watermark, r.nextDue(&p.limits))
	r.State = schema.RunClosed
	r.actor.open--
	p.census.countRun(r, -1)
	p.freezer.wake(r)
	r.markUnstored()
	r.sightings, r.oldestSighting = nil, 0
	p.checkRows.countAll(r)
	if r.Calls > 0 {
		p.changed.mark(r) // a bound trace without any span is not a run
	}
	p.closed = append(p.closed, r)
	p.queues.enqueue(r)
	p.dirty.markApplied(r.actor, offset)
	p.room.limitClosed(r.standing, offset)
}

func (r *Run) nextDue(l *Limits) int64 {
	if r.State == schema.RunOpen {
		return r.lastEnd + int64(r.gap(l))
	}
	return r.closedAt + int64(l.EvictAfter)
}

func (p *Partition) evict(s *slot) {
	if !s.pool.closed() && s.inPartition >= 0 {
		s.actor.open--
		p.census.countRun(s.live(), -1)
	}
	p.queues.dequeue(s)
	s.actor.removeRun(s)
	s.evicted = true
	if s.stored {
		s.actor.evictedRuns = append(s.actor.evictedRuns, s.id)
	}
	if r := s.run; r != nil {
		r.frozen = ""
		p.checkRows.countAll(r)
	}
	if s.actor.total == 0 {
		p.census.countActive(s.actor, -1)
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

// Dirty returns the actors that changed since their entries were written, the earliest first.
func (p *Partition) Dirty() []*Actor { return p.dirty }

// Saved removes the first n dirty actors from the list: their entries are written.
func (p *Partition) Saved(n int) {
	for _, a := range p.dirty[:n] {
		a.DirtyFrom = -1
	}
	p.dirty = append(p.dirty[:0], p.dirty[n:]...)
}

// StoredBytes returns how many bytes the chains of the actors in memory have together: what a
// restart reads, without the deltas that are void.
func (p *Partition) StoredBytes() int64 { return p.storedBytes }

// Forget removes an actor that has no runs. done reports that it was removed, later that Forget
// must be called again later: a proven actor is kept for a day after its last accepted call, so
// that a flood of other actors does not take its place.
func (p *Partition) Forget(key string) (done, later bool) {
	a := p.actors[key]
	if a == nil || !a.Empty() || a.DirtyFrom >= 0 {
		return false, false
	}
	if a.rememberedIdle(p.watermark) {
		a.Attached = nil // only the proofs are kept
		return false, true
	}
	delete(p.actors, key)
	a.noteStored(0)
	p.census.countActor(a, -1)
	return true, false
}
