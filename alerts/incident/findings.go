package incident

import (
	"cmp"
	"container/list"
	"time"

	"flyball/schema"
)

// findings are the open findings and gates, and what each event changes about them. Their number is bounded.
type findings struct {
	open      map[string]*list.Element // by id of the finding or gate
	order     [classes]*list.List      // of *open, the one unchanged for the longest time first; claimed names displace only claimed names
	limit     int                      // of each class; 0: maxOpen
	dropped   uint64                   // findings removed because of the limit
	displaced func(*open)              // is called for each of them
}

func newFindings() findings {
	s := findings{open: map[string]*list.Element{}}
	for c := range s.order {
		s.order[c] = list.New()
	}
	return s
}

// open is an open finding or gate, or a resolved one that is kept to recognise repeated events.
type open struct {
	finding   *schema.Finding
	breaker   *schema.Breaker // the last armed state
	withheld  *schema.Breaker
	gate      *schema.Gate // the gate of the incident; nil if it is about a finding
	link      string
	mode      schema.Mode
	pageLevel schema.Level // highest level about which a page was possible; LevelNone if there was none
	closed    bool         // the run has ended
	resolved  bool         // kept to recognise repeated events
	class     class        // of the list that holds it
	group     *group       // the incident that it belongs to; nil until a page was possible
	joined    joinedAs
	denying   bool // counted by its group as denying calls
}

// joinedAs is what a finding was when it joined its incident.
type joinedAs struct {
	run   schema.RunID
	agent string
}

func (i *open) denies() bool { return i.breaker != nil && i.breaker.State != schema.BreakerClosed }

// maxOpen bounds the findings of a class.
var maxOpen = [classes]int{established: 100_000, claimed: 20_000, questions: 10_000, claimedQuestions: 5_000}

// maxAge is the maximum age of a finding when it was written. An older finding comes from a back-fill and makes no page.
const maxAge = time.Hour

// finding applies the state of a finding.
func (s *findings) finding(v *schema.Finding, cause string, written int64) (*open, *change, Reason) {
	i := s.get(v.ID)
	if i != nil && v.Version <= i.finding.Version {
		return i, nil, AlreadyApplied // written again after a restart
	}
	if i == nil {
		if v.State == schema.FindingClosed || written-v.UpdatedAt > int64(maxAge) {
			return nil, nil, FindingIsOver
		}
		i = s.put(v, classOf(v))
	}
	if i.resolved { // a late call has reopened the finding of a closed run
		*i = open{breaker: i.breaker, withheld: i.withheld, class: i.class}
	}
	i.finding = v
	if v.Decision != nil {
		i.mode = v.Decision.Mode
	}
	i.closed = v.State == schema.FindingClosed
	switch {
	case i.closed:
		return s.resolve(i, RunClosed, cause, v.UpdatedAt)
	case v.Exception != "":
		return i, nil, UnderException
	case v.Level < schema.LevelAlert:
		return i, nil, BelowAlert
	case v.Level <= i.pageLevel:
		return i, nil, LevelNotRaised
	case v.Family == schema.FamilyScope && (v.Decision == nil || v.Decision.Mode != schema.ModeArmed):
		return i, nil, NotEnforced
	}
	c := &change{Opened, FindingOpened, cause, v.UpdatedAt}
	if i.pageLevel > schema.LevelNone {
		c.kind, c.because = Updated, LevelRaised
	}
	i.pageLevel = v.Level
	return i, c, ""
}

// breaker applies the state of a breaker that was opened because of a finding.
func (s *findings) breaker(b *schema.Breaker, cause string) (*open, *change, Reason) {
	i := s.get(b.FindingID)
	if i == nil || i.resolved {
		return nil, nil, FindingIsOver
	}
	was := i.breaker
	if b.Mode != schema.ModeWithheld {
		i.mode = b.Mode // an arming command overrides the configuration of the detector
	}
	if b.Mode == schema.ModeWithheld {
		if i.withheld != nil && b.Generation <= i.withheld.Generation {
			return i, nil, AlreadyApplied
		}
		first := i.withheld == nil
		i.withheld, i.mode = b, schema.ModeWithheld
		return i.update(first, TripWithheld, cause, b.Since)
	}
	if b.Mode != schema.ModeArmed {
		return i, nil, NotAnAlert
	}
	if was != nil && b.Generation <= was.Generation {
		return i, nil, AlreadyApplied
	}
	denied := i.denies()
	i.breaker = b
	switch {
	case i.denies():
		return i.update(!denied, BreakerOpened, cause, b.Since)
	case i.closed:
		return s.resolve(i, BreakerClosed, cause, b.Since)
	}
	return i.update(denied, BreakerClosed, cause, b.Since)
}

// update returns a change, if there was a page about the finding before.
func (i *open) update(changed bool, because Reason, cause string, at int64) (*open, *change, Reason) {
	switch {
	case !changed:
		return i, nil, NoChange
	case i.pageLevel == schema.LevelNone:
		return i, nil, NothingWasSent
	}
	return i, &change{Updated, because, cause, at}, ""
}

// resolve ends a finding whose run has ended, unless its breaker still denies calls.
func (s *findings) resolve(i *open, because Reason, cause string, at int64) (*open, *change, Reason) {
	if i.denies() {
		return i, nil, StillDenied
	}
	i.resolved, i.pageLevel = true, schema.LevelNone
	if i.group == nil {
		return i, nil, NothingWasSent
	}
	return i, &change{Resolved, because, cause, at}, ""
}

// get returns a finding and marks it as the last changed one. It returns nil if there is none.
func (s *findings) get(id string) *open {
	e := s.open[id]
	if e == nil {
		return nil
	}
	i := e.Value.(*open)
	s.order[i.class].MoveToBack(e)
	return i
}

// put adds a finding. If there are too many of its class, it removes the one that has been unchanged for the longest time.
func (s *findings) put(v *schema.Finding, c class) *open {
	i := &open{finding: v, class: c}
	order := s.order[i.class]
	for order.Len() >= cmp.Or(s.limit, maxOpen[c]) {
		oldest := order.Remove(order.Front()).(*open)
		delete(s.open, oldest.finding.ID)
		s.displaced(oldest)
		s.dropped++
	}
	s.open[v.ID] = order.PushBack(i)
	return i
}
