package incident

import (
	"container/list"
	"time"

	"flyball/schema"
)

// Fold holds the open incidents of one partition of flyball.events. The same records in the same order give the same pages. It is not
// safe for concurrent use.
type Fold struct {
	// Link returns the address at which a gate can be decided until a time (Unix ns). If it is nil or returns an empty address, pages have
	// no link.
	Link func(gate string, until int64) string

	wants   func(*schema.Finding) bool
	open    map[string]*list.Element // by id of the finding or gate
	order   *list.List               // of *open, the one unchanged for the longest time first
	limit   int
	dropped uint64 // incidents removed because of the limit
}

// open is an open incident, or a resolved one that is kept to recognise repeated events.
type open struct {
	finding  *schema.Finding
	breaker  *schema.Breaker // the last armed state
	withheld *schema.Breaker
	gate     *schema.Gate // the gate of the incident; nil if it is about a finding
	link     string
	mode     schema.Mode
	paged    schema.Level // level of the last page; LevelNone if there was no page
	closed   bool         // the run has ended
	resolved bool         // kept to recognise repeated events
}

// maxOpen bounds the open incidents of a partition.
const maxOpen = 20_000

// NewFold returns a Fold that makes pages of the findings for which wants returns true.
func NewFold(wants func(*schema.Finding) bool) *Fold {
	return &Fold{wants: wants, open: map[string]*list.Element{}, order: list.New(), limit: maxOpen}
}

// maxAge is the maximum age of a finding when it was written. An older finding comes from a back-fill and makes no page.
const maxAge = time.Hour

// Apply applies the event of a record that was written at a time (Unix ns). It returns the resulting page, if there is one.
func (f *Fold) Apply(e *schema.Event, written int64) (Page, bool) {
	switch {
	case e.Finding != nil:
		return f.finding(e.Finding, e.ID, written)
	case e.Gate != nil:
		return f.gate(e.Gate, e.ID, written)
	case e.Breaker != nil && e.Breaker.FindingID != "":
		return f.breaker(e.Breaker, e.ID)
	}
	return Page{}, false
}

// Open returns a page with the current state of each open incident about which there was a page.
func (f *Fold) Open() []Page {
	var out []Page
	for e := f.order.Front(); e != nil; e = e.Next() {
		if i := e.Value.(*open); i.paged > schema.LevelNone {
			out = append(out, i.page(Updated, "still_open", "still_open", i.finding.UpdatedAt))
		}
	}
	return out
}

// finding applies the state of a finding.
func (f *Fold) finding(v *schema.Finding, cause string, written int64) (Page, bool) {
	i := f.get(v.ID)
	if i != nil && v.Version <= i.finding.Version {
		return Page{}, false // written again after a restart
	}
	if i == nil {
		if v.State == schema.FindingClosed || written-v.UpdatedAt > int64(maxAge) {
			return Page{}, false
		}
		i = f.put(v)
	}
	if i.resolved { // a late call has reopened the finding of a closed run
		*i = open{breaker: i.breaker, withheld: i.withheld}
	}
	i.finding = v
	if v.Decision != nil {
		i.mode = v.Decision.Mode
	}
	i.closed = v.State == schema.FindingClosed
	if i.closed {
		return f.resolve(i, "run_closed", cause, v.UpdatedAt)
	}
	if v.Exception != "" || v.Level <= i.paged || !f.wants(v) {
		return Page{}, false // a finding covered by an exception makes no page
	}
	kind, because := Opened, "finding_opened"
	if i.paged > schema.LevelNone {
		kind, because = Updated, "level_raised"
	}
	p := i.page(kind, because, cause, v.UpdatedAt)
	i.paged = v.Level
	return p, true
}

// breaker applies the state of a breaker that was opened because of a finding.
func (f *Fold) breaker(b *schema.Breaker, cause string) (Page, bool) {
	i := f.get(b.FindingID)
	if i == nil || i.resolved {
		return Page{}, false
	}
	was := i.breaker
	if b.Mode != schema.ModeWithheld {
		i.mode = b.Mode // an arming command overrides the configuration of the detector
	}
	if b.Mode == schema.ModeWithheld {
		if i.withheld != nil && b.Generation <= i.withheld.Generation {
			return Page{}, false
		}
		first := i.withheld == nil
		i.withheld, i.mode = b, schema.ModeWithheld
		return i.updatePage(first, "trip_withheld", cause, b.Since)
	}
	if b.Mode != schema.ModeArmed || was != nil && b.Generation <= was.Generation {
		return Page{}, false
	}
	i.breaker = b
	denies := b.State != schema.BreakerClosed
	denied := was != nil && was.State != schema.BreakerClosed
	switch {
	case denies:
		return i.updatePage(!denied, "breaker_opened", cause, b.Since)
	case i.closed:
		return f.resolve(i, "breaker_closed", cause, b.Since)
	}
	return i.updatePage(denied, "breaker_closed", cause, b.Since)
}

// updatePage returns a page about a change, if there was a page about the incident before.
func (i *open) updatePage(changed bool, because, cause string, at int64) (Page, bool) {
	if !changed || i.paged == schema.LevelNone {
		return Page{}, false
	}
	return i.page(Updated, because, cause, at), true
}

// resolve ends an incident whose run has ended, unless its breaker still denies calls.
func (f *Fold) resolve(i *open, because, cause string, at int64) (Page, bool) {
	if i.breaker != nil && i.breaker.State != schema.BreakerClosed {
		return Page{}, false
	}
	p, paged := i.page(Resolved, because, cause, at), i.paged > schema.LevelNone
	i.resolved, i.paged = true, schema.LevelNone
	return p, paged
}

// get returns an incident and marks it as the last changed one. It returns nil if there is none.
func (f *Fold) get(id string) *open {
	e := f.open[id]
	if e == nil {
		return nil
	}
	f.order.MoveToBack(e)
	return e.Value.(*open)
}

// put adds an incident. If there are too many, it removes the one that has been unchanged for the longest time.
func (f *Fold) put(v *schema.Finding) *open {
	for len(f.open) >= f.limit {
		oldest := f.order.Front()
		delete(f.open, f.order.Remove(oldest).(*open).finding.ID)
		f.dropped++
	}
	i := &open{finding: v}
	f.open[v.ID] = f.order.PushBack(i)
	return i
}
