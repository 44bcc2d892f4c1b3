package score

import (
	"flyball/detect/feature"
	"flyball/detect/model/baseline"
)

// usageAfter returns the usage of a training run after a call. Only the usage at the end of the run is known: for
// earlier calls it is zero. The final score is the same, because usage only grows.
func usageAfter(b *baseline.TrainingRun, step int) *feature.Usage {
	if step < len(b.Features)-1 {
		return &feature.Usage{}
	}
	return &b.Usage
}

// referenceFromRun returns the reference of a training run.
func referenceFromRun(b *baseline.TrainingRun) Reference {
	return Reference{b.Agent, b.Group, b.Version, b.TaskType}
}

// FinalScore returns the score of a whole run, from its features.
func FinalScore(m *Model, b *baseline.TrainingRun) float64 {
	var r RunScore
	who := referenceFromRun(b)
	for i := range b.Features {
		r.addCall(m, who, &countedCall{CallFeatures: &b.Features[i], usage: usageAfter(b, i)})
	}
	return r.Score
}

// episode is the score above which consecutive runs of an actor count as one
// episode.
const episode = 2 * decade

// ActorPeaks returns for each run the highest score of its actor within the run. The runs must be sorted by
// agent and time. Of an episode only the highest score is kept and the others are lowered to the limit:
// an alarm resets the actor, and the rest of an episode is not another alarm (declustering,
// Coles 2001, 5.3).
func ActorPeaks(m *Model, runs []*baseline.TrainingRun) []float64 {
	peaks := make([]float64, len(runs))
	var actor ActorScore
	for n, b := range runs {
		if n == 0 || b.Agent != runs[n-1].Agent {
			actor.Reset()
		}
		var r RunScore
		who := referenceFromRun(b)
		for i := range b.Features {
			r.addCall(m, who, &countedCall{CallFeatures: &b.Features[i], usage: usageAfter(b, i)})
			actor.Add(&r, &b.Features[i])
			peaks[n] = max(peaks[n], actor.Score)
		}
	}
	for n := 1; n < len(runs); n++ {
		if before, now := &peaks[n-1], &peaks[n]; runs[n].Agent == runs[n-1].Agent && *before > episode && *now > episode {
			*before, *now = min(*before, *now), max(*before, *now)
			*before = episode
		}
	}
	return peaks
}
