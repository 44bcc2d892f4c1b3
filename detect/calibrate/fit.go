package calibrate

import (
	"cmp"
	"math"
	"slices"
)

// Fit is the distribution of the final scores of clean runs, each scored by a
// baseline that had not seen it.
type Fit struct {
	Runs float64 `json:"runs"` // sum of weights
	// Empirical tail: At[i] is the share of runs whose score is at least Scores[i].
	Scores []float64 `json:"scores"`
	At     []float64 `json:"at"`
	// T5 and T1 are the scores that 5 % and 1 % of clean runs exceed.
	T5 float64 `json:"t5"`
	T1 float64 `json:"t1"`
	// Exponential tail beyond U: P(S > s) = PU · exp(−(s−U)/Beta) (peaks over threshold, Pickands 1975, with shape 0).
	U    float64 `json:"u"`
	Beta float64 `json:"beta"`
	PU   float64 `json:"pu"`
}

// Shares of clean runs that may reach a level. That of a trip is the operator's.
const (
	NoticeShare = .05
	AlertShare  = .01
	// ActorShare of clean runs may have their actor alerted on, over and above.
	ActorShare = .0006
)

// Winsorise is what scores above it count as in the fit of the tail: one outlier
// must not set the scale.
const Winsorise = 8

const (
	tailFrom  = .97 // the tail is fitted beyond this quantile
	leastBeta = .05
	// AtLeastApart keeps the trip threshold above the alert threshold.
	leastApart = .2
	// points kept of the empirical tail
	mostPoints = 1024
)

// Of fits the scores with their weights. Without scores the fit answers 1 to
// everything and never alarms.
func Of(scores, weights []float64) Fit {
	n := len(scores)
	if n == 0 {
		return Fit{T5: math.MaxFloat64, T1: math.MaxFloat64, U: math.MaxFloat64, Beta: 1}
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(scores[a], scores[b]) })
	v, w, total := make([]float64, n), make([]float64, n), 0.0
	for i, o := range order {
		v[i], w[i] = scores[o], weights[o]
		total += w[i]
	}
	// atLeast[i] is the weight from i up; above excludes i itself.
	atLeast := make([]float64, n)
	sum := 0.0
	for i := n - 1; i >= 0; i-- {
		sum += w[i]
		atLeast[i] = sum
	}
	f := Fit{Runs: total}
	f.T5, f.T1 = exceeded(v, w, atLeast, total, NoticeShare), exceeded(v, w, atLeast, total, AlertShare)
	f.tail(v, w, total)
	f.keep(v, atLeast, total)
	return f
}

// exceeded is the score that a share of the weight lies above, interpolated
// between the scores around it.
func exceeded(v, w, atLeast []float64, total, share float64) float64 {
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
	f.U = min(v[at], Winsorise)
	mass, excess := 0.0, 0.0
	for i := range v {
		if x := min(v[i], Winsorise); x > f.U {
			mass += w[i]
			excess += w[i] * (x - f.U)
		}
	}
	if mass == 0 {
		// Nothing lies beyond: the tail is assumed to fall by a factor of e in
		// one unit of score, from the weight of one run.
		f.PU, f.Beta = 1/(total+1), 1
		return
	}
	f.PU, f.Beta = mass/total, max(excess/mass, leastBeta)
}

// keep thins the empirical tail: all of the highest scores, some of the rest.
func (f *Fit) keep(v, atLeast []float64, total float64) {
	from := max(len(v)-mostPoints/2, 0)
	every := max(from/(mostPoints/2), 1)
	for i := range v {
		if i < from && i%every != 0 || i > 0 && v[i] == v[i-1] {
			continue
		}
		f.Scores = append(f.Scores, v[i])
		f.At = append(f.At, atLeast[i]/total)
	}
}

// P is the share of clean runs that come as far as a score. beyond says that
// the answer comes from the fitted tail, past what one run in Runs can show.
func (f *Fit) P(score float64) (p float64, beyond bool) {
	if f.Runs == 0 {
		return 1, false
	}
	if score > f.U {
		p = f.PU * math.Exp(-(score-f.U)/f.Beta)
		return p, p < 1/(f.Runs+1)
	}
	i, _ := slices.BinarySearch(f.Scores, score)
	if i == len(f.At) {
		return f.PU, false
	}
	return f.At[i], false
}

// Threshold is the score that a share of clean runs exceeds: empirical down to
// 1 %, the fitted tail below. It is never less than −ln(share), where the scale
// of scores would have it: a history of runs that are all alike must not make
// the first one that differs an alarm.
func (f *Fit) Threshold(share float64) float64 {
	fitted := max(f.U+f.Beta*math.Log(f.PU/share), f.T1+leastApart)
	switch {
	case f.Runs == 0:
		return math.MaxFloat64
	case share >= NoticeShare:
		fitted = f.T5
	case share >= AlertShare:
		fitted = f.T1
	}
	return max(fitted, -math.Log(share))
}
