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

// Thresholds looks up thresholds of a baseline, and expected rates, by class of acquaintance and peer group.
type Thresholds struct {
	all     *calibrate.Fit
	ranks   *calibrate.Ranks
	classes *ByClass // nil: the baseline is of an earlier release
}

// Thresholds returns the thresholds of the version.
func (b *Baseline) Thresholds() Thresholds { return Thresholds{&b.Calibration, &b.Ranks, b.ByClass} }

// Uncalibrated returns the named reason why a class has no thresholds of its own, or "".
func (t Thresholds) Uncalibrated(class schema.Acquaintance) string {
	if t.classes == nil && class > schema.NothingLearned {
		return WhyEarlierRelease
	}
	switch class {
	case schema.KnownAgent:
		if t.classes.KnownAgent.Runs < minClassRuns {
			return WhyFewClassRuns
		}
	case schema.NewAgent:
		if t.classes.NewAgent.Runs < minClassRuns {
			return WhyFewClassRuns
		}
	case schema.NewPopulation:
		p := &t.classes.NewPopulation
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

// UncalibratedClasses returns the named reasons of all classes that have no thresholds of their own, those without
// agents included: an agent that is not in the version yet can be of any class.
func (t Thresholds) UncalibratedClasses() map[schema.Acquaintance]string {
	out := map[schema.Acquaintance]string{}
	for v := schema.NothingLearned; v <= schema.KnownAgent; v++ {
		if why := t.Uncalibrated(v); why != "" {
			out[v] = why
		}
	}
	return out
}

// Levels returns the thresholds of the levels for runs of a class and a peer group. tripShare is the share of clean runs
// that may trip.
func (t Thresholds) Levels(class schema.Acquaintance, group string, tripShare float64) calibrate.Levels {
	var out calibrate.Levels
	if t.classes == nil {
		return t.all.Levels(tripShare)
	}
	if class <= schema.NothingLearned {
		return calibrate.Levels{math.MaxFloat64, math.MaxFloat64, math.MaxFloat64}
	}
	for i, share := range [...]float64{calibrate.NoticeShare, calibrate.AlertShare, tripShare} {
		out[i] = t.ofClass(class, group, share)
	}
	if class <= schema.NewPopulation && t.Uncalibrated(class) != "" {
		return calibrate.Levels{out[1], out[2], math.MaxFloat64}
	}
	return out
}

// LevelsOfClaimed returns the thresholds of the levels for runs of a new population whose caller nobody vouches for: those of
// the fixed counts, also where the class is uncalibrated. A caller could else choose a name that nobody knows, and never trip.
func (t Thresholds) LevelsOfClaimed(tripShare float64) calibrate.Levels {
	var out calibrate.Levels
	for i, share := range [...]float64{calibrate.NoticeShare, calibrate.AlertShare, tripShare} {
		out[i] = t.ofClass(schema.NewPopulation, "", share)
	}
	return out
}

// BasisPopulations names the runs of an expected rate of strangers: those of peer groups that were left out. Where the
// class is uncalibrated, nothing is known (WhyNothingLearned).
const BasisPopulations = "populations"

// Expected returns the share of clean runs of a class that reach a score. For strangers it is the mean of the groups that
// were left out, each with the same weight.
func (t Thresholds) Expected(class schema.Acquaintance, agent, group string, score float64) calibrate.ExpectedRate {
	if t.classes == nil || class > schema.NewPopulation {
		return t.ranks.Expected(t.all, agent, group, score)
	}
	if t.Uncalibrated(class) != "" {
		return calibrate.ExpectedRate{Basis: WhyNothingLearned}
	}
	rate, runs := t.classes.NewPopulation.MeanRate(score)
	least := 1 / (float64(runs) + 1)
	return calibrate.ExpectedRate{Rate: max(rate, least), Basis: BasisPopulations, Beyond: rate < least, Runs: runs}
}

func (t Thresholds) ofClass(class schema.Acquaintance, group string, share float64) float64 {
	if class <= schema.NewPopulation {
		return t.classes.NewPopulation.Threshold(share)
	}
	of := &t.classes.KnownAgent
	if class == schema.NewAgent {
		of = &t.classes.NewAgent
	}
	raise := max(t.raise(of), 0)
	if r, ok := t.ranks.Groups[group]; ok {
		raise = max(raise, t.raise(&r))
	}
	return min(t.all.Threshold(share)+raise, math.MaxFloat64)
}

// raise returns by how much the thresholds must be higher for the runs of a class or a peer group than for all runs: as
// much as its own held-out runs show at the level alert, where there are enough of them. One class or group can alarm
// several times as often as another one by the same threshold, because its runs are longer or more alike.
func (t Thresholds) raise(of *calibrate.Rank) float64 {
	if of.Runs < minClassRuns {
		return 0
	}
	all := t.all.Threshold(calibrate.AlertShare)
	return min(of.Raised(all, calibrate.AlertShare)-all, calibrate.MaxRaise)
}
