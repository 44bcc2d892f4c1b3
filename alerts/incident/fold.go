package incident

import (
	"container/list"
	"time"

	"flyball/schema"
)

// Fold holds the open incidents of one partition of flyball.events. The same
// records in the same order make the same pages. It is used by one goroutine.
type Fold struct {
	// Link makes the address at which a question can be decided until a time (Unix
	// ns); nil, or an empty address, leaves it out.
	Link    func(gate string, until int64) string
	wants   func(*schema.Finding) bool
	open    map[string]*list.Element // by finding
	order   *list.List               // of *open, the longest unchanged first
	limit   int
	Dropped uint64 // incidents forgotten beyond the limit
}

// open is an incident.
type open struct {
	finding  *schema.Finding
	breaker  *schema.Breaker // the last armed state
	withheld *schema.Breaker
	gate     *schema.Gate // the question that it is; nil: it is about a finding
	link     string
	mode     schema.Mode
	told     schema.Level // of the last page; none: nobody was told
	closed   bool         // the run is over
	over     bool         // resolved; kept to know what was seen of it
}

// MaxOpen is the default bound of open incidents of a partition.
const MaxOpen = 20_000

// NewFold tells of findings that somebody wants to hear of.
func NewFold(wants func(*schema.Finding) bool) *Fold {
	return &Fold{wants: wants, open: map[string]*list.Element{}, order: list.New(), limit: MaxOpen}
}

// TooOld is the age at which a finding was written from which it is history: a
// back-fill calls nobody.
const TooOld = time.Hour

// Apply takes in the event of a record that was written at a time (Unix ns) and
// returns the page that follows from it, if one does.
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

// Open are pages of the incidents somebody was told of, as they stand.
func (f *Fold) Open() []Page {
	var out []Page
	for e := f.order.Front(); e != nil; e = e.Next() {
		if i := e.Value.(*open); i.told > schema.LevelNone {
			out = append(out, i.page(Updated, "still_open", "still_open", i.finding.UpdatedAt))
		}
	}
	return out
}

func (f *Fold) finding(v *schema.Finding, cause string, written int64) (Page, bool) {
	i := f.get(v.ID)
	if i != nil && v.Version <= i.finding.Version {
		return Page{}, false // written again after a restart
	}
	if i == nil {
		if v.State == schema.FindingClosed || written-v.UpdatedAt > int64(TooOld) {
			return Page{}, false
		}
		i = f.put(v)
	}
	if i.over { // a late call opened a closed run's finding again
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
	if v.Exception != "" || v.Level <= i.told || !f.wants(v) {
		return Page{}, false // what is meant calls nobody, until its exception covers it no more
	}
	kind, because := Opened, "finding_opened"
	if i.told > schema.LevelNone {
		kind, because = Updated, "level_raised"
	}
	p := i.page(kind, because, cause, v.UpdatedAt)
	i.told = v.Level
	return p, true
}

func (f *Fold) breaker(b *schema.Breaker, cause string) (Page, bool) {
	i := f.get(b.FindingID)
	if i == nil || i.over {
		return Page{}, false
	}
	was := i.breaker
	if b.Mode != schema.ModeWithheld {
		i.mode = b.Mode // commands of arming come before what the detector's configuration said
	}
	if b.Mode == schema.ModeWithheld {
		if i.withheld != nil && b.Generation <= i.withheld.Generation {
			return Page{}, false
		}
		first := i.withheld == nil
		i.withheld, i.mode = b, schema.ModeWithheld
		return i.tell(first, "trip_withheld", cause, b.Since)
	}
	if b.Mode != schema.ModeArmed || was != nil && b.Generation <= was.Generation {
		return Page{}, false
	}
	i.breaker = b
	holds := b.State != schema.BreakerClosed
	held := was != nil && was.State != schema.BreakerClosed
	switch {
	case holds:
		return i.tell(!held, "breaker_opened", cause, b.Since)
	case i.closed:
		return f.resolve(i, "breaker_closed", cause, b.Since)
	}
	return i.tell(held, "breaker_closed", cause, b.Since)
}

func (i *open) tell(changed bool, because, cause string, at int64) (Page, bool) {
	if !changed || i.told == schema.LevelNone {
		return Page{}, false
	}
	p := i.page(Updated, because, cause, at)
	return p, true
}

// resolve ends an incident whose run is over, unless its breaker still holds.
func (f *Fold) resolve(i *open, because, cause string, at int64) (Page, bool) {
	if i.breaker != nil && i.breaker.State != schema.BreakerClosed {
		return Page{}, false
	}
	p, told := i.page(Resolved, because, cause, at), i.told > schema.LevelNone
	i.over, i.told = true, schema.LevelNone
	return p, told
}

func (f *Fold) get(id string) *open {
	e := f.open[id]
	if e == nil {
		return nil
	}
	f.order.MoveToBack(e)
	return e.Value.(*open)
}

func (f *Fold) put(v *schema.Finding) *open {
	for len(f.open) >= f.limit {
		oldest := f.order.Front()
		delete(f.open, f.order.Remove(oldest).(*open).finding.ID)
		f.Dropped++
	}
	i := &open{finding: v}
	f.open[v.ID] = f.order.PushBack(i)
	return i
}
