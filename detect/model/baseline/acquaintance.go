package baseline

import "flyball/schema"

// Limits of the classes of acquaintance.
const (
	// MinPeerRuns is the minimum number of runs of a known peer group, of at least MinPeerAgents agents with at least
	// MinPeerAgentRuns runs each: fewer runs do not show what one run in a hundred does, the level alert, and one agent
	// alone does not show how much agents of its kind differ.
	MinPeerRuns      = 100
	MinPeerAgents    = 2
	MinPeerAgentRuns = 5
)

// Acquaintance returns the class of an agent by its key (AgentKey, or the key of a version or task type) and its
// peer group. It depends on the baseline alone. b may be nil.
func (b *Baseline) Acquaintance(key, group string) schema.Acquaintance {
	switch {
	case b == nil || b.Runs == 0:
		return schema.NothingLearned
	case b.Lengths.Agents[agentFromKey(key)].N >= MinAgentRuns:
		return schema.KnownAgent
	case b.peers().know(group):
		return schema.NewAgent
	}
	return schema.NewPopulation
}
