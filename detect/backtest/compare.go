package backtest

import (
	"time"

	"flyball/detect/learn"
	"flyball/detect/model/baseline"
	"flyball/detect/model/calibrate"
	"flyball/detect/policy"
	"flyball/detect/score"
	"flyball/schema"
)

// Trip is the first decision that a configuration would have made on a run.
type Trip struct {
	RunID   string    `json:"run_id"`
	AgentID string    `json:"agent_id,omitempty"`
	Family  string    `json:"family"`
	Level   string    `json:"level"` // alert, trip
	At      time.Time `json:"at"`    // event time of the call
	Call    uint64    `json:"call"`  // number of the call in the run, from 1
	Score   float64   `json:"score"`
	// Acquaintance is the class of the run's agent, and Threshold the score above which the run trips by the thresholds
	// of that class and of its peer group; absent: it never trips.
	Acquaintance schema.Acquaintance  `json:"acquaintance"`
	Threshold    schema.OptionalFloat `json:"trip_threshold,omitzero"`
	Action       string               `json:"action"`
	Scope        schema.Scope         `json:"scope"`
	Mode         string               `json:"mode"` // armed, observe
	Why          string               `json:"why"`  // the named reason for scope and mode
	Rule         string               `json:"rule"`
	Verdict      string               `json:"verdict,omitempty"` // a person's label: true, benign, test; absent: none
	// Decisions is the number of decisions on the run, and Hardest the most severe action among them.
	Decisions int    `json:"decisions"`
	Hardest   string `json:"hardest_action"`
	// Prevented is the harm that its decisions would have stopped if they were enforced.
	Prevented Harm `json:"prevented"`

	action, hardest schema.Action
	mode            schema.Mode
	found           schema.VerdictLabel
	armed           bool // one of its decisions stops calls and is enforced
}

// Excepted is a finding that an exception would have covered.
type Excepted struct {
	RunID     string    `json:"run_id"`
	AgentID   string    `json:"agent_id,omitempty"`
	Family    string    `json:"family"`
	Level     string    `json:"level"`
	At        time.Time `json:"at"`
	Call      uint64    `json:"call"`
	Exception string    `json:"exception"`
	Verdict   string    `json:"verdict,omitempty"`
}

// BlockedWork is work that enforced decisions would have stopped, without the runs that a person labelled
// true or test. Most of it has no label.
type BlockedWork struct {
	Runs     int    `json:"runs"` // runs with a decision
	Calls    uint64 `json:"calls"`
	Benign   int    `json:"benign_runs"`   // runs of Runs that a person found benign
	Unjudged int    `json:"unjudged_runs"` // runs of Runs without a label
	// Others is the number of other runs with stopped calls: they shared a credential, an agent
	// or an address with a run that was stopped.
	Others     int    `json:"other_runs"`
	OtherCalls uint64 `json:"other_calls"`

	last string
}

func (h *BlockedWork) add(c *learn.StoredCall, own *Trip) {
	switch {
	case c.Verdict == schema.VerdictTrue || c.Verdict == schema.VerdictTest:
	case own != nil && own.armed:
		h.Calls++
	default:
		h.OtherCalls++
		if c.Run != h.last {
			h.Others++
			h.last = c.Run
		}
	}
}

// VerdictCounts counts the runs with a decision by people's labels.
type VerdictCounts struct {
	True     int `json:"true"`
	Benign   int `json:"benign"`
	Test     int `json:"test"`
	Unjudged int `json:"unjudged"`
}

func (v *VerdictCounts) add(w schema.VerdictLabel) {
	switch w {
	case schema.VerdictTrue:
		v.True++
	case schema.VerdictBenign:
		v.Benign++
	case schema.VerdictTest:
		v.Test++
	default:
		v.Unjudged++
	}
}

// Side holds what one configuration would have done.
type Side struct {
	Configuration     string  `json:"configuration"`
	FalseTripsPer1000 float64 `json:"false_trips_per_1000"`
	// Threshold is the score above which a run of an agent of the class ThresholdOf trips, if its peer group does not
	// raise it. Trips of other classes have other thresholds.
	Threshold   float64             `json:"trip_threshold"`
	ThresholdOf schema.Acquaintance `json:"trip_threshold_of"`
	Trips       []*Trip             `json:"trips"`
	// Share is the share of runs with a decision, Low and High its 95 % interval.
	Share    float64       `json:"share"`
	Low      float64       `json:"share_low"`
	High     float64       `json:"share_high"`
	Verdicts VerdictCounts `json:"verdicts"`
	// Prevented is the harm that enforced decisions would have stopped; IfArmed the harm that all decisions
	// would have stopped if everything were armed.
	Prevented   Harm            `json:"prevented"`
	IfArmed     Harm            `json:"prevented_if_armed"`
	BlockedWork BlockedWork     `json:"healthy_blocked"`
	Excepted    []Excepted      `json:"excepted"`
	Unused      []policy.Unused `json:"unused"`
}

// Change is a run on which both configurations decide differently.
type Change struct {
	RunID     string      `json:"run_id"`
	AgentID   string      `json:"agent_id,omitempty"`
	Present   TripSummary `json:"present"`
	Candidate TripSummary `json:"candidate"`
}

// TripSummary holds the parts of a Trip that are compared.
type TripSummary struct {
	Call   uint64 `json:"call"`
	Action string `json:"action"` // the most severe action
	Mode   string `json:"mode"`
	Scope  string `json:"scope"` // kind of the scope
	Rule   string `json:"rule"`
}

// Difference lists the runs on which two configurations decide differently.
type Difference struct {
	OnlyPresent   []string `json:"only_present"`
	OnlyCandidate []string `json:"only_candidate"`
	Changed       []Change `json:"changed"`
}

// comparison applies one or two configurations to the history. judge must be called with all calls, run by run and in
// the order of each run; then decide; then countPrevented with all calls in the same order.
type comparison struct {
	model *score.Model
	run   score.RunScore
	n     uint64
	sides []*side

	runs, calls int
}

// newComparison makes a comparison by a baseline. throttle is how many calls a second a throttle allows.
func newComparison(body *baseline.Baseline, throttle float64, of ...Configuration) *comparison {
	c := &comparison{model: score.NewModel(body)}
	for _, o := range of {
		c.sides = append(c.sides, newSide(o, body, paceOf(throttle)))
	}
	return c
}

// judge scores a call and stores the findings on which each configuration would decide.
func (c *comparison) judge(call *learn.StoredCall) {
	if call.First {
		c.run = score.RunScore{}
		c.runs++
	}
	c.calls++
	c.run.Add(c.model, score.Reference{Agent: call.Agent, Group: call.Group, Version: call.Of.AgentVersion, Task: call.TaskType},
		&call.Input, call.Stored.Start, call.Reversibility)
	for _, s := range c.sides {
		s.judge(&c.run, call)
	}
}

// decide makes the decisions of all configurations, and reports whether any of them could have stopped a call.
func (c *comparison) decide() bool {
	holds := false
	for _, s := range c.sides {
		s.decideAll()
		holds = holds || len(s.held.on) > 0
	}
	return holds
}

// countPrevented counts a call if it would have been prevented.
func (c *comparison) countPrevented(call *learn.StoredCall) {
	if call.First {
		c.n = 0
	}
	c.n++
	for _, s := range c.sides {
		s.countPrevented(call, c.n)
	}
}

// reports returns what the configurations would have done, in the order in which they were given.
func (c *comparison) reports() []Side {
	var out []Side
	for _, s := range c.sides {
		out = append(out, s.report(c.runs))
	}
	return out
}

func (s *side) report(runs int) Side {
	out := Side{
		Configuration:     s.Name,
		FalseTripsPer1000: s.TripShare * 1000,
		Threshold:         s.level,
		ThresholdOf:       thresholdOf,
		Trips:             s.trips,
		Prevented:         s.armed,
		IfArmed:           s.would,
		BlockedWork:       s.healthy,
		Excepted:          s.excepted,
		Unused:            s.uses.Unused(),
	}
	if out.Trips == nil {
		out.Trips = []*Trip{}
	}
	if out.Excepted == nil {
		out.Excepted = []Excepted{}
	}
	for _, t := range s.trips {
		out.Verdicts.add(t.found)
		switch {
		case !t.armed || t.found == schema.VerdictTrue || t.found == schema.VerdictTest:
			continue
		case t.found == schema.VerdictBenign:
			out.BlockedWork.Benign++
		default:
			out.BlockedWork.Unjudged++
		}
		out.BlockedWork.Runs++
	}
	if runs > 0 {
		out.Share = float64(len(s.trips)) / float64(runs)
	}
	out.Low, out.High = calibrate.Wilson(float64(len(s.trips)), float64(runs))
	return out
}

// compareSides lists the runs on which only one of two configurations would have decided, and
// those on which both would have decided differently.
func compareSides(present, candidate *Side) *Difference {
	out := &Difference{OnlyPresent: []string{}, OnlyCandidate: []string{}, Changed: []Change{}}
	of := map[string]*Trip{}
	for _, t := range present.Trips {
		of[t.RunID] = t
	}
	for _, t := range candidate.Trips {
		was := of[t.RunID]
		delete(of, t.RunID)
		if was == nil {
			out.OnlyCandidate = append(out.OnlyCandidate, t.RunID)
		} else if a, b := was.brief(), t.brief(); a != b {
			out.Changed = append(out.Changed, Change{RunID: t.RunID, AgentID: t.AgentID, Present: a, Candidate: b})
		}
	}
	for _, t := range present.Trips {
		if of[t.RunID] != nil {
			out.OnlyPresent = append(out.OnlyPresent, t.RunID)
		}
	}
	return out
}

func (t *Trip) brief() TripSummary {
	return TripSummary{t.Call, t.Hardest, t.Mode, t.Scope.Kind.String(), t.Rule}
}
