package baseline

import "strings"

// Parts of an agent are its versions and its task types. A kept part has separate counts: those of its runs, and a
// share of the agent's other runs with a weight of at most partRuns runs.
const partRuns = 10

// separator separates an agent and its part in a key. Names that come through
// ingest cannot contain it.
const separator = "\x1f"

// Kinds of parts. In a key they are the prefix of the part's name.
const (
	partVersion = "v"
	partTask    = "t"
)

func partKey(agent, kind, name string) string { return agent + separator + kind + name }

// agentFromKey returns the agent's key from the key of an agent or of a part.
func agentFromKey(key string) string {
	agent, _, _ := strings.Cut(key, separator)
	return agent
}

// isPartKey reports whether a key is the key of a part.
func isPartKey(key string) bool { return strings.Contains(key, separator) }

// DisplayName returns a key in the form for people: the agent, and its version or task.
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

// partKeys returns the keys of an agent's parts.
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

// partCounts holds the counts of all parts of one kind while a baseline is learned.
type partCounts struct {
	kind   string
	counts *Baseline                   // by key of a part
	runs   map[string]map[string]*part // by agent and name of the part
	all    map[string]uint64           // number of runs of an agent, of all parts and of none
}

// part is one version or task type of an agent.
type part struct {
	name   string
	runs   uint64
	lastAt int64 // last call of its latest run, Unix ns
}

// newPartCounts returns counts without runs.
func newPartCounts(tenant, kind string) *partCounts {
	return &partCounts{kind: kind, counts: New(tenant), runs: map[string]map[string]*part{}, all: map[string]uint64{}}
}

// learn counts a run under its part, and in the agent's total. name is empty for a run without a part.
func (c *partCounts) learn(name string, r *TrainingRun) {
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
	own.Agent, own.Version, own.TaskType = partKey(r.Agent, c.kind, name), "", ""
	c.counts.Learn(&own)
}

// keep stores the counts of a part in a baseline. When the agent has no other runs it stores nothing, because the counts of
// the agent are the same.
func (c *partCounts) keep(into *Baseline, agent string, p *part) {
	if others := float64(c.all[agent]) - float64(p.runs); others > 0 {
		blend(into, agent, partKey(agent, c.kind, p.name), c.counts, min(1, partRuns/others))
	}
}

// blend stores in a baseline, under the key of an agent's part, the counts of the part (in parts, which may be
// nil) plus a share of the agent's other counts. Entries that cannot be averaged
// are not stored: they are looked up under the agent.
func blend(into *Baseline, agent, key string, parts *Baseline, share float64) {
	own := map[string]agentTable{}
	if parts != nil {
		own = parts.perAgent().byName()
	}
	for _, t := range into.perAgent() {
		if t.ofParts() {
			t.average(key, agent, own[t.name()], key, share)
		}
	}
}
