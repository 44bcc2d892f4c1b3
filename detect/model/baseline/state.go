package baseline

import (
	"time"

	"flyball/schema"
)

// Bounds of the states.
const (
	// MinAgentRuns clean runs make a baseline an agent's own: amounts are shrunk to the
	// peers' by as many pseudo-runs, so that from here on its own weigh more.
	MinAgentRuns = pseudoRuns
	// StaleAfter is how long an agent may call without anything teaching its baseline.
	StaleAfter = 7 * 24 * time.Hour
	// IncidentFreeze is how long an incident that nobody has judged freezes a baseline
	// after its last change. It ends by itself: an alarm that nobody looks at must
	// not freeze an agent for ever.
	IncidentFreeze = 24 * time.Hour
)

// Named reasons of states.
const (
	WhyFewRuns    = "few_runs"       // learning: fewer than Enough runs taught it
	WhyReset      = "reset"          // learning: an operator had it forgotten, and few runs taught it since
	WhyNewVersion = "new_version"    // learning: the version that it runs now taught it too little
	WhyTaught     = "taught"         // active
	WhyUntaught   = "nothing_taught" // stale
	WhyIncident   = "incident"       // frozen
	WhyOperator   = "operator"       // frozen
)

// StateFacts of one agent, of which its state follows.
type StateFacts struct {
	Runs     uint64 // that teach
	TaughtAt int64  // last call of the latest of them, Unix ns; 0: none
	SeenAt   int64  // last call of the agent that is known, whatever was found of it
	Frozen   bool   // by an operator
	Incident bool   // an unresolved finding of level trip
	Reset    bool   // by an operator, within the window
	// Version is the one that the agent runs now; VersionRuns of it teach.
	Version     string
	VersionRuns uint64
	Versions    int // that teach or that it runs now
}

// DeriveState is the state of an agent's baseline, and the named reason.
func DeriveState(f StateFacts) (schema.BaselineState, string) {
	switch {
	case f.Frozen:
		return schema.BaselineFrozen, WhyOperator
	case f.Incident:
		return schema.BaselineFrozen, WhyIncident
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
