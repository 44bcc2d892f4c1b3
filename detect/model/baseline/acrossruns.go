package baseline

import (
	"cmp"
	"slices"

	"flyball/detect/feature"
	"flyball/detect/model/calibrate"
)

// AcrossRuns holds distributions of counts over the latest calls of actors, across their runs
// (feature.ActorMemory). Each run counts with the maximum that was reached within it.
type AcrossRuns struct {
	Identical  RunCountDistribution `json:"identical"` // one identical call, by agent
	NewOnRoute RunCountDistribution `json:"fresh"`     // new calls on a route, by route
	Deletions  RunCountDistribution `json:"deletions"` // by agent
	Retries    RunCountDistribution `json:"retries"`   // by agent

	// Calibration of the highest score of an actor within a run.
	Calibration calibrate.Fit `json:"calibration"`
}

func newAcrossRuns() AcrossRuns {
	return AcrossRuns{Identical: newDistribution(), NewOnRoute: newDistribution(), Deletions: newDistribution(), Retries: newDistribution()}
}

// RecentMaxima holds the maximum of each count over an actor's latest calls, within a run.
type RecentMaxima struct {
	Identical, Deletions, Retries uint64
	NewOnRoute                    map[string]uint64 // by route
}

func (a *AcrossRuns) add(r *TrainingRun) {
	a.Identical.Add(r.Group, r.Agent, r.RecentMaxima.Identical)
	a.Deletions.Add(r.Group, r.Agent, r.RecentMaxima.Deletions)
	a.Retries.Add(r.Group, r.Agent, r.RecentMaxima.Retries)
	for route, n := range r.RecentMaxima.NewOnRoute {
		a.NewOnRoute.Add(r.Group, route, n)
	}
}

// SortByAgent returns the runs sorted by agent, then by start.
func SortByAgent(runs []*TrainingRun) []*TrainingRun {
	sorted := slices.Clone(runs)
	slices.SortFunc(sorted, func(a, b *TrainingRun) int {
		return cmp.Or(cmp.Compare(a.Agent, b.Agent), cmp.Compare(a.Start, b.Start), cmp.Compare(a.ID, b.ID))
	})
	return sorted
}

// FillRecentMaxima sets RecentMaxima of the runs, as if each agent had made its runs one after another.
func FillRecentMaxima(runs []*TrainingRun) {
	var recent feature.ActorMemory
	agent := ""
	for i, r := range SortByAgent(runs) {
		if i == 0 || r.Agent != agent {
			recent, agent = feature.ActorMemory{}, r.Agent
		}
		r.RecentMaxima = RecentMaxima{NewOnRoute: map[string]uint64{}}
		for n := range r.Features {
			a := recent.Add(&r.Features[n])
			l := &r.RecentMaxima
			l.Identical, l.Deletions, l.Retries = max(l.Identical, a.Identical), max(l.Deletions, a.Deletions), max(l.Retries, a.Retries)
			l.NewOnRoute[r.Routes[n]] = max(l.NewOnRoute[r.Routes[n]], a.NewOnRoute)
		}
	}
}
