package baseline

import (
	"slices"

	"flyball/schema"
)

// Life is what a version of a baseline knows of one agent besides counts.
type Life struct {
	State schema.BaselineState `json:"state"`
	Why   string               `json:"why"`
	Group string               `json:"group"` // its peers
	Runs  uint64               `json:"runs"`  // that taught its counts
	Calls uint64               `json:"calls"`
	// TaughtAt is the last call of the latest run that taught it, SeenAt that of any
	// run; Unix ns.
	TaughtAt int64 `json:"taught_at_ns,omitempty"`
	SeenAt   int64 `json:"seen_at_ns,omitempty"`
	// Left are the runs of the window that did not teach, by why.
	Left map[string]uint64 `json:"left_out,omitempty"`
	// Carried is the version that its counts are from, where they are not of this one.
	Carried string `json:"carried_from,omitempty"`
	// Bounded is how much of what its runs say the bound on drift let through; absent: all.
	Bounded float64 `json:"drift_let_through,omitempty"`
	Version string  `json:"version,omitempty"` // of the agent, that it ran last
	// Order is the operator's word that froze it or had it forgotten.
	Order *schema.BaselineOrder `json:"order,omitempty"`
}

// VersionLife is what is known of one version of an agent.
type VersionLife struct {
	Version string `json:"version"`
	Runs    uint64 `json:"runs"` // that teach
	SeenAt  int64  `json:"seen_at_ns"`
}

// TaskLife is what is known of one type of task of an agent.
type TaskLife struct {
	Type string `json:"task_type"`
	Runs uint64 `json:"runs"` // that teach
}

// Provenance says where a version of a baseline comes from.
type Provenance struct {
	Parent     string `json:"parent,omitempty"` // the version before
	Quarantine int64  `json:"quarantine_ns"`
	// Pin is the offset in each partition of flyball.calls below which calls were read.
	Pin map[int32]int64 `json:"pin,omitempty"`
	// Left are the runs of the window that did not teach, by why.
	Left map[string]uint64 `json:"left_out,omitempty"`
	Code string            `json:"code,omitempty"` // version of the binary
}

// Why a run did not teach.
const (
	LeftOpen     = "open"          // it goes on
	LeftYoung    = "too_young"     // closed for less than the quarantine
	LeftOverflow = "overflow"      // a run of what found no room
	LeftSampled  = "sampled"       // its source leaves calls out
	LeftJudged   = "judged"        // a person found it true, or a test
	LeftAlarmed  = "alarmed"       // nobody has judged it: it teaches thresholds, not counts
	LeftHeld     = "held"          // a gate asked a person about one of its calls, and the answer was no yes
	LeftFrozen   = "frozen"        // it began after its agent was frozen
	LeftReset    = "reset"         // before an operator had it forgotten
	LeftDayFull  = "day_full"      // its day teaches no more of its agent
	LeftEnough   = "enough"        // newer runs of its agent are enough
	LeftUnlogged = "no_calls"      // no stored call of it may be learned from
	LeftOutside  = "outside_scope" // what the others do would have held it: it teaches thresholds, not counts
	LeftTrimmed  = "trimmed"       // of all runs that nothing was found of, it lies furthest out by the version before: it teaches thresholds, not counts
)

// StateOf an agent in this version; a stranger learns.
func (b *Body) StateOf(agent string) (schema.BaselineState, string) {
	if l, ok := b.Life[agent]; ok {
		return l.State, l.Why
	}
	if _, known := b.Agents[agent]; known {
		return schema.BaselineActive, WhyTaught // of a version that kept no states
	}
	return schema.BaselineLearning, WhyFewRuns
}

// States counts the agents of a version by state, in the order of the words.
func (b *Body) States() [4]int {
	var n [4]int
	for _, l := range b.Life {
		n[min(l.State, schema.BaselineFrozen)]++
	}
	return n
}

// Names of the agents of a version, sorted.
func (b *Body) Names() []string {
	var out []string
	for name := range b.Life {
		out = append(out, name)
	}
	for name := range b.Agents {
		if _, there := b.Life[name]; !there && !IsPart(name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
