package scope

import "flyball/schema"

// Guard assesses calls by the scopes of a baseline. It is immutable, does not read a clock and
// is safe for concurrent use.
type Guard struct {
	body  *Model
	rules Rules
}

// NewGuard returns a guard for a model, or nil when there is no model.
func NewGuard(b *Model) *Guard {
	if b == nil {
		return nil
	}
	return &Guard{b, DefaultRules()}
}

// The source of the scope that an assessment used, the most specific first.
const (
	SourceOwnTask   = "own_runs_of_task"
	SourcePeersTask = "peers_runs_of_task"
	SourceOwnAny    = "own_runs_of_any_task"
	SourceNobody    = "nobody"
)

// Query describes a call and its caller.
type Query struct {
	Agent string // key of the agent in the baseline
	Group string
	// Declared is the task that an orchestrator declared for the run; nil: none. When it has
	// targets, the run may write to these, and the learned targets are not used.
	Declared *schema.Task
	// Logged is the task id in the request or its log line, and Trust is the trust in it.
	Logged string
	Trust  schema.Trust
	Access *Access
}

// Assessment is the result of Guard.Assess for a call.
type Assessment struct {
	Placement Placement
	Why       string // reason of an abstention, or why targets were not judged
	Source    string // SourceOwnTask … SourceNobody
	Task      string // task type of the scope
	Runs      uint32 // number of runs that the scope was learned from
}

// Assess places a call by the scope of the agent's own runs of the task, if it is known; else by its peers' runs of the
// task; else by the agent's own runs of all tasks. A task that only the caller claims can make the result stricter and
// not milder: with the peers' scope, a stricter result by the agent's own runs of all tasks is returned instead.
func (g *Guard) Assess(in Query) Assessment {
	group := peerGroup(in.Agent, in.Group)
	own, peers := g.body.Own[in.Agent], g.body.Peers[group]
	task := TaskType(in.Declared, in.Logged, func(id string) int {
		n := 0
		for _, s := range [...]*LearnedScope{own[id], peers[id]} {
			if s != nil {
				n = max(n, int(s.Runs))
			}
		}
		return n
	})
	all := own[""]
	if task != "" {
		if s := own[task]; s != nil {
			return g.assessBy(s, SourceOwnTask, task, group, &in)
		}
		if s := peers[task]; s != nil {
			a := g.assessBy(s, SourcePeersTask, task, group, &in)
			if in.Trust < schema.TrustInfrastructure && (in.Declared == nil || in.Declared.Type == "") && all != nil {
				if b := g.assessBy(all, SourceOwnAny, task, group, &in); b.Placement > a.Placement {
					return b
				}
			}
			return a
		}
	}
	if all != nil {
		return g.assessBy(all, SourceOwnAny, task, group, &in)
	}
	why := WhyFewRuns
	if own == nil && peers == nil {
		why = WhyNoHistory
	}
	return Assessment{Placement: Abstain, Why: why, Source: SourceNobody, Task: task}
}

func (g *Guard) assessBy(s *LearnedScope, from, task, group string, in *Query) Assessment {
	wider := g.body.Recurs[group]
	rules := g.rules
	declared := in.Declared != nil && len(in.Declared.Targets) > 0
	if declared {
		rules.Targets = false
	}
	is, why := s.place(rules, in.Access, 0, func(k uint64) Recurrence { return wider[k] })
	if declared && is == Inside {
		why = WhyDeclared
	}
	return Assessment{Placement: is, Why: why, Source: from, Task: task, Runs: s.Runs}
}
