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
	// WhyPopulationsDiffer: the peer groups exceed the share of alerts also at the highest threshold; the consequence is
	// that of WhyFewPopulations.
	WhyPopulationsDiffer = "populations_differ"
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
		p := &b.ByClass.NewPopulation
		if !p.Calibrated() {
			return WhyFewPopulations
		}
		if !p.Holds(calibrate.AlertShare) {
			return WhyPopulationsDiffer
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
	if class <= schema.NothingLearned {
		return calibrate.Levels{math.MaxFloat64, math.MaxFloat64, math.MaxFloat64}
	}
	for i, share := range [...]float64{calibrate.NoticeShare, calibrate.AlertShare, tripShare} {
		out[i] = b.classThreshold(class, group, share)
	}
	if class <= schema.NewPopulation && b.Uncalibrated(class) != "" {
		return calibrate.Levels{out[1], out[2], math.MaxFloat64}
	}
	return out
}

// LevelsOfClaimed returns the thresholds of the levels for runs of a new population whose caller nobody vouches for: those of
// the fixed counts, also where the class is uncalibrated. A caller could else choose a name that nobody knows, and never trip.
func (b *Baseline) LevelsOfClaimed(tripShare float64) calibrate.Levels {
	var out calibrate.Levels
	for i, share := range [...]float64{calibrate.NoticeShare, calibrate.AlertShare, tripShare} {
		out[i] = b.classThreshold(schema.NewPopulation, "", share)
	}
	return out
}

// BasisPopulations names the runs of an expected rate of strangers: those of peer groups that were left out. Where the
// class is uncalibrated, nothing is known (WhyNothingLearned).
const BasisPopulations = "populations"

// Expected returns the share of clean runs of a class that reach a score. For strangers it is the mean of the groups that
// were left out, each with the same weight.
func (b *Baseline) Expected(class schema.Acquaintance, agent, group string, score float64) calibrate.ExpectedRate {
	if b.ByClass == nil || class > schema.NewPopulation {
		return b.Ranks.Expected(&b.Calibration, agent, group, score)
	}
	if b.Uncalibrated(class) != "" {
		return calibrate.ExpectedRate{Basis: WhyNothingLearned}
	}
	rate, runs := b.ByClass.NewPopulation.MeanRate(score)
	least := 1 / (float64(runs) + 1)
	return calibrate.ExpectedRate{Rate: max(rate, least), Basis: BasisPopulations, Beyond: rate < least, Runs: runs}
}

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
	return min(of.Raised(all, calibrate.AlertShare)-all, calibrate.MaxRaise)
}
