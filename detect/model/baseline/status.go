package baseline

import (
	"slices"

	"flyball/schema"
)

// AgentStatus describes one agent in a version of a baseline, apart from its counts.
type AgentStatus struct {
	State schema.BaselineState `json:"state"`
	Why   string               `json:"why"`
	Group string               `json:"group"` // peer group
	Runs  uint64               `json:"runs"`  // number of runs in its counts
	Calls uint64               `json:"calls"`
	// TaughtAt is the last call of the latest run that was learned from, SeenAt the last call of any
	// run; Unix ns.
	TaughtAt int64 `json:"taught_at_ns,omitempty"`
	// FirstAt is the last call of the first run of the window, Unix ns; 0: not recorded.
	FirstAt int64 `json:"first_at_ns,omitempty"`
	SeenAt  int64 `json:"seen_at_ns,omitempty"`
	// Excluded is the number of runs of the window that were not learned from, by reason.
	Excluded map[string]uint64 `json:"left_out,omitempty"`
	// CarriedFrom is the version from which its counts were copied; empty: they are of this version.
	CarriedFrom string `json:"carried_from,omitempty"`
	// DriftAllowed is the share of the change that the limit on drift allowed, above 0;
	// 0: the change was not limited.
	DriftAllowed float64 `json:"drift_let_through,omitempty"`
	Version      string  `json:"version,omitempty"` // latest version of the agent
	// Order is the operator's order that froze or reset the baseline; nil: none.
	Order *schema.BaselineOrder `json:"order,omitempty"`
}

// VersionStatus describes one version of an agent.
type VersionStatus struct {
	Version string `json:"version"`
	Runs    uint64 `json:"runs"`       // number of runs that were learned from
	SeenAt  int64  `json:"seen_at_ns"` // last call, Unix ns
}

// TaskStatus describes one task type of an agent.
type TaskStatus struct {
	Type string `json:"task_type"`
	Runs uint64 `json:"runs"` // number of runs that were learned from
}

// Provenance describes from what a version of a baseline was made.
type Provenance struct {
	Parent     string `json:"parent,omitempty"` // the previous version
	Quarantine int64  `json:"quarantine_ns"`
	// Pin is the offset in each partition of flyball.calls below which calls were read.
	Pin map[int32]int64 `json:"pin,omitempty"`
	// Excluded is the number of runs of the window that were not learned from, by reason.
	Excluded map[string]uint64 `json:"left_out,omitempty"`
	Code     string            `json:"code,omitempty"` // version of the binary
	// RunsOfAgent is the maximum number of runs of an agent that were learned from, if it was lower than usual because of
	// the limits on all runs; 0: it was not.
	RunsOfAgent int `json:"runs_of_agent,omitempty"`
	// RunsOfClaimed is the same for agents whose names callers only claim: they get what the others leave, at least a quarter.
	RunsOfClaimed int `json:"runs_of_claimed_agent,omitempty"`
	// OtherRoutes is how many rarely used routes are known by common names only, because there were too many; 0: none.
	OtherRoutes int `json:"other_routes,omitempty"`
}

// Reasons why a run was not learned from. The scores of some of these runs are used for thresholds.
const (
	ExcludedOpen         = "open"          // it is not closed
	ExcludedYoung        = "too_young"     // closed for less than the quarantine
	ExcludedOverflow     = "overflow"      // it collects the calls above the limit of open runs
	ExcludedSampled      = "sampled"       // its source leaves out calls
	ExcludedJudged       = "judged"        // a person labelled a finding of it true or test
	ExcludedAlarmed      = "alarmed"       // it alarmed, and no person found it benign; used for thresholds
	ExcludedHeld         = "held"          // one of its calls needed approval and did not get it
	ExcludedFrozen       = "frozen"        // its last call is after its agent was frozen
	ExcludedReset        = "reset"         // its last call is before an operator reset the agent's baseline
	ExcludedDayFull      = "day_full"      // enough other runs of its day are used
	ExcludedEnough       = "enough"        // enough newer runs of its agent are used
	ExcludedCrowded      = "crowded"       // its agent's name is only claimed, and more such agents ran on as many days than are learned from
	ExcludedNoCalls      = "no_calls"      // it has no stored calls that can be used
	ExcludedOutsideScope = "outside_scope" // its calls would have needed approval by the scope of the other runs; used for thresholds
	ExcludedTrimmed      = "trimmed"       // among the highest scores by the previous version; used for thresholds
)

// AgentState returns the state of an agent in this version, and the named reason. An unknown agent is in the state
// learning.
func (b *Baseline) AgentState(agent string) (schema.BaselineState, string) {
	if l, ok := b.Status[agent]; ok {
		return l.State, l.Why
	}
	if _, known := b.Agents[agent]; known {
		return schema.BaselineActive, WhyTaught // earlier releases stored no states
	}
	return schema.BaselineLearning, WhyFewRuns
}

// CountStates returns the number of agents of a version by state.
func (b *Baseline) CountStates() [4]int {
	var n [4]int
	for _, l := range b.Status {
		n[min(l.State, schema.BaselineFrozen)]++
	}
	return n
}

// AgentNames returns the keys of the agents of a version, sorted, without those of parts.
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
