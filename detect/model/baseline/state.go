package baseline

import (
	"time"

	"flyball/schema"
)

// Limits of the states.
const (
	// MinAgentRuns is the minimum number of clean runs of an active baseline. Amounts are shrunk to the
	// peers' by as many pseudo-runs, so that from here on the agent's own runs have more weight.
	MinAgentRuns = pseudoRuns
	// StaleAfter is how long an agent may call without any run being learned from before its baseline is stale.
	StaleAfter = 7 * 24 * time.Hour
	// IncidentFreeze is how long an incident without a person's label freezes a baseline
	// after its last change. The time is limited, because an alarm that no person handles must
	// not freeze an agent forever.
	IncidentFreeze = 24 * time.Hour
)

// Named reasons of states.
const (
	WhyFewRuns    = "few_runs"       // learning: fewer than MinAgentRuns runs were learned from
	WhyReset      = "reset"          // learning: an operator reset the baseline, and there are too few runs since
	WhyNewVersion = "new_version"    // learning: there are too few runs of the agent's present version
	WhyTaught     = "taught"         // active
	WhyUntaught   = "nothing_taught" // stale
	WhyIncident   = "incident"       // frozen
	WhyOperator   = "operator"       // frozen
	WhyGrown      = "grown"          // frozen: its runs do several times what they did before
)

// StateFacts holds the facts from which the state of an agent's baseline is derived.
type StateFacts struct {
	Runs     uint64 // number of runs that were learned from
	TaughtAt int64  // last call of the latest of them, Unix ns; 0: none
	SeenAt   int64  // last known call of the agent, in any run, Unix ns
	Frozen   bool   // by an operator
	Incident bool   // the agent has an unresolved finding of level trip
	Grown    bool   // its runs have grown too far
	Reset    bool   // by an operator, within the window
	// Version is the agent's present version; VersionRuns is the number of its runs that were learned from.
	Version     string
	VersionRuns uint64
	Versions    int // number of versions that were learned from, the present one included
}

// DeriveState returns the state of an agent's baseline, and the named reason.
func DeriveState(f StateFacts) (schema.BaselineState, string) {
	switch {
	case f.Frozen:
		return schema.BaselineFrozen, WhyOperator
	case f.Incident:
		return schema.BaselineFrozen, WhyIncident
	case f.Grown:
		return schema.BaselineFrozen, WhyGrown
	case f.Runs < MinAgentRuns && f.Reset:
		return schema.BaselineLearning, WhyReset
	case f.Runs < MinAgentRuns:
		return schema.BaselineLearning, WhyFewRuns
	case f.SeenAt-f.TaughtAt > int64(StaleAfter):
		return schema.BaselineStale, WhyUntaught
	case f.Version != "" && f.Versions > 1 && f.VersionRuns < MinAgentRuns:
		return schema.BaselineLearning, WhyNewVersion
	}
	return schema.BaselineActive, WhyTaught
}
