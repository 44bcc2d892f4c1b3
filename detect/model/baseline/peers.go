package baseline

// peers looks up which peer groups are known.
type peers struct {
	lengths  *Amount                         // runs by group and agent
	byGroups map[string]map[string]RunCounts // with an entry of each agent, by group
}

func (b *Baseline) peers() peers { return peers{&b.Lengths, b.Distinct.Within} }

// know reports whether a peer group has enough runs of enough agents.
func (p peers) know(group string) bool {
	return p.lengths.Groups[group].N >= MinPeerRuns && p.agents(group) >= MinPeerAgents
}

// known returns the number of known agents of each peer group that has some.
func (p peers) known() map[string]uint64 {
	out := map[string]uint64{}
	for group := range p.byGroups {
		if n := p.agents(group); n > 0 {
			out[group] = n
		}
	}
	return out
}

// agents returns the number of known agents of a peer group. Names that were only claimed do not count: a caller can invent them.
func (p peers) agents(group string) (n uint64) {
	for key := range p.byGroups[group] {
		if !isPartKey(key) && !IsAsserted(key) && p.lengths.Agents[key].N >= MinPeerAgentRuns {
			n++
		}
	}
	return n
}
