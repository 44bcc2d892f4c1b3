package evaluate

import (
	"cmp"
	"slices"
	"time"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/detect/model/scope"
	"flyball/detect/score"
	"flyball/schema"
)

// Labelled is a recorded run of which it is known what it was.
type Labelled struct {
	ID, Set, Agent, Group, Task string // Agent is its key
	LoggedTask                  string // the task, if the log names it
	TaskTrust                   schema.Trust
	Start                       time.Time // of the first call
	Attacked, Succeeded         bool
	Ignored                     bool // attacked, and it did not succeed
	NaturalLoop                 bool
	Failure                     string
	// FirstBad is the index of the first call that does the attacker's bidding; -1: none.
	FirstBad int
	// Of a run that was made to run away: how, at which pace, from which call on, out of which run.
	Kind, Speed, Base string
	Onset             int

	Calls []LabelledCall
}

// LabelledCall is a call as the detector sees it, and what rules of scope look at.
type LabelledCall struct {
	feature.Input
	Route     string
	Named     []schema.Resource // that the log names
	Resources []string          // that the request names, "type:id"
	Read      bool              // GET, HEAD or OPTIONS
}

// Clean runs teach, and are negatives.
func (r *Labelled) Clean() bool {
	switch r.Set {
	case "tau":
		return !r.NaturalLoop && r.Failure == ""
	case "agentdojo":
		return !r.Attacked && !r.NaturalLoop
	}
	return false
}

// resisted runs were attacked without success: negatives too.
func (r *Labelled) resisted() bool { return r.Set == "agentdojo" && r.Ignored && !r.NaturalLoop }

// Hijacked runs did what the attacker wanted.
func (r *Labelled) Hijacked() bool { return r.Set == "agentdojo" && r.Succeeded && r.FirstBad >= 0 }

// naturalRunaway runaways hit the limit of their steps or errors.
func (r *Labelled) naturalRunaway() bool {
	return r.Set == "tau" && (r.Failure == "max_steps" || r.Failure == "too_many_errors")
}

// trainingRun is the run as baselines learn it.
func (r *Labelled) trainingRun() *baseline.TrainingRun {
	out := &baseline.TrainingRun{
		ID:        r.ID,
		Agent:     r.Agent,
		Group:     r.Group,
		Task:      r.LoggedTask,
		TaskTrust: r.TaskTrust,
		Start:     r.Start.UnixNano(),
	}
	out.Scope = &scope.TrainingRun{ID: r.ID, Agent: r.Agent, Group: r.Group}
	var steps feature.RunMemory
	for i := range r.Calls {
		c := &r.Calls[i]
		out.Features, out.Routes = append(out.Features, steps.Add(&c.Input)), append(out.Routes, c.Route)
		out.Scope.Calls, out.Scope.Names = append(out.Scope.Calls, scope.NewAccess(c.Route, c.Write, c.Named)), append(out.Scope.Names, c.Route)
	}
	out.Resources, out.Usage = steps.Resources(), steps.Usage
	return out
}

// reference the run is compared as.
func (r *Labelled) reference() score.Reference {
	return score.Reference{Agent: r.Agent, Group: r.Group, Task: scope.TrustedTaskType("", r.LoggedTask, r.TaskTrust)}
}

// capped keeps at most so many runs of an agent, by ascending id.
func capped(runs []*Labelled, most int) []*Labelled {
	sorted := slices.Clone(runs)
	slices.SortFunc(sorted, func(a, b *Labelled) int { return cmp.Compare(a.ID, b.ID) })
	n := map[string]int{}
	return slices.DeleteFunc(sorted, func(r *Labelled) bool { n[r.Agent]++; return n[r.Agent] > most })
}

func keep(runs []*Labelled, want func(*Labelled) bool) []*Labelled {
	var out []*Labelled
	for _, r := range runs {
		if len(r.Calls) > 0 && want(r) {
			out = append(out, r)
		}
	}
	return out
}
