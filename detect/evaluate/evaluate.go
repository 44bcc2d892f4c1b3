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
	path   []float64
	limits [][len(Levels)]float64 // scores above which it alarms, at each call
	by     *Detector
	class  schema.Acquaintance
}

// alarm returns the index of the first call whose score is above a level, or −1.
func (j *judgedRun) alarm(level int) int {
	for i, x := range j.path {
		if x > j.limits[i][level] {
			return i
		}
	}
	return -1
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
		path, limits := follow(r, func(int) *Detector { return d })
		out[i] = judgedRun{r, path, limits, d, d.Baseline.Acquaintance(r.Agent, r.Group)}
	}
	return out
}

// maxNegatives is the maximum number of clean and resisted runs of an agent that are scored.
const maxNegatives = 30

// negative reports whether an alarm of the run is a false one.
func (r *Labelled) negative() bool { return r.Clean() || r.resisted() }

// judgeAlarms scores what thresholds are judged by: the negatives and the runaways of a fold.
func judgeAlarms(f Fold) *fold {
	d := LearnDetector(f.Train)
	return &fold{detector: d, test: f.Test, negatives: d.judge(capped(keep(f.Test, (*Labelled).negative), maxNegatives)),
		runaways: d.judge(keep(f.Runaways, func(*Labelled) bool { return true }))}
}

func judgeFold(f Fold) *fold {
	out := judgeAlarms(f)
	d := out.detector
	out.recurs = byGroup(f.Train)
	hijacked := capped(keep(f.Test, (*Labelled).Hijacked), 25)
	out.hijacked, out.natural = d.judge(hijacked), d.judge(keep(f.Test, (*Labelled).naturalRunaway))
	if n := int(.05 * float64(len(f.Train)) / .95); len(f.Poison) > 0 && n > 0 {
		poison := slices.Clone(f.Poison)
		slices.SortFunc(poison, func(a, b *Labelled) int { // a reproducible random order
			x, y := sha256.Sum256([]byte(a.ID)), sha256.Sum256([]byte(b.ID))
			return bytes.Compare(x[:], y[:])
		})
		out.poisoned = LearnDetector(append(slices.Clone(f.Train), poison[:min(n, len(poison))]...))
		out.poisonedNegatives = out.poisoned.judge(capped(keep(f.Test, (*Labelled).negative), maxNegatives))
		out.poisonedHits = out.poisoned.judge(hijacked)
	}
	return out
}

// Parts holds the folds of an evaluation.
type Parts struct {
	// Folds are those of the figures of agents and populations that were learned.
	Folds []Fold
	// WithoutGroup each leave out one peer group, WithoutAgents each leave out agents whose peers are learned. They may be
	// empty.
	WithoutGroup, WithoutAgents []Fold
	// Growth: also simulate how the population of each fold of WithoutGroup becomes known.
	Growth bool
}

// Evaluate measures the detector on folds. It is deterministic. It calls progress with the number of baselines that
// are done and the number of all of them.
func Evaluate(parts Parts, view string, progress func(done, of int)) Report {
	done, of := 0, len(parts.Folds)+len(parts.WithoutGroup)+len(parts.WithoutAgents)
	if parts.Growth {
		of += growthSteps * len(parts.WithoutGroup)
	}
	step := func() {
		done++
		progress(done, of)
	}
	all := func(folds []Fold, judge func(Fold) *fold) []*fold {
		judged := make([]*fold, len(folds))
		for i, f := range folds {
			judged[i] = judge(f)
			step()
		}
		return judged
	}
	r := report(all(parts.Folds, judgeFold), view)
	r.Strangers, r.NewAgents = strangers(all(parts.WithoutGroup, judgeAlarms)), newAgents(all(parts.WithoutAgents, judgeAlarms))
	if parts.Growth {
		r.Growth = simulateGrowth(parts.WithoutGroup, step)
	}
	return r
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
