package learn

import (
	"maps"
	"slices"

	"flyball/detect/model/baseline"
	"flyball/detect/model/calibrate"
	"flyball/detect/score"
	"flyball/schema"
)

// populationFolds is the maximum number of models that are learned without some of the peer groups. With more groups,
// several are left out together.
const populationFolds = 20

// maxPopulationRuns is about how many runs populations are calibrated on, selected by a hash of their ids: each of the models
// counts all of them again.
const maxPopulationRuns = 20_000

// minPopulationRuns is the minimum number of runs of a peer group that is left out: what fewer runs do says little about
// a population.
const minPopulationRuns = 50

// fitPopulations scores the runs of each peer group by a model that was learned without the group.
func fitPopulations(tenant string, runs []*baseline.TrainingRun, teaches func(*baseline.TrainingRun) bool) calibrate.Populations {
	if all := len(runs); all > maxPopulationRuns {
		runs = slices.DeleteFunc(slices.Clone(runs), func(r *baseline.TrainingRun) bool { return FoldOf("p"+r.ID, all) >= maxPopulationRuns })
	}
	count := map[string]int{}
	for _, r := range runs {
		if !onlyAsserted(r.Agent) { // callers can invent any number of names and groups
			count[r.Group]++
		}
	}
	fold, n := map[string]int{}, 0
	for group, of := range count {
		if of >= minPopulationRuns && group != baseline.Humans {
			fold[group] = FoldOf("g"+group, populationFolds)
			n++
		}
	}
	if n < 2 {
		return calibrate.Populations{}
	}
	if n <= populationFolds { // each alone
		for i, group := range slices.Sorted(maps.Keys(fold)) {
			fold[group] = i
		}
	}
	var finals []heldOutRun
	for i := range min(n, populationFolds) {
		var teach, tested []*baseline.TrainingRun
		for _, r := range runs {
			switch of, known := fold[r.Group]; {
			case known && of == i && onlyAsserted(r.Agent):
			case known && of == i:
				tested = append(tested, r)
			case teaches(r):
				teach = append(teach, r)
			}
		}
		if len(teach) == 0 || len(tested) == 0 {
			continue
		}
		model := score.NewModel(learnBaseline(tenant, teach))
		for k, r := range tested {
			giveWay(k)
			finals = append(finals, heldOutRun{run: r, score: score.FinalScore(model, r), class: schema.NewPopulation})
		}
	}
	assignWeights(runs, finals)
	list := make([]calibrate.HeldOutScore, len(finals))
	for i, h := range finals {
		list[i] = calibrate.HeldOutScore{Agent: h.run.Agent, Group: h.run.Group, Score: h.score, Weight: h.weight}
	}
	return calibrate.NewPopulations(list, minPopulationRuns)
}

// rankClass ranks the scores of runs of a class of acquaintance.
func rankClass(of []heldOutRun, class schema.Acquaintance) calibrate.Rank {
	var scores, weights []float64
	for _, h := range of {
		if h.class == class {
			scores, weights = append(scores, h.score), append(weights, h.weight)
		}
	}
	return calibrate.NewRank(scores, weights)
}

// minAcquaintedRuns is the minimum number of held-out runs of known agents and known peers for thresholds of their own.
const minAcquaintedRuns = 200

// acquainted returns the scores of runs of agents whose agent or peers the model knew. Others are scored in another way.
// With too few of them all scores are returned.
func acquainted(of []heldOutRun) []heldOutRun {
	var known []heldOutRun
	for _, h := range of {
		if h.class >= schema.NewAgent {
			known = append(known, h)
		}
	}
	if len(known) < minAcquaintedRuns {
		return of
	}
	return known
}
