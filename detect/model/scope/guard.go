package scope

import "flyball/schema"

// Guard answers by what a baseline published. It never changes, reads no clock and
// may be asked from anywhere at once.
type Guard struct {
	body  *Body
	rules Rules
}

// NewGuard is a guard by a body; nil without one.
func NewGuard(b *Body) *Guard {
	if b == nil {
		return nil
	}
	return &Guard{b, Default()}
}

// Whose scope an answer goes by, the nearest first.
const (
	OwnTask   = "own_runs_of_task"
	PeersTask = "peers_runs_of_task"
	OwnAny    = "own_runs_of_any_task"
	Nobody    = "nobody"
)

// Ask is a call and who makes it.
type Ask struct {
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
	Call   *Call
}

// Answer to a call.
type Answer struct {
	Is   Is
	Why  string // of an abstention, and of targets that were not judged
	From string // whose runs: one of the words above
	Task string // type of task that it goes by
	Runs uint32 // that taught
}

// Reason is the answer as a named reason: "write_outside:peers_runs_of_task".
func (a *Answer) Reason() string {
	if a.Is == Abstain {
		return a.Is.String() + ":" + a.Why
	}
	return a.Is.String() + ":" + a.From
}

// Answer says where a call lies: by the agent's own runs of the task, where they are
// enough; else by its peers' runs of it; else by its own runs whatever the task. A
// task that the caller names is heard only where it narrows: what peers may do in
// it must lie within what the agent does at all, as far as that is known.
func (g *Guard) Answer(in Ask) Answer {
	group := PeersOf(in.Agent, in.Group)
	own, peers := g.body.Own[in.Agent], g.body.Peers[group]
	task := TaskType(in.Declared, in.Logged, func(id string) int {
		n := 0
		for _, s := range [...]*Scope{own[id], peers[id]} {
			if s != nil {
				n = max(n, int(s.Runs))
			}
		}
		return n
	})
	all := own[""]
	if task != "" {
		if s := own[task]; s != nil {
			return g.by(s, OwnTask, task, group, &in)
		}
		if s := peers[task]; s != nil {
			a := g.by(s, PeersTask, task, group, &in)
			if in.Trust < schema.TrustInfrastructure && (in.Declared == nil || in.Declared.Type == "") && all != nil {
				if b := g.by(all, OwnAny, task, group, &in); b.Is > a.Is {
					return b
				}
			}
			return a
		}
	}
	if all != nil {
		return g.by(all, OwnAny, task, group, &in)
	}
	why := WhyFewRuns
	if own == nil && peers == nil {
		why = WhyNoHistory
	}
	return Answer{Is: Abstain, Why: why, From: Nobody, Task: task}
}

func (g *Guard) by(s *Scope, from, task, group string, in *Ask) Answer {
	wider := g.body.Recurs[group]
	rules := g.rules
	declared := in.Declared != nil && len(in.Declared.Targets) > 0
	if declared {
		rules.Targets = false
	}
	is, why := s.look(rules, in.Call, 0, func(k uint64) Recurs { return wider[k] })
	if declared && is == Inside {
		why = WhyDeclared
	}
	return Answer{Is: is, Why: why, From: from, Task: task, Runs: s.Runs}
}
