package detector

import (
	"slices"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/detect/score"
	"flyball/detect/stitch"
	"flyball/schema"
)

// Set judges the calls of one partition of flyball.calls, in the order of the log.
type Set struct {
	options Options
	metrics *Metrics

	inJudgingOrder []placed // in the order in which they judge a call
	closing        []placed // in the order in which they close a run
	canary         *placed  // judges calls of the canary's tenant, alone; nil: none does
	slots          []Description

	model *score.Model // nil: no baseline is active

	features feature.Input // of the call that was judged last
	call     Judgment
	closed   schema.Call
	sections sectionCoder
	unknown  []string // detectors whose state was read and that are not in the set
}

// placed is a detector with the slot number of its state.
type placed struct {
	Detector
	slot int
}

// newSet returns a set of detectors, in the order in which they judge a call and the order in which
// they close a run.
func newSet(o Options, m *Metrics, judging, closing []Detector) *Set {
	s := &Set{options: o, metrics: m}
	for _, d := range judging {
		s.inJudgingOrder = append(s.inJudgingOrder, placed{d, len(s.slots)})
		s.slots = append(s.slots, d.Describe())
	}
	for _, d := range closing {
		s.closing = append(s.closing, placed{d, s.slotOf(d.Describe().Name)})
	}
	return s
}

// Add adds a detector that judges and closes after the others.
func (s *Set) Add(d Detector) {
	p := placed{d, len(s.slots)}
	s.inJudgingOrder, s.closing, s.slots = append(s.inJudgingOrder, p), append(s.closing, p), append(s.slots, d.Describe())
}

// addCanary adds the only detector that judges calls of the canary's tenant.
func (s *Set) addCanary(d Detector) {
	s.canary = &placed{d, len(s.slots)}
	s.closing, s.slots = append(s.closing, *s.canary), append(s.slots, d.Describe())
}

// slotOf returns the slot of a detector by its name, or unknownSlot.
func (s *Set) slotOf(name string) int {
	return slices.IndexFunc(s.slots, func(d Description) bool { return d.Name == name })
}

// Activate sets the baseline that is used from the next call on; nil: none.
func (s *Set) Activate(b *baseline.Baseline) {
	s.model = nil
	if b != nil {
		s.model = score.NewModel(b)
	}
	for _, d := range s.inJudgingOrder {
		d.Activate(s.model)
	}
}

// Baseline returns the version of the active baseline; empty: none is active.
func (s *Set) Baseline() string {
	if s.model == nil {
		return ""
	}
	return s.model.Baseline.Version
}

// NewRunState and NewActorState return the empty state of a run and of an actor, for package
// stitch.
func (s *Set) NewRunState() stitch.Attachment   { return &RunState{set: s} }
func (s *Set) NewActorState() stitch.Attachment { return &actorState{set: s} }

// Result is the result of judging a call.
type Result struct {
	// Findings that were opened or changed, in the order in which they are published. The
	// list is valid until the next call.
	Findings []*schema.Finding
	// Score is a row of the table scores; nil: the run's score has not changed enough.
	Score *schema.Score
}

// Limits for writing a row of scores, in natural logarithms of rarity.
const (
	scoreChange = 1.15 // smallest increase since the last row
	minScore    = 2.3  // below it no row is written
)

// Judge passes a stitched call, at a position in flyball.calls, to the score and the detectors. One
// call is judged once: Judge skips further observations of a call, calls that Flyball stopped and
// calls of a sampled source, because other calls of it are missing.
func (s *Set) Judge(r *stitch.Run, c *schema.Call, at schema.CallRef) (out Result) {
	if c.ObserverKind == schema.ObserverGate {
		s.recordDeclaredTask(r, c)
	}
	if c.Duplicate || stitch.StoppedByFlyball(c) || c.SampleWeight > 1 {
		return out
	}
	run := s.runState(r)
	s.call.begin(s, r, run, c, at)
	if c.Tenant == schema.CanaryTenant {
		if s.canary != nil {
			s.call.slot = s.canary.slot
			s.canary.Judge(&s.call)
		}
		out.Findings = s.call.findings
		return out
	}
	out.Score = s.score(r, run, c, at)
	for _, d := range s.inJudgingOrder {
		s.call.slot = d.slot
		d.Judge(&s.call)
	}
	out.Findings = s.call.findings
	return out
}

// score adds the call to the run's score and returns the row to be written, or nil.
func (s *Set) score(r *stitch.Run, run *RunState, c *schema.Call, at schema.CallRef) *schema.Score {
	who := run.reference(r)
	feature.Extract(c, &s.features)
	before := run.Score
	s.call.Step = run.Add(s.model, who, &s.features, c.Start, c.Reversibility)
	if s.model == nil {
		return nil
	}
	run.NoteEvidence(at)
	levels := run.Levels(s.options.FalseTrips)
	r.Score, r.Level = run.Score, max(r.Level, levels.For(run.Score)) // another caller or baseline has other thresholds
	if run.Score <= before || run.Score < minScore || run.Score < run.writtenScore+scoreChange {
		return nil
	}
	run.writtenScore = run.Score
	return &schema.Score{Tenant: r.Tenant, RunID: r.RunID, At: c.Start, Call: at, Value: run.Score, Level: r.Level,
		Baseline: s.model.Baseline.Version, Top: run.Explain(run.TopFamily(), s.features.Route)}
}

// Close closes the findings of a run that silence has closed, at a position in flyball.calls. The
// list is valid until the next call.
func (s *Set) Close(r *stitch.Run, at schema.CallRef) []*schema.Finding {
	run, _ := r.Attached.(*RunState)
	if run == nil {
		return nil
	}
	s.closed = schema.Call{Start: r.LastAt}
	run.Bind(s.model, run.reference(r)) // it was not since a restart
	s.call.begin(s, r, run, &s.closed, at)
	for _, d := range s.closing {
		s.call.slot = d.slot
		d.Close(&s.call)
	}
	return s.call.findings
}

// runState returns the state of a run. It is made if the run has none yet.
func (s *Set) runState(r *stitch.Run) *RunState {
	run, _ := r.Attached.(*RunState)
	if run == nil {
		run = &RunState{set: s}
		r.Attached = run
	}
	return run
}
