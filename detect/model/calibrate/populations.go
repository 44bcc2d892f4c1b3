package calibrate

import (
	"maps"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat/distuv"
)

// Populations holds the scores of clean runs of peer groups, each by a baseline that was learned without the group: how
// unusual clean runs of a population look that nobody has learned.
type Populations struct {
	Groups map[string]Rank `json:"groups,omitempty"`
}

// MinPopulations is the minimum number of groups. A new population has a higher rate than each of n known ones with
// probability 1/(n+1): with fewer groups, nothing is known about the rate.
const MinPopulations = 4

// Calibrated reports whether there are enough groups for a threshold.
func (p *Populations) Calibrated() bool { return len(p.Groups) >= MinPopulations }

// budgetConfidence is the confidence with which the data must show that a threshold is exceeded too often before it is
// raised.
const budgetConfidence = .95

// MaxRaise is the most by which a threshold is raised above that of all runs, on the scale of scores: a factor of ten in
// rarity. Without a limit a few clean runs that are loops would make a class deaf.
const MaxRaise = math.Ln10

// Threshold returns the score above which a run of a new population reaches a level that a share of clean runs may
// reach. It is −ln(share), the threshold that the anchored scale of the statistics of strangers implies, and is raised
// to the lowest score at which the mean rate of the groups is not above the share with 95 % confidence: the lower limit of
// the one-sided t interval of the mean (Student 1908), with one rate for each group. Groups differ much more than runs
// do, so that the runs alone would claim a confidence that few groups cannot give. It is raised by at most MaxRaise. For a
// share of 0 it is a number that no score exceeds.
func (p *Populations) Threshold(share float64) float64 {
	threshold, _ := p.threshold(share)
	return threshold
}

// Holds reports whether the groups keep the share at the threshold, or exceed it also at the highest one.
func (p *Populations) Holds(share float64) bool {
	_, holds := p.threshold(share)
	return holds
}

func (p *Populations) threshold(share float64) (threshold float64, holds bool) {
	if !(share > 0) {
		return math.MaxFloat64, true
	}
	threshold = max(-math.Log(share), 0)
	if len(p.Groups) < 2 {
		return threshold, true
	}
	most := threshold + MaxRaise
	var scores []float64
	for _, r := range p.Groups {
		for _, s := range r.Scores {
			if s > threshold && s < most {
				scores = append(scores, s)
			}
		}
	}
	slices.Sort(scores)
	lower := p.newRateLimit()
	for _, next := range append(slices.Compact(scores), most) {
		if lower.at(threshold) <= share {
			return threshold, true
		}
		threshold = next
	}
	return threshold, lower.at(threshold) <= share
}

// MeanRate returns the mean share of a group's runs that exceed a score, and the number of runs of all groups.
func (p *Populations) MeanRate(score float64) (rate float64, runs uint64) {
	for _, name := range slices.Sorted(maps.Keys(p.Groups)) { // sorted, so that sums are reproducible
		r := p.Groups[name]
		rate += r.above(score) / float64(len(p.Groups))
		runs += uint64(r.Runs)
	}
	return rate, runs
}

// rateLimit computes lower limits of the mean share of a group's runs above a score.
type rateLimit struct {
	groups   []Rank
	rates    []float64
	quantile float64 // of Student's t
}

func (p *Populations) newRateLimit() *rateLimit {
	l := &rateLimit{rates: make([]float64, len(p.Groups)),
		quantile: distuv.StudentsT{Mu: 0, Sigma: 1, Nu: float64(len(p.Groups)) - 1}.Quantile(budgetConfidence)}
	for _, name := range slices.Sorted(maps.Keys(p.Groups)) { // sorted, so that sums are reproducible
		l.groups = append(l.groups, p.Groups[name])
	}
	return l
}

func (l *rateLimit) at(score float64) float64 {
	n := float64(len(l.groups))
	mean, squares := 0.0, 0.0
	for i := range l.groups {
		l.rates[i] = l.groups[i].above(score)
		mean += l.rates[i] / n
	}
	for _, x := range l.rates {
		squares += (x - mean) * (x - mean)
	}
	return mean - l.quantile*math.Sqrt(squares/(n-1)/n)
}

// above returns the share of the runs with scores above a score.
func (r *Rank) above(score float64) float64 {
	n := 0.0
	for i, s := range r.Scores {
		if s <= score && i < len(r.Above) {
			return probability(r.Above[i] / r.Runs)
		}
		n = r.Runs
	}
	return probability(n / max(r.Runs, 1))
}

// Raised returns the lowest score, at or above a threshold, above which a share of runs like these may be: the lower limit
// of Wilson's 95 % interval of their share above it is at most share. The threshold itself is returned unless the runs
// show that it is exceeded too often.
func (r *Rank) Raised(threshold, share float64) float64 {
	for i := len(r.Scores) - 1; i >= 0; i-- {
		if low, _ := Wilson(r.above(threshold)*r.Runs, r.Runs); low <= share {
			break
		}
		threshold = max(threshold, r.Scores[i])
	}
	return threshold
}

// NewRank ranks scores. It leaves out the same scores as FitScores.
func NewRank(scores, weights []float64) Rank {
	var s, w []float64
	for i := range scores {
		if isUsable(scores[i], weights[i]) {
			s, w = append(s, scores[i]), append(w, weights[i])
		}
	}
	return newRank(s, w)
}

// NewPopulations ranks the scores of groups with at least minRuns runs. It leaves out the same scores as FitScores.
func NewPopulations(held []HeldOutScore, minRuns float64) Populations {
	type list struct{ scores, weights []float64 }
	groups := map[string]*list{}
	for i := range held {
		h := &held[i]
		if !isUsable(h.Score, h.Weight) {
			continue
		}
		l := groups[h.Group]
		if l == nil {
			l = &list{}
			groups[h.Group] = l
		}
		l.scores, l.weights = append(l.scores, h.Score), append(l.weights, h.Weight)
	}
	out := Populations{Groups: map[string]Rank{}}
	for name, l := range groups {
		if r := newRank(l.scores, l.weights); r.Runs >= minRuns {
			out.Groups[name] = r
		}
	}
	return out
}
