package evaluate

import (
	"maps"
	"slices"

	"flyball/detect/learn"
	"flyball/schema"
)

// Strangers holds how often clean runs of populations alarm that nobody has learned, and how soon their runaways are
// detected. Each peer group is judged by a detector that was learned from the other groups.
type Strangers struct {
	Rates
	Groups    map[string]Rates `json:"groups"`
	Classes   map[string]int   `json:"classes"` // number of runs by class of acquaintance
	Scenarios []Scenario       `json:"scenarios"`
}

// NewAgents holds how often clean runs alarm of agents that nobody has learned, whose peers are learned.
type NewAgents struct {
	Rates
	Groups map[string]Rates `json:"groups"`
	// Classes holds the number of runs by class of acquaintance. The figures are those of new agents only: where a peer
	// group has too few other agents, its runs are those of strangers.
	Classes map[string]int `json:"classes"`
}

// minGroupRuns is the minimum number of recorded runs of a peer group that is left out, clean or not.
const minGroupRuns = 150

// agentFolds is the number of folds in which agents are left out.
const agentFolds = 10

// LeaveGroupsOut returns a fold for each peer group of the runs to score that the training runs contain too, without the
// training runs of the group. Groups with fewer than 150 runs to score are left to the other folds.
func LeaveGroupsOut(train, test, runaways []*Labelled) (folds []Fold) {
	taught, runs := byPeers(train), byPeers(keep(test, func(*Labelled) bool { return true }))
	bad := byPeers(runaways)
	for _, group := range slices.Sorted(maps.Keys(runs)) {
		if len(runs[group]) < minGroupRuns || len(taught[group]) == 0 {
			continue
		}
		folds = append(folds, Fold{
			Train: keep(train, func(r *Labelled) bool { return r.Clean() && r.Group != group }),
			Test:  runs[group], Runaways: bad[group],
		})
	}
	return folds
}

// LeaveAgentsOut returns folds of agents of peer groups that the training runs contain, without the training runs of the
// agents.
func LeaveAgentsOut(train, test []*Labelled) (folds []Fold) {
	taught := byPeers(train)
	for i := range agentFolds {
		out := func(r *Labelled) bool { return learn.FoldOf("a"+r.Agent, agentFolds) == i }
		f := Fold{
			Train: keep(train, func(r *Labelled) bool { return r.Clean() && !out(r) }),
			Test:  keep(test, func(r *Labelled) bool { return out(r) && len(taught[r.Group]) > 0 }),
		}
		if len(f.Test) > 0 {
			folds = append(folds, f)
		}
	}
	return folds
}

func byPeers(runs []*Labelled) map[string][]*Labelled {
	out := map[string][]*Labelled{}
	for _, r := range runs {
		out[r.Group] = append(out[r.Group], r)
	}
	return out
}

func strangers(folds []*fold) *Strangers {
	if len(folds) == 0 {
		return nil
	}
	negatives := gather(folds, func(f *fold) []judgedRun { return f.negatives })
	out := &Strangers{Rates: rates(negatives), Groups: byGroups(negatives), Classes: countClasses(negatives)}
	out.Scenarios, _ = scenarios(gather(folds, func(f *fold) []judgedRun { return f.runaways }))
	return out
}

func newAgents(folds []*fold) *NewAgents {
	if len(folds) == 0 {
		return nil
	}
	all := gather(folds, func(f *fold) []judgedRun { return f.negatives })
	negatives := slices.DeleteFunc(slices.Clone(all), func(j judgedRun) bool { return j.class != schema.NewAgent })
	return &NewAgents{Rates: rates(negatives), Groups: byGroups(negatives), Classes: countClasses(all)}
}

func byGroups(negatives []judgedRun) map[string]Rates {
	runs, out := map[string][]judgedRun{}, map[string]Rates{}
	for _, j := range negatives {
		runs[j.Group] = append(runs[j.Group], j)
	}
	for group, list := range runs {
		out[group] = rates(list)
	}
	return out
}

func countClasses(runs []judgedRun) map[string]int {
	out := map[string]int{}
	for _, j := range runs {
		out[j.class.String()]++
	}
	return out
}
