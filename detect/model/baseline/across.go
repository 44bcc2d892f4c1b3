package baseline

import (
	"cmp"
	"slices"

	"flyball/detect/feature"
	"flyball/detect/model/calibrate"
)

// Across is how far the latest calls of actors come, across their runs
// (feature.Recent), each run counted by the most that was reached in it.
type Across struct {
	Identical Finals `json:"identical"` // one identical call, by agent
	Fresh     Finals `json:"fresh"`     // new calls on a route, by route
	Deletions Finals `json:"deletions"` // by agent
	Retries   Finals `json:"retries"`   // by agent

	// Calibration of the highest score of an actor within a run.
	Calibration calibrate.Fit `json:"calibration"`
}

func newAcross() Across {
	return Across{Identical: newFinals(), Fresh: newFinals(), Deletions: newFinals(), Retries: newFinals()}
}

// Latest is the most that was reached among an actor's latest calls within a run.
type Latest struct {
	Identical, Deletions, Retries uint64
	Fresh                         map[string]uint64 // by route
}

func (a *Across) add(r *Run) {
	a.Identical.Add(r.Group, r.Agent, r.Latest.Identical)
	a.Deletions.Add(r.Group, r.Agent, r.Latest.Deletions)
	a.Retries.Add(r.Group, r.Agent, r.Latest.Retries)
	for route, n := range r.Latest.Fresh {
		a.Fresh.Add(r.Group, route, n)
	}
}

// InOrder sorts runs by agent and, of each agent, by time.
func InOrder(runs []*Run) []*Run {
	sorted := slices.Clone(runs)
	slices.SortFunc(sorted, func(a, b *Run) int {
		return cmp.Or(cmp.Compare(a.Agent, b.Agent), cmp.Compare(a.Start, b.Start), cmp.Compare(a.ID, b.ID))
	})
	return sorted
}

// Remember fills in Latest, as if each agent had made its runs one after another.
func Remember(runs []*Run) {
	var recent feature.Recent
	agent := ""
	for i, r := range InOrder(runs) {
		if i == 0 || r.Agent != agent {
			recent, agent = feature.Recent{}, r.Agent
		}
		r.Latest = Latest{Fresh: map[string]uint64{}}
		for n := range r.Steps {
			a := recent.Add(&r.Steps[n])
			l := &r.Latest
			l.Identical, l.Deletions, l.Retries = max(l.Identical, a.Identical), max(l.Deletions, a.Deletions), max(l.Retries, a.Retries)
			l.Fresh[r.Routes[n]] = max(l.Fresh[r.Routes[n]], a.Fresh)
		}
	}
}
