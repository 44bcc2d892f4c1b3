package baseline

import (
	"cmp"
	"slices"
)

// maxTasks is the maximum number of task types of an agent that are kept: those with the most runs, each with at
// least MinAgentRuns.
const maxTasks = 16

// TaskKey returns the key of the counts of a task type of an agent.
func TaskKey(agent, task string) string { return partKey(agent, partTask, task) }

func (b *Baseline) keepsTask(agent, task string) bool {
	enough := func(t TaskStatus) bool { return t.Type == task && t.Runs >= MinAgentRuns }
	return task != "" && slices.ContainsFunc(b.Tasks[agent], enough) && b.Has(TaskKey(agent, task))
}

// finishTasks keeps the task types of each agent that have enough runs. A task type of all of the agent's runs
// is not kept.
func (b *Baseline) finishTasks() {
	c := b.tasks
	b.tasks = nil
	if c == nil || len(c.runs) == 0 {
		return
	}
	c.counts.Finish()
	for agent, parts := range c.runs {
		var kept []*part
		for _, p := range parts {
			if p.runs >= MinAgentRuns && p.runs < c.all[agent] {
				kept = append(kept, p)
			}
		}
		slices.SortFunc(kept, func(x, y *part) int {
			return cmp.Or(cmp.Compare(y.runs, x.runs), cmp.Compare(x.name, y.name))
		})
		for _, p := range kept[:min(len(kept), maxTasks)] {
			if b.Tasks == nil {
				b.Tasks = map[string][]TaskStatus{}
			}
			b.Tasks[agent] = append(b.Tasks[agent], TaskStatus{Type: p.name, Runs: p.runs})
			c.keep(b, agent, p)
		}
	}
}
