package baseline

import (
	"math"

	"flyball/detect/model/calibrate"
	"flyball/schema"
)

// ByClass holds what the thresholds of each class of acquaintance are computed from: scores of clean runs by baselines
// that knew as much of the run's agent as the class says.
type ByClass struct {
	KnownAgent    calibrate.Rank        `json:"known_agent,omitzero"`
	NewAgent      calibrate.Rank        `json:"new_agent,omitzero"`
	NewPopulation calibrate.Populations `json:"new_population,omitzero"`
}

// minClassRuns is the minimum number of held-out runs of a class with thresholds of its own.
const minClassRuns = 200

// Named reasons why a class has no thresholds of its own.
const (
	// WhyFewClassRuns: too few clean runs were held out; the thresholds are those of all held-out runs.
	WhyFewClassRuns = "few_held_out_runs"
	// WhyFewPopulations: too few peer groups have enough runs. Runs of new populations never reach the level trip, and
	// reach the other levels one threshold later.
	WhyFewPopulations = "few_populations"
	// WhyEarlierRelease: an earlier release made the baseline; the thresholds are the same for all classes.
	WhyEarlierRelease = "earlier_release"
	// WhyNothingLearned: there is no baseline; nothing is scored.
	WhyNothingLearned = "nothing_learned"
)

// Uncalibrated returns the named reason why a class has no thresholds of its own, or "".
func (b *Baseline) Uncalibrated(class schema.Acquaintance) string {
	if b.ByClass == nil && class > schema.NothingLearned {
		return WhyEarlierRelease
	}
	switch class {
	case schema.KnownAgent:
		if b.ByClass.KnownAgent.Runs < minClassRuns {
			return WhyFewClassRuns
		}
	case schema.NewAgent:
		if b.ByClass.NewAgent.Runs < minClassRuns {
			return WhyFewClassRuns
		}
	case schema.NewPopulation:
		if !b.ByClass.NewPopulation.Calibrated() {
			return WhyFewPopulations
		}
	default:
		return WhyNothingLearned
	}
	return ""
}

// Levels returns the thresholds of the levels for runs of a class and a peer group. tripShare is the share of clean runs
// that may trip.
func (b *Baseline) Levels(class schema.Acquaintance, group string, tripShare float64) calibrate.Levels {
	var out calibrate.Levels
	if b.ByClass == nil {
		return b.Calibration.Levels(tripShare)
	}
	for i, share := range [...]float64{calibrate.NoticeShare, calibrate.AlertShare, tripShare} {
		out[i] = b.classThreshold(class, group, share)
	}
	if class <= schema.NewPopulation && b.Uncalibrated(class) != "" {
		return calibrate.Levels{out[1], out[2], math.MaxFloat64}
	}
	return out
}

// Threshold returns the score above which a run of a class and a peer group reaches the level alert, for the share of
// alerts, or trip, for a smaller share.
func (b *Baseline) Threshold(class schema.Acquaintance, group string, share float64) float64 {
	if share >= calibrate.AlertShare {
		return b.Levels(class, group, calibrate.AlertShare/10)[1]
	}
	return b.Levels(class, group, share)[2]
}

// maxRaise is the most by which the thresholds of a class or a peer group are raised, on the common scale: a factor of ten
// in rarity. Without a limit a few clean runs that are loops would make a whole group deaf.
const maxRaise = math.Ln10

func (b *Baseline) classThreshold(class schema.Acquaintance, group string, share float64) float64 {
	if class <= schema.NewPopulation {
		return b.ByClass.NewPopulation.Threshold(share)
	}
	of := &b.ByClass.KnownAgent
	if class == schema.NewAgent {
		of = &b.ByClass.NewAgent
	}
	raise := max(b.raise(of), 0)
	if r, ok := b.Ranks.Groups[group]; ok {
		raise = max(raise, b.raise(&r))
	}
	return min(b.Calibration.Threshold(share)+raise, math.MaxFloat64)
}

// raise returns by how much the thresholds must be higher for the runs of a class or a peer group than for all runs: as
// much as its own held-out runs show at the level alert, where there are enough of them. One class or group can alarm
// several times as often as another one by the same threshold, because its runs are longer or more alike.
func (b *Baseline) raise(of *calibrate.Rank) float64 {
	if of.Runs < minClassRuns {
		return 0
	}
	all := b.Calibration.Threshold(calibrate.AlertShare)
	return min(of.Raised(all, calibrate.AlertShare)-all, maxRaise)
}
