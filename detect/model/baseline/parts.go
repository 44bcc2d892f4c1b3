package baseline

import "strings"

// Parts of an agent are its versions and its task types. Those that are kept have counts
// of their own: what their runs taught, and a share of the agent's other runs worth
// at most partRuns.
const partRuns = 10

// separator stands between an agent and its part in a key. Names that came through
// ingest cannot hold it.
const separator = "\x1f"

// Kinds of parts, as they stand in a key before the name of the part.
const (
	partVersion = "v"
	partTask    = "t"
)

func partKey(agent, kind, name string) string { return agent + separator + kind + name }

// agentFromKey is the agent of a key, which may be one of a part.
func agentFromKey(key string) string {
	agent, _, _ := strings.Cut(key, separator)
	return agent
}

// isPartKey reports whether a key is of a part of an agent and not of an agent.
func isPartKey(key string) bool { return strings.Contains(key, separator) }

// DisplayName is a key as it is shown to people: the agent, and its version or task.
func DisplayName(key string) string {
	agent, part, isPart := strings.Cut(key, separator)
	switch {
	case !isPart:
		return agent
	case part == partVersion:
		return agent + ", a version that is not kept"
	case strings.HasPrefix(part, partVersion):
		return agent + " version " + part[len(partVersion):]
	}
	return agent + " task " + strings.TrimPrefix(part, partTask)
}

// partKeys are the keys of an agent's parts.
func (b *Baseline) partKeys(agent string) []string {
	out := []string{VersionKey(agent, "")}
	for _, v := range b.Versions[agent] {
		out = append(out, VersionKey(agent, v.Version))
	}
	for _, t := range b.Tasks[agent] {
		out = append(out, TaskKey(agent, t.Type))
	}
	return out
}

// partCounts is what a baseline learns by one kind of part until it is finished.
type partCounts struct {
	kind   string
	counts *Baseline                   // by key of a part
	runs   map[string]map[string]*part // by agent and name
	all    map[string]uint64           // runs of an agent, whatever their part
}

// part is one version or task type of an agent.
type part struct {
	name   string
	runs   uint64
	lastAt int64 // last call of its latest run, Unix ns
}

// learnPart counts a run under the part that it names, and in the agent's total.
func (b *Baseline) learnPart(of **partCounts, kind, name string, r *TrainingRun) {
	if *of == nil {
		*of = &partCounts{kind: kind, counts: New(b.Tenant), runs: map[string]map[string]*part{}, all: map[string]uint64{}}
	}
	c := *of
	c.all[r.Agent]++
	if name == "" {
		return
	}
	parts := c.runs[r.Agent]
	if parts == nil {
		parts = map[string]*part{}
		c.runs[r.Agent] = parts
	}
	p := parts[name]
	if p == nil {
		p = &part{name: name}
		parts[name] = p
	}
	p.runs++
	p.lastAt = max(p.lastAt, r.LastAt)
	own := *r
	own.Agent, own.Version, own.TaskType = partKey(r.Agent, kind, name), "", ""
	c.counts.Learn(&own)
}

// keepPart stores the counts of a part beside its agent's. Where the agent has no other
// runs nothing is stored: its own counts are the same.
func (b *Baseline) keepPart(c *partCounts, agent string, p *part) {
	if others := float64(c.all[agent]) - float64(p.runs); others > 0 {
		b.blend(agent, partKey(agent, c.kind, p.name), c.counts, min(1, partRuns/others))
	}
}

// blend stores, under the key of an agent's part, what the part has by itself (parts;
// nil: nothing) and a share of the rest of the agent's. Entries that are no sums of
// numbers are not stored: they are looked up under the agent.
func (b *Baseline) blend(agent, key string, parts *Baseline, share float64) {
	own := map[string]agentTable{}
	if parts != nil {
		own = parts.perAgentByName()
	}
	for _, t := range b.perAgent() {
		if t.ofParts() {
			t.average(key, agent, own[t.name()], key, share)
		}
	}
}
