package baseline

import (
	"cmp"
	"slices"
)

// MostTasks of an agent are kept, those that most runs have, each with Enough of them.
const MostTasks = 16

// TaskKey is the name under which the counts of a type of task are kept.
func TaskKey(agent, task string) string { return partKey(agent, ofTask, task) }

func (b *Baseline) keepsTask(agent, task string) bool {
	return task != "" && slices.ContainsFunc(b.Tasks[agent], func(t TaskStatus) bool { return t.Type == task && t.Runs >= MinAgentRuns }) && b.Has(TaskKey(agent, task))
}

// finishTasks keeps the types of task of each agent that have enough runs, where it
// has others beside them.
func (b *Baseline) finishTasks() {
	p := b.tasks
	b.tasks = nil
	if p == nil || len(p.seen) == 0 {
		return
	}
	p.of.Finish()
	for agent, of := range p.seen {
		var list []*seen
		for _, t := range of {
			if t.runs >= MinAgentRuns && t.runs < p.runs[agent] {
				list = append(list, t)
			}
		}
		slices.SortFunc(list, func(x, y *seen) int {
			return cmp.Or(cmp.Compare(y.runs, x.runs), cmp.Compare(x.name, y.name))
		})
		for _, t := range list[:min(len(list), MostTasks)] {
			if b.Tasks == nil {
				b.Tasks = map[string][]TaskStatus{}
			}
			b.Tasks[agent] = append(b.Tasks[agent], TaskStatus{Type: t.name, Runs: t.runs})
			b.keep(p, agent, t)
		}
	}
}
