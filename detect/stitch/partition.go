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
	due         [numPools]slotHeap
	openRuns    int   // all, the overflow runs included
	openPools   pools // open runs, without the overflow runs
	actorPools  pools // actors of one caller each
	activePools pools // those of actorPools that have runs
	sharedCount int   // overflow actors
	watermark   int64
	legacyTo    int64 // see SetLegacyTo
	words       words
	storedBytes int64

	newRunAttachment   func() Attachment // to runs
	newActorAttachment func() Attachment // to actors
	deltas             deltaWriter
	packer             packer
	round              uint32 // how often Freeze was called
	cooling            []coolingRun
	changed            []*Run
	closed             []*Run
	dirty              []*Actor
	checkRows          checkRows
	hours              hours
	refusals           uint64
	closedEarly        uint64
	refusalsByStanding [schema.StandingEstablished + 1]uint64
}

// NewPartition returns an empty partition.
func NewPartition(part int32, limits Limits) *Partition {
	return &Partition{part: part, limits: limits, actors: make(map[string]*Actor), legacyTo: -1}
}

// SetLegacyTo sets the highest offset of flyball.calls that a process of schema version 4 may have applied; -1: none. Runs
// that are opened up to there have the opened day 0: rows of them are in the tables of that version.
func (p *Partition) SetLegacyTo(offset int64) { p.legacyTo = offset }

// SetRunAttachment sets the function that makes the empty state of a later stage when a run is
// restored.
func (p *Partition) SetRunAttachment(attach func() Attachment) { p.newRunAttachment = attach }

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
func (p *Partition) OpenRuns() int { return p.openRuns }

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
	p.wake(r)
	if r.State == schema.RunClosed && !p.reopen(r, a.callerStanding(c), offset) {
		r, rule = p.refuse(a, c, r.bind, offset), schema.RunOverflow
		if p.wake(r); r.State == schema.RunClosed {
			p.reopen(r, r.standing, offset)
		}
	}
	of, what := p.relate(a, r, c)
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
		p.raiseStanding(r, s)
		p.promote(a, s)
	}
	a.noteTrace(c, r)
	r.inherit(c)
	c.RunID, c.RunRule, c.RunConfidence, c.Segment = r.RunID, rule, confidence[rule], r.Segment
	c.ActorHash = a.hash
	c.CallsPart, c.CallsOffset = p.part, offset
	p.count(r, c, offset)
	if what == askedOf {
		p.checkRows.keep(r, c)
	}

	p.markChanged(r)
	r.markUnstored()
	a.Included = offset
	p.markDirty(a, offset)
	p.schedule(r)
	return r
}

// actor finds or makes the actor of a call. If a limit is reached, the call gets a shared actor:
// see sharedKey.
func (p *Partition) actor(c *schema.Call) *Actor {
	if a := p.actors[c.RoutingKey]; a != nil {
		return a
	}
	s := c.Standing()
	if p.actorPools.room(s, p.limits.Actors, p.limits.claimedActors()) {
		return p.newActor(c.RoutingKey, s)
	}
	key := p.sharedKey(c, s)
	a := p.actors[key]
	if a == nil {
		p.countRefusal(s)
		return p.newActor(key, s)
	}
	if proven := a.callerStanding(c); proven == schema.StandingProven && p.actorPools.room(proven, p.limits.Actors, 0) {
		own := p.newActor(c.RoutingKey, proven) // keeps the proof that was counted in the shared actor
		own.proofs = []proof{*a.findProof(xxhash.Sum64String(c.CredentialID))}
		return own
	}
	p.countRefusal(s)
	return a
}

func (p *Partition) countRefusal(s schema.Standing) {
	p.refusals++
	p.refusalsByStanding[s]++
}

func (p *Partition) markDirty(a *Actor, offset int64) {
	if a.DirtyFrom < 0 {
		a.DirtyFrom = offset
		p.dirty = append(p.dirty, a)
	}
}

func (p *Partition) markChanged(r *Run) {
	if !r.changed {
		r.changed = true
		p.changed = append(p.changed, r)
	}
}

// Advance moves the watermark, at an offset of flyball.calls, and closes or evicts the runs that
// are due at the new watermark. The watermark never moves back.
func (p *Partition) Advance(watermark, offset int64) {
	if watermark <= p.watermark {
		return
	}
	p.watermark = watermark
	for s := p.firstDue(); s != nil; s = p.firstDue() {
		switch {
		case p.updateDue(s):
		case !s.pool.closed():
			p.close(s.live(), offset)
		default:
			a := s.actor
			p.evict(s)
			p.markApplied(a, offset)
		}
	}
}

// close closes an open run, at an offset of flyball.calls. A run that is closed before silence would have closed it is evicted when
// it would have been.
func (p *Partition) close(r *Run, offset int64) {
	p.dequeue(r.slot)
	r.closedAt = max(p.watermark, r.nextDue(&p.limits))
	r.State = schema.RunClosed
	r.actor.open--
	p.countRun(r, -1)
	p.wake(r)
	r.markUnstored()
	r.sightings, r.oldestSighting = nil, 0
	p.checkRows.countAll(r)
	if r.Calls > 0 {
		p.markChanged(r) // a bound trace without any span is not a run
	}
	p.closed = append(p.closed, r)
	p.enqueue(r)
	p.markApplied(r.actor, offset)
	p.limitClosed(r.standing, offset)
}

// limitClosed evicts a closed run of a standing if there are more than its share: the one whose time ends first among those that
// are not noticed; only if there is none, among the noticed ones.
func (p *Partition) limitClosed(s schema.Standing, offset int64) {
	plain, noticed := &p.due[closedPool+pool(s)], &p.due[closedNoticedPool+pool(s)]
	if plain.Len()+noticed.Len() <= p.limits.closedRuns(s) {
		return
	}
	out := plain.first()
	if out == nil {
		out = noticed.first()
	}
	a := out.actor
	p.evict(out)
	p.markApplied(a, offset)
}

func (p *Partition) markApplied(a *Actor, offset int64) {
	if offset > a.Included {
		a.Included = offset
	}
	p.markDirty(a, offset)
}

func (r *Run) nextDue(l *Limits) int64 {
	if r.State == schema.RunOpen {
		return r.lastEnd + int64(r.gap(l))
	}
	return r.closedAt + int64(l.EvictAfter)
}

// schedule adds an open run to the heaps if it is in none.
func (p *Partition) schedule(r *Run) {
	if r.inPartition < 0 {
		p.enqueue(r)
	}
}

func (p *Partition) evict(s *slot) {
	if !s.pool.closed() && s.inPartition >= 0 {
		s.actor.open--
		p.countRun(s.live(), -1)
	}
	p.dequeue(s)
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
		p.activePools[s.actor.standing]--
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

// noteStored records that an actor's chain has so many bytes.
func (p *Partition) noteStored(a *Actor, bytes int) {
	p.storedBytes += int64(bytes - a.storedBytes)
	a.storedBytes = bytes
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
	p.noteStored(a, 0)
	p.countActor(a, -1)
	return true, false
}
