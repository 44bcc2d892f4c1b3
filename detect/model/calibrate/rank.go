package calibrate

import (
	"cmp"
	"math"
	"slices"
)

// Rank is the empirical distribution of the scores of clean runs of an agent, a peer group or a tenant. Each run was
// scored by a baseline that was learned without it. All of the highest scores are kept, and a part of the others.
type Rank struct {
	Runs float64 `json:"runs"` // sum of weights
	// Above[i] is the weight of the runs with scores above Scores[i]. Scores is sorted with the highest
	// first.
	Scores []float64 `json:"scores"`
	Above  []float64 `json:"above"`
}

// rankSpacing limits how many runs may lie between two kept scores: a 1/rankSpacing share of the runs with higher
// scores.
const rankSpacing = 4

// rankParts is the precision of the scores and weights of a rank, in parts of 1. They are rounded up, so that no score
// looks rarer than it is.
const rankParts = 1000

func newRank(scores, weights []float64) (r Rank) {
	order := make([]int, len(scores))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[b], scores[a]) })
	up := func(x float64) float64 { return math.Ceil(x*rankParts) / rankParts }
	above, skipped := 0.0, 0
	for i := 0; i < len(order); {
		s, tied := up(scores[order[i]]), 0.0
		next := i
		for next < len(order) && up(scores[order[next]]) == s {
			tied += weights[order[next]]
			next++
		}
		if skipped+next-i >= i/rankSpacing || next == len(order) {
			r.Scores, r.Above = append(r.Scores, s), append(r.Above, up(above))
			skipped = 0
		} else {
			skipped += next - i
		}
		above, i = above+tied, next
	}
	r.Runs = up(above)
	return r
}

// P returns a conformal p-value (Vovk, Gammerman and Shafer 2005): the share of the runs
// that reach a score, with the scored run included. For a run like the others,
// P ≤ a with probability at most a. reached reports whether any run of the rank reached the score.
func (r *Rank) P(score float64) (p float64, reached bool) {
	n := 0.0
	for i, s := range r.Scores {
		if score > s && i < len(r.Above) {
			n = r.Above[i]
			break
		}
		n = r.Runs
	}
	return probability((1 + n) / (1 + r.Runs)), n > 0
}

// Ranks holds the ranks of a tenant, of peer groups and of agents. Groups and agents with too few runs have none.
type Ranks struct {
	All    Rank            `json:"all"`
	Groups map[string]Rank `json:"groups,omitempty"`
	Agents map[string]Rank `json:"agents,omitempty"`
}

// minRankRuns is the minimum number of runs of a rank: with fewer, the share of one run is too large.
const minRankRuns = 60

// HeldOutScore is the score of a run by a baseline that was learned without it.
type HeldOutScore struct {
	Agent, Group  string
	Score, Weight float64
	// Own is the weight in the agent's own rank. It is 0 when the baseline was learned without any run of the
	// agent: then the score shows how unusual an unknown agent is.
	Own float64
}

// NewRanks ranks scores by agent, by group and for the tenant. It leaves out the same scores as FitScores.
func NewRanks(held []HeldOutScore) Ranks {
	type list struct{ scores, weights []float64 }
	var all list
	groups, agents := map[string]*list{}, map[string]*list{}
	add := func(to map[string]*list, name string, score, weight float64) {
		l := to[name]
		if l == nil {
			l = &list{}
			to[name] = l
		}
		l.scores, l.weights = append(l.scores, score), append(l.weights, weight)
	}
	for i := range held {
		h := &held[i]
		if !isUsable(h.Score, h.Weight) {
			continue
		}
		all.scores, all.weights = append(all.scores, h.Score), append(all.weights, h.Weight)
		add(groups, h.Group, h.Score, h.Weight)
		if isUsable(h.Score, h.Own) {
			add(agents, h.Agent, h.Score, h.Own)
		}
	}
	of := func(lists map[string]*list) map[string]Rank {
		out := map[string]Rank{}
		for name, l := range lists {
			if r := newRank(l.scores, l.weights); r.Runs >= minRankRuns {
				out[name] = r
			}
		}
		return out
	}
	return Ranks{All: newRank(all.scores, all.weights), Groups: of(groups), Agents: of(agents)}
}

// The runs from which an expected rate was computed.
const (
	BasisOwn       = "own"       // of the agent
	BasisPeers     = "peers"     // of its peers, because too few runs of the agent are known
	BasisEverybody = "everybody" // of the tenant, because too few runs of the peers are known
	BasisTail      = "tail"      // no run reached the score: the rate is from the tail fitted to the tenant's runs
)

// ExpectedRate is the share of clean runs that reach a score.
type ExpectedRate struct {
	Rate  float64
	Basis string
	// Beyond reports that the rate is smaller than the data can show.
	Beyond bool
	// Runs is the number of clean runs that the score was compared with, rounded down.
	Runs uint64
}

// Expected returns the share of clean runs of an agent that reach a score: by its own runs when enough are known, or else
// by the runs of its peers, or else by all runs of the tenant. When none of these runs reached the score, the rate is
// that of the fitted tail if that is smaller.
func (r *Ranks) Expected(f *Fit, agent, group string, score float64) ExpectedRate {
	of, by := BasisOwn, r.Agents[agent]
	if by.Runs < minRankRuns {
		of, by = BasisPeers, r.Groups[group]
	}
	if by.Runs < minRankRuns {
		of, by = BasisEverybody, r.All
	}
	tail, beyond := f.P(score)
	runs := uint64(by.Runs)
	if by.Runs < minRankRuns {
		if beyond {
			return ExpectedRate{tail, BasisTail, true, runs}
		}
		return ExpectedRate{tail, BasisEverybody, false, runs}
	}
	p, reached := by.P(score)
	if !reached && tail < p {
		return ExpectedRate{tail, BasisTail, true, runs}
	}
	return ExpectedRate{p, of, false, runs}
}
