package calibrate

import (
	"cmp"
	"math"
	"slices"
)

// Rank is what clean runs of some came to, each scored by a baseline that had not
// seen it: the highest scores one by one, of the others one in so many.
type Rank struct {
	Runs float64 `json:"runs"` // sum of weights
	// Above[i] is the weight of the runs that came further than Scores[i]; the highest
	// score is the first.
	Scores []float64 `json:"scores"`
	Above  []float64 `json:"above"`
}

// Between two scores that a rank keeps lie at most one in ranksApart of the runs that
// came further.
const rankSpacing = 4

// Scores and weights of a rank are kept to so many parts of 1, rounded so that no run
// comes to look rarer.
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

// P is a conformal p-value (Vovk, Gammerman and Shafer 2005): the share of the runs
// that come at least as far, the one in question counted among them. Of a run like
// them P ≤ a with probability at most a. reached reports that any came as far.
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

// Ranks are those of agents and of their peers. What too few runs are known of has none.
type Ranks struct {
	All    Rank            `json:"all"`
	Groups map[string]Rank `json:"groups,omitempty"`
	Agents map[string]Rank `json:"agents,omitempty"`
}

// minRankRuns is how many runs a rank needs: with fewer, one run more is too large a share.
const minRankRuns = 60

// HeldOutScore is the score of a run by a baseline that had not seen it.
type HeldOutScore struct {
	Agent, Group  string
	Score, Weight float64
	// Own is the weight in the agent's own rank; 0: the baseline had seen no run of the
	// agent at all, which says how far strangers come and not how far the agent does.
	Own float64
}

// NewRanks ranks scores. What FitScores leaves out is left out.
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

// Whose runs an expected rate is of.
const (
	BasisOwn       = "own"       // of the agent
	BasisPeers     = "peers"     // of its peers: too few of its own are known
	BasisEverybody = "everybody" // of the tenant
	BasisTail      = "tail"      // of nobody's: none came as far, and the tail that is fitted to the tenant's says how rare it is
)

// ExpectedRate is how often clean runs come as far as a score.
type ExpectedRate struct {
	Rate  float64
	Basis string
	// Beyond says that the rate is less than what one run more could show.
	Beyond bool
}

// Expected is how often clean runs of an agent come as far as a score: of its own runs
// where enough are known, or else of its peers', or else of everybody's. Where none of
// them came as far the fitted tail may say that it is rarer still.
func (r *Ranks) Expected(f *Fit, agent, group string, score float64) ExpectedRate {
	of, by := BasisOwn, r.Agents[agent]
	if by.Runs < minRankRuns {
		of, by = BasisPeers, r.Groups[group]
	}
	if by.Runs < minRankRuns {
		of, by = BasisEverybody, r.All
	}
	tail, beyond := f.P(score)
	if by.Runs < minRankRuns {
		if beyond {
			return ExpectedRate{tail, BasisTail, true}
		}
		return ExpectedRate{tail, BasisEverybody, false}
	}
	p, reached := by.P(score)
	if !reached && tail < p {
		return ExpectedRate{tail, BasisTail, true}
	}
	return ExpectedRate{p, of, false}
}
