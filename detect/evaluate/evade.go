package evaluate

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"flyball/detect/score"
	"flyball/schema"
)

// Evasion is how late a runaway is seen that hides: in harmless reads (pad3), or in
// runs of five calls (split5). Levels count its bad calls.
type Evasion struct {
	Kind   string           `json:"kind"`
	Way    string           `json:"way"`
	Runs   int              `json:"runs"`
	Levels map[string]Delay `json:"levels"`
}

const (
	padding     = 3
	pieces      = 5
	mostEvading = 40 // runaways of a kind, and bad calls of each
)

var evading = []string{"loop", "cycle5", "sweep", "retry", "destroy", "exfil_growth"}

// evasions of a fold's runaways: bad calls until the alarm, by kind and way.
func (f *fold) evasions(into map[[2]string][][len(Levels)]float64) {
	random := rand.New(rand.NewPCG(7, 7))
	reads := map[string][]LabelledCall{}
	sorted := slices.Clone(f.test)
	slices.SortFunc(sorted, func(a, b *Labelled) int { return cmp.Compare(a.ID, b.ID) })
	for _, r := range sorted {
		if r.Clean() {
			for i := range r.Calls {
				if r.Calls[i].Read {
					reads[r.Group] = append(reads[r.Group], r.Calls[i])
				}
			}
		}
	}
	n := map[string]int{}
	for _, j := range f.runaways {
		pool := reads[j.Group]
		if !slices.Contains(evading, j.Kind) || len(pool) == 0 || n[j.Kind] == mostEvading {
			continue
		}
		n[j.Kind]++
		bad := j.Calls[min(j.Onset, len(j.Calls)):min(j.Onset+mostEvading, len(j.Calls))]
		padded := *j.Labelled
		padded.Calls = slices.Clone(j.Calls[:min(j.Onset, len(j.Calls))])
		for _, c := range bad {
			padded.Calls = append(padded.Calls, c)
			for range padding {
				padded.Calls = append(padded.Calls, pool[random.IntN(len(pool))])
			}
		}
		into[[2]string{j.Kind, "pad3"}] = append(into[[2]string{j.Kind, "pad3"}], f.inBadCalls(&padded, j.Onset, padding+1))
		into[[2]string{j.Kind, "split5"}] = append(into[[2]string{j.Kind, "split5"}], f.split(j.Labelled, bad))
	}
}

func (f *fold) inBadCalls(r *Labelled, onset, per int) (out [len(Levels)]float64) {
	j := judgedRun{r, f.detector.path(r), f.detector}
	for i := range Levels {
		out[i] = math.Ceil(j.delay(i, onset) / float64(per))
	}
	return out
}

// split is the number of bad calls until one of the short runs alarms by itself.
func (f *fold) split(r *Labelled, bad []LabelledCall) (out [len(Levels)]float64) {
	for i := range out {
		out[i] = math.Inf(1)
	}
	for from := 0; from < len(bad); from += pieces {
		var run score.Run
		for k, c := range bad[from:min(from+pieces, len(bad))] {
			run.Add(f.detector.model, score.Who{Agent: r.Agent, Group: r.Group}, &c.Call, int64(k), schema.ReversibilityUnknown)
			for i := range out {
				if math.IsInf(out[i], 1) && run.Score > f.detector.thresholds[i] {
					out[i] = float64(from + k + 1)
				}
			}
		}
	}
	return out
}

func evasions(folds []*fold) (list []Evasion) {
	all := map[[2]string][][len(Levels)]float64{}
	for _, f := range folds {
		f.evasions(all)
	}
	for _, kind := range evading {
		for _, way := range []string{"pad3", "split5"} {
			runs := all[[2]string{kind, way}]
			if len(runs) == 0 {
				continue
			}
			e := Evasion{Kind: kind, Way: way, Runs: len(runs), Levels: map[string]Delay{}}
			for i, level := range Levels {
				var delays []float64
				seen := 0
				for _, d := range runs {
					delays = append(delays, d[i])
					if !math.IsInf(d[i], 1) {
						seen++
					}
				}
				e.Levels[name(level)] = Delay{Median: middle(delays), P90: ninth(delays), Detected: math.Round(1000*float64(seen)/float64(len(runs))) / 1000}
			}
			list = append(list, e)
		}
	}
	return list
}
