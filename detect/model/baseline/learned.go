package baseline

import (
	"math"
	"time"

	"flyball/schema"
)

// RunRate is how often an agent makes runs, from which the wait until it is known follows.
type RunRate struct {
	Runs  uint64 // clean runs since First, learned from or not
	First int64  // Unix ns; 0: unknown
	Now   int64  // Unix ns
	// Pending is the number of closed runs that are in quarantine.
	Pending    uint64
	Quarantine time.Duration
	Frozen     bool // no run is learned from
}

// minRatePeriod is the shortest period from which the rate is computed.
const minRatePeriod = time.Hour

// wait returns how many days it takes until a number of further runs are learned from: those that are in quarantine
// are learned from first. The result is unknown without runs, and for a frozen baseline.
func (p RunRate) wait(runs uint64) schema.OptionalFloat {
	const day = float64(24 * time.Hour)
	period := p.Now - p.First
	switch {
	case runs == 0:
		return 0
	case p.Frozen:
		return schema.Unknown
	case runs <= p.Pending:
		return schema.OptionalFloat(float64(p.Quarantine) / day)
	case p.Runs == 0 || p.First == 0 || period < int64(minRatePeriod):
		return schema.Unknown
	}
	perRun := float64(period) / float64(p.Runs)
	return schema.OptionalFloat((float64(runs-p.Pending)*perRun + float64(p.Quarantine)) / day)
}

// classOf returns the class of an agent from the runs of a baseline, of the agent and of its peers.
func classOf(all uint64, l *schema.Learned) schema.Acquaintance {
	switch {
	case all == 0:
		return schema.NothingLearned
	case l.Runs >= l.RunsNeeded:
		return schema.KnownAgent
	case l.PeersKnown():
		return schema.NewAgent
	}
	return schema.NewPopulation
}

// LearnedOfNewcomer returns what the version knows of an agent of a peer group that it has no runs of. The wait is
// unknown.
func (b *Baseline) LearnedOfNewcomer(group string) schema.Learned {
	peer := schema.Learned{PeerRuns: wholeRuns(b.Lengths.Groups[group].N), PeerAgents: b.peers().known()[group]}
	out := LearnedOfNewcomer(b.Runs, group, &peer, RunRate{})
	out.Uncalibrated = b.Thresholds().Uncalibrated(out.Acquaintance)
	return out
}

// LearnedOfNewcomer returns what a baseline of so many runs knows of an agent of a peer group that it has no runs of.
// peer is what it knows of any agent of the group; nil: it has none.
func LearnedOfNewcomer(all uint64, group string, peer *schema.Learned, rate RunRate) schema.Learned {
	out := schema.Learned{RunsNeeded: MinAgentRuns, Group: group, PeerRunsNeeded: MinPeerRuns, PeerAgentsNeeded: MinPeerAgents}
	if peer != nil {
		out.PeerRuns, out.PeerAgents = peer.PeerRuns, peer.PeerAgents
	}
	out.Acquaintance = classOf(all, &out)
	return withWait(out, rate)
}

func withWait(l schema.Learned, rate RunRate) schema.Learned {
	l.PendingRuns, l.WaitRuns = rate.Pending, l.RunsNeeded-min(l.Runs, l.RunsNeeded)
	l.WaitDays = rate.wait(l.WaitRuns)
	return l
}

// LearnedAgents returns what the version knows of each of its agents, by key: the class of Acquaintance, the runs behind
// it, and the wait at the rate of the agent's runs in the window.
func (b *Baseline) LearnedAgents() map[string]schema.Learned {
	peers, out := b.peers().known(), map[string]schema.Learned{}
	for _, agent := range b.AgentNames() {
		s, group := b.Status[agent], b.AgentGroup(agent)
		l := schema.Learned{Runs: wholeRuns(b.Lengths.Agents[agent].N), RunsNeeded: MinAgentRuns, Group: group,
			PeerRuns: wholeRuns(b.Lengths.Groups[group].N), PeerRunsNeeded: MinPeerRuns,
			PeerAgents: peers[group], PeerAgentsNeeded: MinPeerAgents}
		l.Acquaintance = classOf(b.Runs, &l)
		l.Uncalibrated = b.Thresholds().Uncalibrated(l.Acquaintance)
		pending := s.Excluded[ExcludedYoung]
		out[agent] = withWait(l, RunRate{Runs: s.Runs + pending, First: s.FirstAt, Now: b.MadeAt, Pending: pending,
			Quarantine: time.Duration(b.Provenance.Quarantine), Frozen: s.State == schema.BaselineFrozen})
	}
	return out
}

// NeverTrips reports whether no score of the runs of an agent with an established name can be a trip: it is a stranger of
// a class that has no thresholds of its own. By a baseline of an earlier release all classes can trip.
func NeverTrips(l *schema.Learned) bool {
	return l.Acquaintance.IsStranger() && l.Uncalibrated != "" && l.Uncalibrated != WhyEarlierRelease
}

// wholeRuns returns a count of runs, which the limit on drift can make a fraction, rounded down.
func wholeRuns(n float64) uint64 { return uint64(math.Floor(max(n, 0))) }
