package learn

import (
	"crypto/sha256"
	"encoding/binary"

	"flyball/detect/model/baseline"
	"flyball/detect/model/calibrate"
	"flyball/detect/score"
)

// folds of the calibration.
const folds = 10

// Alarmed runs that nobody has judged belong to the clean ones as far as the
// budget would have it: without them every refit would cut off the tail that the
// last one alarmed on, and the thresholds would creep down (TestFiftyRefitsKeepTheRate).
// Bounded, since some of them are what the alarms are for.
const (
	// Together they weigh no more than the budget of alerts of the others, twice
	// over: so much that thresholds which alarm too often find back.
	maxAlarmedShare = 2 * calibrate.AlertShare
	// One of them counts as no further out than this, or than the furthest of the
	// others: where those come further, less would cut the tail after all.
	maxAlarmedScore = calibrate.MaxTailScore
)

// Fit makes a body of runs: counts of those that did not alarm, calibrated by
// scoring each run with counts that know neither its task nor its agent.
func Fit(tenant string, runs []*baseline.TrainingRun) *baseline.Baseline {
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
	parts := holdOutFolds(tenant, runs, teaches)
	var finals, peaks []heldOutRun
	for _, p := range parts {
		for _, r := range p.tested {
			_, known := p.model.Baseline.Agents[r.Agent]
			finals = append(finals, heldOutRun{run: r, score: score.FinalScore(p.model, r), known: known})
		}
	}
	assignWeights(runs, finals)
	body.Calibration, body.Ranks = fitScores(finals), rankScores(finals)
	for _, p := range parts {
		p.model.Baseline.Calibration = body.Calibration
		for i, peak := range score.ActorPeaks(p.model, p.tested) {
			peaks = append(peaks, heldOutRun{run: p.tested[i], score: peak})
		}
	}
	assignWeights(runs, peaks)
	body.AcrossRuns.Calibration = fitScores(peaks)
	return body
}

func learnBaseline(tenant string, runs []*baseline.TrainingRun) *baseline.Baseline {
	body := baseline.New(tenant)
	for _, r := range runs {
		body.Learn(r)
	}
	body.Finish()
	return body
}

// fold of the calibration: a model, and runs that it has not seen, in the order of
// their agents and times.
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

// heldOutRun is the score of a run by a model that had not seen it.
type heldOutRun struct {
	run    *baseline.TrainingRun
	score  float64
	known  bool    // the model has seen other runs of its agent
	weight float64 // of what several parts say of the run this is a share
	whole  float64 // of the run
}

// assignWeights says what each score weighs. A run that several parts have tested weighs as
// much as any other; what alarmed and nobody judged weighs within its bound, and
// counts as no further out than that.
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

// rankScores ranks the scores by agent and by peer group. In an agent's own ranks are the
// scores by models that had seen other runs of the agent, so that its habits do not look
// unusual.
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

// isHeldOut reports whether a fold tests a run: by its task and by its agent, so
// that a run is judged by what is known of others. A run without a task is its own.
func isHeldOut(r *baseline.TrainingRun, fold int) bool {
	task := "t" + r.Task
	if r.Task == "" {
		task = "r" + r.ID
	}
	return foldOf(task) == fold || foldOf("a"+r.Agent) == fold
}

// foldOf is the fold of a name: the first 52 bits of SHA-256 as a fraction.
func foldOf(name string) int {
	sum := sha256.Sum256([]byte(name))
	return int(float64(binary.BigEndian.Uint64(sum[:])>>12) / (1 << 52) * folds)
}
