package evaluate

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// ManyRuns holds the results of a decision procedure over many runs, of which a share
// are runaways: false alarms in 1,000 clean runs, the share of false alarms in all
// alarms, and the share of runaways that it detects.
type ManyRuns struct {
	Way      string `json:"way"`
	Runaways Figure `json:"runaways"` // share of runaways in the runs
	Per1000  Figure `json:"false_per_1000"`
	FDP      Figure `json:"false_share"`
	Seen     Figure `json:"seen"`
}

// Runs in a batch, batches for each share of runaways, and the level of the false discovery rate.
const (
	manyRuns    = 2000
	manyBatches = 10
	manyLevel   = .1
)

// manyWays are the procedures. They decide on p-values in the order of the runs.
var manyWays = []struct {
	name   string
	decide func(p []float64) []bool
}{
	{"threshold", func(p []float64) []bool { return decideThreshold(p, Levels[1]) }},
	{"e-BH", func(p []float64) []bool { return decideEBH(p, manyLevel) }},
	{"LORD++", func(p []float64) []bool { return decideLORD(p, manyLevel) }},
}

// decideOverManyRuns compares a fixed threshold with procedures that use all runs
// together, on randomly drawn final scores of clean runs and runaways.
func decideOverManyRuns(folds []*fold) (out []ManyRuns) {
	var clean, runaways []float64
	for _, f := range folds {
		for _, j := range f.negatives {
			clean = append(clean, j.p())
		}
		for _, j := range f.runaways {
			runaways = append(runaways, j.p())
		}
	}
	if len(clean) < manyRuns || len(runaways) == 0 {
		return nil
	}
	for _, share := range []float64{0, .001, .01, .1} {
		sums := make([]batchSums, len(manyWays))
		random := rand.New(rand.NewPCG(11, 11))
		for range manyBatches {
			b := drawBatch(random, clean, runaways, share)
			for w, way := range manyWays {
				sums[w].add(b, way.decide(b.p))
			}
		}
		for w, way := range manyWays {
			mean := func(i int) Figure { return math.Round(1e4*sums[w][i]/manyBatches) / 1e4 }
			out = append(out, ManyRuns{way.name, share, mean(0), mean(1), mean(2)})
		}
	}
	return out
}

// batch is a batch of runs in the order in which they end.
type batch struct {
	p        []float64 // of their final scores
	runaway  []bool
	runaways int
}

// drawBatch draws a batch with a share of runaways.
func drawBatch(random *rand.Rand, clean, runaways []float64, share float64) *batch {
	b := &batch{p: make([]float64, manyRuns), runaway: make([]bool, manyRuns), runaways: int(share * manyRuns)}
	for i := range b.p {
		if b.runaway[i] = i < b.runaways; b.runaway[i] {
			b.p[i] = runaways[random.IntN(len(runaways))]
		} else {
			b.p[i] = clean[random.IntN(len(clean))]
		}
	}
	random.Shuffle(manyRuns, func(i, j int) {
		b.p[i], b.p[j], b.runaway[i], b.runaway[j] = b.p[j], b.p[i], b.runaway[j], b.runaway[i]
	})
	return b
}

// batchSums are the sums of three figures over batches: false alarms in 1,000 clean runs, their share in all alarms, and the share of
// runaways that are detected.
type batchSums [3]float64

func (s *batchSums) add(b *batch, alarms []bool) {
	falseAlarms, found := 0.0, 0.0
	for i, alarm := range alarms {
		switch {
		case alarm && b.runaway[i]:
			found++
		case alarm:
			falseAlarms++
		}
	}
	s[0] += 1000 * falseAlarms / float64(manyRuns-b.runaways)
	s[1] += falseAlarms / max(1, falseAlarms+found)
	s[2] += found / float64(max(1, b.runaways))
}

// p returns the p-value of a run's final score.
func (j *judgedRun) p() float64 {
	p, _ := j.by.Baseline.Calibration.P(j.path[len(j.path)-1])
	return max(p, math.SmallestNonzeroFloat64)
}

func decideThreshold(p []float64, level float64) []bool {
	out := make([]bool, len(p))
	for i, v := range p {
		out[i] = v <= level
	}
	return out
}

// decideEBH applies the Benjamini-Hochberg procedure to e-values ½·p^−½ (Wang and Ramdas 2022).
// It can decide only after all runs have ended.
func decideEBH(p []float64, level float64) []bool {
	order := make([]int, len(p))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(p[a], p[b]) })
	last := -1
	for k, i := range order {
		if e := .5 / math.Sqrt(p[i]); e*float64(k+1) >= float64(len(p))/level {
			last = k
		}
	}
	out := make([]bool, len(p))
	for _, i := range order[:last+1] {
		out[i] = true
	}
	return out
}

// decideLORD applies LORD++ (Ramdas, Yang, Wainwright and Jordan 2017) with half of the level as the
// initial wealth. The threshold of a run depends on the alarms before it.
func decideLORD(p []float64, level float64) []bool {
	gamma := func(t int) float64 {
		x := math.Log(float64(max(t, 2)))
		return .0722 * x / (float64(t) * math.Exp(math.Sqrt(math.Log(float64(t)))))
	}
	wealth := level / 2
	out := make([]bool, len(p))
	var alarms []int
	for t := 1; t <= len(p); t++ {
		at := wealth * gamma(t)
		for k, a := range alarms {
			if k == 0 {
				at += (level - wealth) * gamma(t-a)
			} else {
				at += level * gamma(t-a)
			}
		}
		if p[t-1] <= at {
			out[t-1] = true
			alarms = append(alarms, t)
		}
	}
	return out
}
