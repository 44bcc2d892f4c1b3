package learn

import (
	"crypto/sha256"
	"encoding/binary"
	"runtime"

	"flyball/detect/model/baseline"
	"flyball/detect/model/calibrate"
	"flyball/detect/score"
	"flyball/schema"
)

// folds is the number of folds of the cross-validation that calibrates the thresholds.
const folds = 10

// Alarmed runs without a person's label take part in the calibration. Without them every refit would cut off the tail
// that the last one alarmed on, and the thresholds would fall from refit to refit (TestFiftyRefitsKeepTheRate).
// Their influence is limited, because some of them are attacks.
const (
	// maxAlarmedShare limits the weight of all alarmed runs together, as a share of the number of the other runs. Twice
	// the share of runs that may alert is enough for thresholds that alarm too often to rise again.
	maxAlarmedShare = 2 * calibrate.AlertShare
	// maxAlarmedScore limits the score of an alarmed run, unless a run that did not alarm has a higher score: then that
	// score is the limit, because a lower one would cut off the tail.
	maxAlarmedScore = calibrate.MaxTailScore
)

// Fit makes a baseline of runs. If they have more than maxTaughtRoutes routes, it changes the names of the others. It counts the runs that
// did not alarm, were not marked as outliers and were inside their scope. It calibrates by scoring each run with counts that contain
// neither its task nor its agent.
func Fit(tenant string, runs []*baseline.TrainingRun) *baseline.Baseline {
	left := limitRoutes(runs)
	back := outsideScope(runs)
	teaches := func(r *baseline.TrainingRun) bool { return !r.Alarmed && !r.Trimmed && !back[r] }
	var clean []*baseline.TrainingRun
	for _, r := range runs {
		r.Outside = back[r]
		if teaches(r) {
			clean = append(clean, r)
		}
	}
	baseline.FillRecentMaxima(clean)
	body := learnBaseline(tenant, clean)
	body.Scopes = scopes(runs)
	body.Provenance.OtherRoutes = left
	parts := holdOutFolds(tenant, runs, teaches)
	var finals, peaks []heldOutRun
	for _, p := range parts {
		for i, r := range p.tested {
			giveWay(i)
			_, known := p.model.Baseline.Agents[r.Agent]
			class := p.model.Baseline.Acquaintance(r.Agent, r.Group)
			finals = append(finals, heldOutRun{run: r, score: score.FinalScore(p.model, r), known: known, class: class})
		}
	}
	assignWeights(runs, finals)
	body.Calibration, body.Ranks = fitScores(acquainted(finals)), rankScores(finals)
	body.ByClass = &baseline.ByClass{
		KnownAgent: rankClass(finals, schema.KnownAgent), NewAgent: rankClass(finals, schema.NewAgent),
		NewPopulation: fitPopulations(tenant, runs, teaches),
	}
	for _, p := range parts {
		p.model.Baseline.Calibration = body.Calibration
		for i, peak := range score.ActorPeaks(p.model, p.tested) {
			of := p.tested[i]
			peaks = append(peaks, heldOutRun{run: of, score: peak, class: p.model.Baseline.Acquaintance(of.Agent, of.Group)})
		}
	}
	assignWeights(runs, peaks)
	body.AcrossRuns.Calibration = fitScores(acquainted(peaks))
	return body
}

func learnBaseline(tenant string, runs []*baseline.TrainingRun) *baseline.Baseline {
	body := baseline.New(tenant)
	body.ByClass = &baseline.ByClass{}
	for i, r := range runs {
		giveWay(i)
		body.Learn(r)
	}
	body.Finish()
	return body
}

// runsBetween is the number of runs that are learned or scored before other goroutines may run: 0.1 to 0.3 ms.
const runsBetween = 32

// giveWay lets other goroutines run, before the i-th run of a loop. Without it a call on the trip path that finds all cores busy waits
// until the scheduler interrupts learning, about 10 ms.
func giveWay(i int) {
	if i%runsBetween == 0 {
		runtime.Gosched()
	}
}

// fold is one fold of the calibration: a model, and runs that the model was not learned from, sorted by agent and time.
type fold struct {
	model  *score.Model
	tested []*baseline.TrainingRun
}

func holdOutFolds(tenant string, runs []*baseline.TrainingRun, teaches func(*baseline.TrainingRun) bool) (parts []fold) {
	for i := range folds {
		var p fold
		var teach []*baseline.TrainingRun
		for _, r := range runs {
			switch {
			case isHeldOut(r, i):
				p.tested = append(p.tested, r)
			case teaches(r):
				teach = append(teach, r)
			}
		}
		if len(p.tested) == 0 || len(teach) == 0 {
			continue
		}
		p.model, p.tested = score.NewModel(learnBaseline(tenant, teach)), baseline.SortByAgent(p.tested)
		parts = append(parts, p)
	}
	return parts
}

// heldOutRun holds the score of a run by a model that was not learned from the run.
type heldOutRun struct {
	run    *baseline.TrainingRun
	score  float64
	known  bool // the model was learned from other runs of its agent
	class  schema.Acquaintance
	weight float64 // of this score: the run's weight divided by the number of its scores
	whole  float64 // weight of the run
}

// assignWeights sets the weight of each score. A run that several folds tested has the same weight as other runs. The
// weight and the score of alarmed runs are limited by maxAlarmedShare and maxAlarmedScore.
func assignWeights(runs []*baseline.TrainingRun, of []heldOutRun) {
	alarmed, clean := 0.0, 0.0
	for _, r := range runs {
		if r.Alarmed {
			alarmed++
		} else {
			clean++
		}
	}
	weight := 1.0
	if most := maxAlarmedShare * clean; alarmed > most {
		weight = most / alarmed
	}
	furthest, times := float64(maxAlarmedScore), map[*baseline.TrainingRun]float64{}
	for _, h := range of {
		times[h.run]++
		if !h.run.Alarmed {
			furthest = max(furthest, h.score)
		}
	}
	for i := range of {
		h := &of[i]
		h.whole = 1
		if h.run.Alarmed {
			h.score, h.whole = min(h.score, furthest), weight
		}
		h.weight = h.whole / times[h.run]
	}
}

// fitScores fits the distribution of the scores.
func fitScores(of []heldOutRun) calibrate.Fit {
	scores, weights := make([]float64, len(of)), make([]float64, len(of))
	for i, h := range of {
		scores[i], weights[i] = h.score, h.weight
	}
	return calibrate.FitScores(scores, weights)
}

// rankScores ranks the scores by agent and by peer group. An agent's own ranks hold only scores of models that were
// learned from other runs of the agent, so that its habits are not ranked as unusual.
func rankScores(of []heldOutRun) calibrate.Ranks {
	list := make([]calibrate.HeldOutScore, len(of))
	for i, h := range of {
		list[i] = calibrate.HeldOutScore{Agent: h.run.Agent, Group: h.run.Group, Score: h.score, Weight: h.weight}
		if h.known {
			list[i].Own = h.whole
		}
	}
	return calibrate.NewRanks(list)
}

// isHeldOut reports whether a fold tests a run instead of counting it. All runs of a task and all runs of an agent are in
// the same fold, so that a run is scored by the runs of others. A run without a task id is a task by itself.
func isHeldOut(r *baseline.TrainingRun, fold int) bool {
	task := "t" + r.Task
	if r.Task == "" {
		task = "r" + r.ID
	}
	return FoldOf(task, folds) == fold || FoldOf("a"+r.Agent, folds) == fold
}

// FoldOf returns the fold of a name among a number of folds, from the first 52 bits of its SHA-256 as a fraction of 1.
func FoldOf(name string, of int) int {
	sum := sha256.Sum256([]byte(name))
	return int(float64(binary.BigEndian.Uint64(sum[:])>>12) / (1 << 52) * float64(of))
}
