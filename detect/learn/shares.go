package learn

import (
	"cmp"
	"slices"
	"sort"

	"flyball/detect/model/baseline"
)

// sampleLimits limit from how many runs a version is learned, in sum: what is learned from is held in memory, and
// scored by about thirty models in the calibration.
type sampleLimits struct {
	perAgent int // runs of an agent
	// Runs of all agents, and their calls; 0: no limit.
	runs, calls uint64
}

// claimedShare is the part of the limits that agents whose names callers only claim have for themselves, as one divided by it. They get
// more if the others leave it. Anybody can invent such names: without shares, each name would make all agents less known.
const claimedShare = 4

// shares are the maximum numbers of runs of an agent: with a name that somebody vouches for, and with a claimed one.
type shares struct{ vouched, claimed int }

// need is how many runs of an agent can be learned from, and the calls of one on average.
type need struct {
	runs  uint64
	calls float64
}

func needOf(days map[uint16]*Day) (n need) {
	var of Day
	for day, d := range days {
		n.runs += uint64(min(int(min(d.Runs, MaxRunsPerDay)), maxRunsOfDay(days, day)))
		of.Runs, of.Calls = of.Runs+d.Runs, of.Calls+d.Calls
	}
	n.calls = float64(of.Calls) / float64(max(of.Runs, 1))
	return n
}

// sums are numbers of runs and of their calls.
type sums struct{ runs, calls float64 }

func (s sums) within(limit sums) bool { return s.runs <= limit.runs && s.calls <= limit.calls }

// sumOf returns what at most so many runs of each agent are.
func sumOf(needs []need, most int) (s sums) {
	for _, n := range needs {
		runs := float64(min(n.runs, uint64(most)))
		s.runs += runs
		s.calls += runs * n.calls
	}
	return s
}

// largest returns the largest number of runs of an agent up to most that is within a limit, at least 1.
func largest(needs []need, most int, limit sums) int {
	tooLarge := sort.Search(most, func(i int) bool { return !sumOf(needs, i+1).within(limit) })
	return max(tooLarge, 1)
}

// ofAgents sets the maximum number of runs of each agent within the limits. It is the same for each agent of a kind, so that those
// with few runs keep all of them. left are claimed agents of which none can be learned from: those that ran on the fewest days.
func (l sampleLimits) ofAgents(agents map[string]*AgentHistory) (most shares, left []string) {
	most = shares{l.perAgent, l.perAgent}
	if l.runs > 0 {
		var vouched, claimed []need
		for key, p := range agents {
			needs := []need{needOf(p.Clean), needOf(p.Alarmed)}
			if baseline.IsAsserted(key) {
				claimed = append(claimed, needs...)
			} else {
				vouched = append(vouched, needs...)
			}
		}
		all := sums{float64(l.runs), float64(l.calls)}
		wanted := sumOf(claimed, l.perAgent)
		own := sums{min(wanted.runs, all.runs/claimedShare), min(wanted.calls, all.calls/claimedShare)}
		most.vouched = largest(vouched, l.perAgent, sums{all.runs - own.runs, all.calls - own.calls})
		used := sumOf(vouched, most.vouched)
		rest := sums{max(all.runs-used.runs, own.runs), max(all.calls-used.calls, own.calls)}
		// With fewer runs none of them would be known.
		most.claimed = max(largest(claimed, l.perAgent, rest), min(baseline.MinAgentRuns, l.perAgent))
		if !sumOf(claimed, most.claimed).within(rest) {
			left = crowdedOut(agents, most.claimed, rest)
		}
	}
	for key, p := range agents {
		if p.most = most.vouched; baseline.IsAsserted(key) {
			p.most = most.claimed
		}
	}
	return most, left
}

// crowdedOut returns the claimed agents that have no place within a limit with so many runs of each.
func crowdedOut(agents map[string]*AgentHistory, most int, limit sums) []string {
	keys := claimedByDays(agents)
	var s sums
	for i, key := range keys {
		of := sumOf([]need{needOf(agents[key].Clean), needOf(agents[key].Alarmed)}, most)
		if s.runs, s.calls = s.runs+of.runs, s.calls+of.calls; !s.within(limit) {
			return keys[i:]
		}
	}
	return nil
}

// claimedByDays returns the claimed agents: those that ran on most days first, then those that were seen first.
func claimedByDays(agents map[string]*AgentHistory) (keys []string) {
	for key := range agents {
		if baseline.IsAsserted(key) {
			keys = append(keys, key)
		}
	}
	days := func(p *AgentHistory) int { return len(p.Clean) + len(p.Alarmed) }
	slices.SortFunc(keys, func(a, b string) int {
		p, q := agents[a], agents[b]
		return cmp.Or(cmp.Compare(days(q), days(p)), cmp.Compare(p.FirstAt, q.FirstAt), cmp.Compare(a, b))
	})
	return keys
}

// maxClaimedAgents is how many agents with claimed names are remembered while a history is read, several times as many as can be learned
// from.
const maxClaimedAgents = 4 * maxTaughtRuns

// addClaimed counts an agent with a claimed name. When there are too many, the half that ran on the fewest days so far is dropped.
func (h *history) addClaimed() {
	if h.claimed++; h.claimed <= maxClaimedAgents {
		return
	}
	for _, key := range claimedByDays(h.agents)[maxClaimedAgents/2:] {
		h.drop(key)
	}
}

// drop forgets an agent with a claimed name, and counts its runs.
func (h *history) drop(agent string) {
	p := h.agents[agent]
	for _, days := range [...]map[uint16]*Day{p.Clean, p.Alarmed} {
		for _, d := range days {
			h.dropped += d.Runs
		}
	}
	delete(h.agents, agent)
	h.claimed--
}
