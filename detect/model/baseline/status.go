package baseline

import (
	"slices"

	"flyball/schema"
)

// AgentStatus is what a version of a baseline knows of one agent besides counts.
type AgentStatus struct {
	State schema.BaselineState `json:"state"`
	Why   string               `json:"why"`
	Group string               `json:"group"` // its peers
	Runs  uint64               `json:"runs"`  // that taught its counts
	Calls uint64               `json:"calls"`
	// TaughtAt is the last call of the latest run that taught it, SeenAt that of any
	// run; Unix ns.
	TaughtAt int64 `json:"taught_at_ns,omitempty"`
	SeenAt   int64 `json:"seen_at_ns,omitempty"`
	// Excluded are the runs of the window that did not teach, by why.
	Excluded map[string]uint64 `json:"left_out,omitempty"`
	// CarriedFrom is the version that its counts are from, where they are not of this one.
	CarriedFrom string `json:"carried_from,omitempty"`
	// DriftAllowed is the share of the change that the limit on drift let through, above 0;
	// absent: all of it.
	DriftAllowed float64 `json:"drift_let_through,omitempty"`
	Version      string  `json:"version,omitempty"` // of the agent, that it ran last
	// Order is the operator's order that froze or reset it; nil: none.
	Order *schema.BaselineOrder `json:"order,omitempty"`
}

// VersionStatus is what is known of one version of an agent.
type VersionStatus struct {
	Version string `json:"version"`
	Runs    uint64 `json:"runs"` // that teach
	SeenAt  int64  `json:"seen_at_ns"`
}

// TaskStatus is what is known of one type of task of an agent.
type TaskStatus struct {
	Type string `json:"task_type"`
	Runs uint64 `json:"runs"` // that teach
}

// Provenance is what a version of a baseline was made from.
type Provenance struct {
	Parent     string `json:"parent,omitempty"` // the version before
	Quarantine int64  `json:"quarantine_ns"`
	// Pin is the offset in each partition of flyball.calls below which calls were read.
	Pin map[int32]int64 `json:"pin,omitempty"`
	// Excluded are the runs of the window that did not teach, by why.
	Excluded map[string]uint64 `json:"left_out,omitempty"`
	Code     string            `json:"code,omitempty"` // version of the binary
}

// Why a run did not teach. Of some, the score still teaches thresholds, and no counts.
const (
	ExcludedOpen         = "open"          // it is not closed
	ExcludedYoung        = "too_young"     // closed for less than the quarantine
	ExcludedOverflow     = "overflow"      // the run of calls above the limit of open runs
	ExcludedSampled      = "sampled"       // its source leaves calls out
	ExcludedJudged       = "judged"        // a person found it true, or a test
	ExcludedAlarmed      = "alarmed"       // nobody has judged its alarm; teaches thresholds
	ExcludedHeld         = "held"          // approval was asked for one of its calls and not given
	ExcludedFrozen       = "frozen"        // it began after its agent was frozen
	ExcludedReset        = "reset"         // from before an operator reset the agent's baseline
	ExcludedDayFull      = "day_full"      // enough runs of its day teach
	ExcludedEnough       = "enough"        // enough newer runs of its agent teach
	ExcludedNoCalls      = "no_calls"      // no stored call of it may be learned from
	ExcludedOutsideScope = "outside_scope" // by what other runs do, its calls would have needed approval; teaches thresholds
	ExcludedTrimmed      = "trimmed"       // among the highest scores by the version before; teaches thresholds
)

// AgentState an agent in this version; a stranger learns.
func (b *Baseline) AgentState(agent string) (schema.BaselineState, string) {
	if l, ok := b.Status[agent]; ok {
		return l.State, l.Why
	}
	if _, known := b.Agents[agent]; known {
		return schema.BaselineActive, WhyTaught // of a version that kept no states
	}
	return schema.BaselineLearning, WhyFewRuns
}

// CountStates counts the agents of a version by state, in the order of the words.
func (b *Baseline) CountStates() [4]int {
	var n [4]int
	for _, l := range b.Status {
		n[min(l.State, schema.BaselineFrozen)]++
	}
	return n
}

// AgentNames of the agents of a version, sorted.
func (b *Baseline) AgentNames() []string {
	var out []string
	for name := range b.Status {
		out = append(out, name)
	}
	for name := range b.Agents {
		if _, there := b.Status[name]; !there && !isPartKey(name) {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}
