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

// Labelled is a recorded run with labels.
type Labelled struct {
	ID, Set, Agent, Group, Task string // Agent is the agent's key
	LoggedTask                  string // the task, if the log has it
	TaskTrust                   schema.Trust
	Start                       time.Time // of the first call
	Attacked, Succeeded         bool
	Ignored                     bool // attacked without success
	NaturalLoop                 bool
	Failure                     string
	// FirstBad is the index of the first call that serves the attacker; −1: none.
	FirstBad int
	// Kind, Speed, Base and Onset describe a synthetic runaway: its kind, its pace, the run from which it was made, and
	// the index of its first bad call.
	Kind, Speed, Base string
	Onset             int

	Calls []LabelledCall
}

// LabelledCall is a call with the facts that the detector and the rules of scope use.
type LabelledCall struct {
	feature.Input
	Route     string
	Named     []schema.Resource // named in the log
	Resources []string          // named in the request, "type:id"
	Read      bool              // GET, HEAD or OPTIONS
}

// Clean reports whether the run is clean. Clean runs are learned from and are negatives.
func (r *Labelled) Clean() bool {
	switch r.Set {
	case "tau":
		return !r.NaturalLoop && r.Failure == ""
	case "agentdojo":
		return !r.Attacked && !r.NaturalLoop
	}
	return false
}

// resisted reports whether the run was attacked without success. Such runs are negatives.
func (r *Labelled) resisted() bool { return r.Set == "agentdojo" && r.Ignored && !r.NaturalLoop }

// Hijacked reports whether the run did what the attacker wanted.
func (r *Labelled) Hijacked() bool { return r.Set == "agentdojo" && r.Succeeded && r.FirstBad >= 0 }

// naturalRunaway reports whether the run was stopped by the limit of steps or of errors.
func (r *Labelled) naturalRunaway() bool {
	return r.Set == "tau" && (r.Failure == "max_steps" || r.Failure == "too_many_errors")
}

// trainingRun returns the run in the form from which baselines are learned.
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

// reference returns the reference with which the run is compared.
func (r *Labelled) reference() score.Reference {
	return score.Reference{Agent: r.Agent, Group: r.Group, Task: scope.TrustedTaskType("", r.LoggedTask, r.TaskTrust)}
}

// capped returns at most `most` runs of each agent, those with the lowest ids.
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
