package calibrate

import (
	"cmp"
	"math"
	"slices"
)

// Fit is the distribution of the final scores of clean runs. Each run was scored by a
// baseline that was learned without it.
type Fit struct {
	Runs float64 `json:"runs"` // sum of weights
	// Scores and At are the empirical tail: At[i] is the share of runs whose score is at least Scores[i].
	Scores []float64 `json:"scores"`
	At     []float64 `json:"at"`
	// T5 and T1 are the scores that 5 % and 1 % of clean runs exceed.
	T5 float64 `json:"t5"`
	T1 float64 `json:"t1"`
	// U, Beta and PU are the exponential tail beyond U: P(S > s) = PU · exp(−(s−U)/Beta) (peaks over threshold, Pickands
	// 1975, with shape 0).
	U    float64 `json:"u"`
	Beta float64 `json:"beta"`
	PU   float64 `json:"pu"`
}

// Shares of clean runs that may reach a level. The operator sets the share for trips.
const (
	NoticeShare = .05
	AlertShare  = .01
	// ActorShare is the additional share of clean runs whose actor may be alerted on.
	ActorShare = .0006
)

// MaxTailScore limits scores in the fit of the tail, so that one outlier does not determine its scale.
const MaxTailScore = 8

const (
	tailFrom = .97 // the tail is fitted beyond this quantile
	minBeta  = .05
	// minThresholdGap is the minimum distance of the trip threshold from the alert threshold.
	minThresholdGap = .2
	// maxPoints is about how many points of the empirical tail are kept.
	maxPoints = 1024
)

// FitScores fits the distribution of scores with weights. It leaves out scores that are not finite or have no positive
// weight. Without scores, P of the fit is always 1 and its thresholds are never exceeded.
func FitScores(scores, weights []float64) Fit {
	var order []int
	for i, s := range scores {
		if isUsable(s, weights[i]) {
			order = append(order, i)
		}
	}
	n := len(order)
	if n == 0 {
		return Fit{T5: math.MaxFloat64, T1: math.MaxFloat64, U: math.MaxFloat64, Beta: 1}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[a], scores[b]) })
	v, w, total := make([]float64, n), make([]float64, n), 0.0
	for i, o := range order {
		v[i], w[i] = scores[o], weights[o]
		total += w[i]
	}
	// atLeast[i] is the sum of the weights from i on.
	atLeast := make([]float64, n)
	sum := 0.0
	for i := n - 1; i >= 0; i-- {
		sum += w[i]
		atLeast[i] = sum
	}
	f := Fit{Runs: total}
	f.T5, f.T1 = quantile(v, w, atLeast, total, NoticeShare), quantile(v, w, atLeast, total, AlertShare)
	f.tail(v, w, total)
	f.keep(v, atLeast, total)
	return f
}

// isUsable reports whether a score is finite and its weight is finite and positive.
func isUsable(score, weight float64) bool {
	return weight > 0 && !math.IsInf(weight, 0) && !math.IsNaN(score) && !math.IsInf(score, 0)
}

// quantile returns the score that a share of the weight exceeds, interpolated
// between the two nearest scores.
func quantile(v, w, atLeast []float64, total, share float64) float64 {
	above := func(i int) float64 { return (atLeast[i] - w[i]) / total }
	for j := range v {
		if above(j) > share {
			continue
		}
		if j == 0 {
			return v[0]
		}
		part := max((above(j-1)-share)/max(above(j-1)-above(j), 1e-9), 0)
		return v[j-1] + (v[j]-v[j-1])*min(part, 1)
	}
	return v[len(v)-1]
}

func (f *Fit) tail(v, w []float64, total float64) {
	at, sum := len(v)-1, 0.0
	for i := range v {
		sum += w[i]
		if sum >= tailFrom*total {
			at = i
			break
		}
	}
	f.U = min(v[at], MaxTailScore)
	mass, excess, there := 0.0, 0.0, 0.0
	for i := range v {
		if v[i] > f.U {
			mass += w[i]
			excess += w[i] * (min(v[i], MaxTailScore) - f.U)
		}
		if v[i] >= f.U {
			there += w[i]
		}
	}
	if excess == 0 {
		// No score exceeds U by a usable amount: assume that the tail falls by a factor of e in one unit of score, from the
		// share of one run or of the runs at or above U.
		f.PU, f.Beta = max(mass/total, min(1/(total+1), there/total)), 1
		return
	}
	f.PU, f.Beta = mass/total, max(excess/mass, minBeta)
}

// keep stores the empirical tail: all of the highest maxPoints/2 scores, and of the rest about one in every `every`.
func (f *Fit) keep(v, atLeast []float64, total float64) {
	from := max(len(v)-maxPoints/2, 0)
	every := max(from/(maxPoints/2), 1)
	kept := 0 // runs up to and with the last score that was kept
	for i := 0; i < len(v); {
		next := i + 1
		for next < len(v) && v[next] == v[i] {
			next++
		}
		if next > from || next-kept >= every {
			f.Scores, f.At = append(f.Scores, v[i]), append(f.At, atLeast[i]/total)
			kept = next
		}
		i = next
	}
}

// P returns the share of clean runs that reach a score. beyond reports that the share comes from the fitted tail and
// is smaller than 1/(Runs+1), the smallest share that the data can show.
func (f *Fit) P(score float64) (p float64, beyond bool) {
	if f.Runs == 0 || math.IsNaN(score) {
		return 1, false
	}
	if score > f.U {
		p = probability(f.PU * math.Exp(-(score-f.U)/f.Beta))
		return p, p < 1/(f.Runs+1)
	}
	i, _ := slices.BinarySearch(f.Scores, score)
	if i >= len(f.At) {
		return probability(f.PU), false
	}
	return probability(f.At[i]), false
}

// probability returns p, or 1 when p is not a probability.
func probability(p float64) float64 {
	if p >= 0 && p <= 1 {
		return p
	}
	return 1
}

// Threshold returns the score that a share of clean runs exceeds: T5 from 5 % on, T1 between 1 % and 5 %, and by the
// fitted tail below 1 %. It is at least −ln(share), the threshold that the scale of scores implies, so that after a
// history of equal runs the first different run does not alarm. For a share of 0 it is a number that no score exceeds.
func (f *Fit) Threshold(share float64) float64 {
	fitted := max(f.U+f.Beta*math.Log(f.PU/share), f.T1+minThresholdGap)
	switch {
	case f.Runs == 0:
		return math.MaxFloat64
	case share >= NoticeShare:
		fitted = f.T5
	case share >= AlertShare:
		fitted = f.T1
	}
	if math.IsNaN(fitted) || !(share > 0) {
		return math.MaxFloat64
	}
	return min(max(fitted, -math.Log(share)), math.MaxFloat64)
}
