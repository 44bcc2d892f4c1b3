package score

import (
	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/schema"
)

// usageAfter is what a learned run had spent after a step: it is known at its end, and
// since it only grows, so is the most that came of it.
func usageAfter(b *baseline.TrainingRun, step int) *feature.Usage {
	if step < len(b.Features)-1 {
		return &feature.Usage{}
	}
	return &b.Usage
}

// referenceFromRun is whom a run that is learned from is compared as.
func referenceFromRun(b *baseline.TrainingRun) Reference {
	return Reference{b.Agent, b.Group, b.Version, b.TaskType}
}

// FinalScore is the score of a whole run, from its steps.
func FinalScore(m *Model, b *baseline.TrainingRun) float64 {
	var r RunScore
	who := referenceFromRun(b)
	for i := range b.Features {
		r.addFeatures(m, who, &b.Features[i], usageAfter(b, i), 0, schema.ReversibilityUnknown)
	}
	return r.Score
}

// episode is the score above which runs of an actor one after another are one
// episode of it.
const episode = 2 * decade

// ActorPeaks are the highest scores of actors within runs, which stand in the order of
// their agents and, of each agent, of time. Of an episode only its highest counts:
// an alarm begins the actor anew, and what follows is no other alarm (declustering,
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
			r.addFeatures(m, who, &b.Features[i], usageAfter(b, i), 0, schema.ReversibilityUnknown)
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
