package schema

// Learned is what a baseline has learned of an agent and of its peers, in clean runs, and what is missing until the
// agent is a known one.
type Learned struct {
	Acquaintance Acquaintance `json:"acquaintance"`
	// Uncalibrated is the named reason why the class has no thresholds of its own; empty: it has. A stranger without
	// them never trips, unless the baseline is of an earlier release.
	Uncalibrated string `json:"uncalibrated,omitempty"`
	Runs         uint64 `json:"runs"`        // of the agent
	RunsNeeded   uint64 `json:"runs_needed"` // of a known agent
	// Group is the peer group; PeerRuns are its runs, PeerAgents its agents with enough runs to count.
	Group            string `json:"group"`
	PeerRuns         uint64 `json:"peer_runs"`
	PeerRunsNeeded   uint64 `json:"peer_runs_needed"` // of known peers
	PeerAgents       uint64 `json:"peer_agents"`
	PeerAgentsNeeded uint64 `json:"peer_agents_needed"` // of known peers
	// PendingRuns are closed runs that are learned from after the quarantine, if nothing is found in them until then.
	PendingRuns uint64 `json:"pending_runs"`
	// WaitRuns is the number of clean runs that are missing until the agent is known, and WaitDays about how many days
	// that takes: at the rate of its runs, and with the quarantine of the last run. Unknown: it makes no runs, or its
	// baseline is frozen.
	WaitRuns uint64        `json:"wait_runs"`
	WaitDays OptionalFloat `json:"wait_days,omitzero"`
}

// IsStranger reports whether neither the agent nor its peers are known. A class that was not recorded is not one.
func (v Acquaintance) IsStranger() bool { return v == NewPopulation || v == NothingLearned }

// PeersKnown reports whether the peer group has enough runs of enough agents.
func (l *Learned) PeersKnown() bool {
	return l.PeerRuns >= l.PeerRunsNeeded && l.PeerAgents >= l.PeerAgentsNeeded
}
