package query

import "time"

// Subject is the subject of a touched set.
type Subject struct {
	Kind  string `json:"kind"` // run, agent, credential, principal, resource
	Value string `json:"value"`
}

// Touched is the touched set of a subject.
type Touched struct {
	Subject Subject `json:"subject"`
	Run     *Run    `json:"run,omitempty"`
	// FromHold is the hold by whose copies the run is read, because rows of it have expired.
	FromHold *HeldRun `json:"from_hold,omitempty"`
	// Since and Until are the time window that was asked for. An end that was not asked for is the
	// time of the first or last call, and null without calls: then everything that is stored was
	// read.
	Since Time `json:"since"`
	Until Time `json:"until"`
	// StoredSince is the time of the oldest stored call of any subject; null: no call is stored.
	StoredSince Time `json:"stored_since"`
	// AsOf is the time up to which all records in Kafka were read and stored before the report was
	// read; null: there were unread records, or that is not known.
	AsOf     Time    `json:"as_of"`
	Calls    uint64  `json:"calls"`
	Complete bool    `json:"complete"`
	Caveats  Caveats `json:"caveats"`
	// Near contains stored subjects that may have been meant. It is set only if the subject itself
	// is not stored.
	Near      []Near            `json:"near,omitempty"`
	Unread    []Unread          `json:"unread,omitempty"`
	Resources []TouchedResource `json:"resources"`
	// Next is the cursor of the resources after these; empty: there are no more. Everything else is about all resources.
	Next   string `json:"next,omitempty"`
	Totals Totals `json:"totals"`
	// Runs describes the runs of the rows, at most maxDescribedRuns of them.
	Runs []TouchingRun `json:"runs"`
	// Coverage counts the logged calls by gateway, and how many of them were sent to the check.
	Coverage []GatewayCoverage `json:"coverage"`
	// OtherCallers made calls in the run's traces under a different identity. Resources and
	// totals do not include these calls.
	OtherCallers []OtherCaller `json:"other_callers,omitempty"`
	// DeniedOnly are, for a resource, the newest runs whose attempts on it were all denied by the check. They touched
	// nothing: Resources and totals do not include their attempts.
	DeniedOnly []DeniedRun `json:"denied_only,omitempty"`
	// Undo lists the calls that changed something, and what undoes each. It is read by ReadUndo. UndoMore: there are more.
	Undo     []Undo `json:"undo,omitempty"`
	UndoMore bool   `json:"undo_more,omitempty"`
}

// Totals count calls by effect and by reversibility.
type Totals struct {
	ByEffect        map[string]uint64 `json:"by_effect"`
	ByReversibility map[string]uint64 `json:"by_reversibility"`
}

// Window limits the touched set of an agent, a credential, a principal or a resource.
type Window struct{ Since, Until time.Time }

func newTouched(s Subject, win Window) *Touched {
	return &Touched{Subject: s, Since: Time{win.Since}, Until: Time{win.Until}, Caveats: Caveats{}, Resources: []TouchedResource{},
		Runs: []TouchingRun{}, Coverage: []GatewayCoverage{},
		Totals: Totals{ByEffect: map[string]uint64{}, ByReversibility: map[string]uint64{}}}
}

// Unknown returns the report on a subject that was not looked up. why is its caveat.
func Unknown(s Subject, win Window, why string) *Touched {
	t := newTouched(s, win)
	t.Caveats.add("subject_unknown: %s", why)
	return t
}

// AddCaveat adds a sentence about what is not known, which begins with its key. The report is not
// complete then.
func (t *Touched) AddCaveat(sentence string) {
	t.Caveats = append(Caveats{sentence}, t.Caveats...)
	t.Complete = false
}

// count adds calls of an effect and a reversibility.
func (t *Touched) count(effect, undo string, n uint64) {
	if n == 0 {
		return // only rows that add a resource to a call that counts
	}
	t.Calls += n
	t.Totals.ByEffect[effect] += n
	t.Totals.ByReversibility[undo] += n
}

// include extends the period to the calls between two times.
func (t *Touched) include(first, last time.Time) {
	if t.Since.IsZero() || first.Before(t.Since.Time) {
		t.Since = Time{first}
	}
	if last.After(t.Until.Time) {
		t.Until = Time{last}
	}
}
