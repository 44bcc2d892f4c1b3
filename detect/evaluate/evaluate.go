package evaluate

import (
	"bytes"
	"crypto/sha256"
	"math"
	"slices"
	"strconv"

	"flyball/detect/model/calibrate"
	"flyball/detect/model/scope"
	"flyball/detect/score"
	"flyball/schema"
)

// Levels are the shares of clean runs that may alarm.
var Levels = [2]float64{.01, .001}

func levelName(level float64) string { return strconv.FormatFloat(level, 'g', -1, 64) }

// judgedRun is a run with its scores by the detector of its fold.
type judgedRun struct {
	*Labelled
	path       []float64
	by         *Detector
	thresholds [len(Levels)]float64
}

// alarm returns the index of the first call whose score is above a level, or −1.
func (j *judgedRun) alarm(level int) int {
	return slices.IndexFunc(j.path, func(x float64) bool { return x > j.thresholds[level] })
}

// delay returns the number of calls from the onset to the alarm, including the alarming
// call. It is infinite when there is no alarm.
func (j *judgedRun) delay(level, onset int) float64 {
	i := j.alarm(level)
	if i < 0 {
		return math.Inf(1)
	}
	return float64(max(0, i-onset+1))
}

// Fold is a part of the data: the runs to learn from, and the runs that are scored.
type Fold struct {
	Train, Test, Runaways []*Labelled
	// Poison holds hijacked runs that are added to the training runs to measure poisoning.
	Poison []*Labelled
}

// fold holds the scored runs of a Fold.
type fold struct {
	detector                        *Detector
	negatives, hijacked, natural    []judgedRun
	runaways                        []judgedRun
	poisoned                        *Detector
	poisonedNegatives, poisonedHits []judgedRun
	test                            []*Labelled
	recurs                          map[string]*scope.LearnedScope // scope of the training runs, by peer group
}

func (d *Detector) judge(runs []*Labelled) []judgedRun {
	out := make([]judgedRun, len(runs))
	for i, r := range runs {
		out[i] = judgedRun{r, d.Scores(r), d, d.Thresholds(r.Agent, r.Group)}
	}
	return out
}

func judgeFold(f Fold) *fold {
	d := LearnDetector(f.Train)
	out := &fold{detector: d, test: f.Test, recurs: byGroup(f.Train)}
	negatives := capped(keep(f.Test, func(r *Labelled) bool { return r.Clean() || r.resisted() }), 30)
	hijacked := capped(keep(f.Test, (*Labelled).Hijacked), 25)
	out.negatives, out.hijacked = d.judge(negatives), d.judge(hijacked)
	out.natural = d.judge(keep(f.Test, (*Labelled).naturalRunaway))
	out.runaways = d.judge(keep(f.Runaways, func(*Labelled) bool { return true }))
	if n := int(.05 * float64(len(f.Train)) / .95); len(f.Poison) > 0 && n > 0 {
		poison := slices.Clone(f.Poison)
		slices.SortFunc(poison, func(a, b *Labelled) int { // a reproducible random order
			x, y := sha256.Sum256([]byte(a.ID)), sha256.Sum256([]byte(b.ID))
			return bytes.Compare(x[:], y[:])
		})
		out.poisoned = LearnDetector(append(slices.Clone(f.Train), poison[:min(n, len(poison))]...))
		out.poisonedNegatives, out.poisonedHits = out.poisoned.judge(negatives), out.poisoned.judge(hijacked)
	}
	return out
}

// Evaluate measures the detector on folds. It is deterministic. It calls progress with the number of folds that are done
// and the number of all folds.
func Evaluate(folds []Fold, view string, progress func(done, of int)) Report {
	judged := make([]*fold, len(folds))
	for i, f := range folds {
		judged[i] = judgeFold(f)
		progress(i+1, len(folds))
	}
	return report(judged, view)
}

func wilson(k, n int) [2]float64 {
	low, high := calibrate.Wilson(float64(k), float64(n))
	return [2]float64{round5(low), round5(high)}
}

func round5(x float64) float64 { return math.Round(x*1e5) / 1e5 }

// auroc returns the probability that a positive has a higher score than a negative; ties count half. It returns nil when
// there are no positives or no negatives.
func auroc(negatives, positives []float64) *float64 {
	if len(negatives) == 0 || len(positives) == 0 {
		return nil
	}
	n := slices.Clone(negatives)
	slices.Sort(n)
	sum := 0.0
	for _, p := range positives {
		below, _ := slices.BinarySearch(n, p)
		above, _ := slices.BinarySearchFunc(n, p, func(x, t float64) int {
			if x <= t {
				return -1
			}
			return 1
		})
		sum += float64(below) + float64(above-below)/2
	}
	v := math.Round(sum/float64(len(n))/float64(len(positives))*1e4) / 1e4
	return &v
}

// median returns the median, or nil when it is infinite or there are no values.
func median(v []float64) *float64 {
	if len(v) == 0 {
		return nil
	}
	s := slices.Clone(v)
	slices.Sort(s)
	m := s[len(s)/2]
	if len(s)%2 == 0 {
		m = (s[len(s)/2-1] + m) / 2
	}
	return finite(m)
}

// percentile90 returns the 90th percentile, rounded up to the next value of v, or nil when it is infinite.
func percentile90(v []float64) *float64 {
	if len(v) == 0 {
		return nil
	}
	s := slices.Clone(v)
	slices.Sort(s)
	return finite(s[int(math.Ceil(.9*float64(len(s)-1)-1e-9))])
}

func finite(x float64) *float64 {
	if math.IsInf(x, 0) || math.IsNaN(x) {
		return nil
	}
	return &x
}

// top returns the family with the highest score of the run.
func (j *judgedRun) top() string {
	var run score.RunScore
	for i := range j.Calls {
		run.Add(j.by.model, j.reference(), &j.Calls[i].Input, int64(i), schema.ReversibilityUnknown)
	}
	return run.TopFamily().String()
}
