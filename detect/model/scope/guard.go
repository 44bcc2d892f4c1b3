package scope

import "flyball/schema"

// Guard answers by what a baseline published. It never changes, reads no clock and
// may be asked from anywhere at once.
type Guard struct {
	body  *Model
	rules Rules
}

// NewGuard is a guard by a body; nil without one.
func NewGuard(b *Model) *Guard {
	if b == nil {
		return nil
	}
	return &Guard{b, DefaultRules()}
}

// Whose scope an answer goes by, the nearest first.
const (
	SourceOwnTask   = "own_runs_of_task"
	SourcePeersTask = "peers_runs_of_task"
	SourceOwnAny    = "own_runs_of_any_task"
	SourceNobody    = "nobody"
)

// Query is a call and its caller.
type Query struct {
	Agent string // under the name that it is learned by
	Group string
	// Declared is the task that an orchestrator declared for the run, if one did. Its
	// targets, where it has any, are what the run may write to: what others wrote to
	// is not asked then.
	Declared *schema.Task
	// Logged is the task id that stands in the request or its log line, and how far
	// it is to be trusted.
	Logged string
	Trust  schema.Trust
	Access *Access
}

// Assessment to a call.
type Assessment struct {
	Placement Placement
	Why       string // of an abstention, and of targets that were not judged
	Source    string // whose runs: one of the words above
	Task      string // type of task that it goes by
	Runs      uint32 // that taught
}

// Assess says where a call lies: by the agent's own runs of the task, where they are
// enough; else by its peers' runs of it; else by its own runs whatever the task. A
// task that the caller names is heard only where it narrows: what peers may do in
// it must lie within what the agent does at all, as far as that is known.
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
