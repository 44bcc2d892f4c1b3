package baseline

import "flyball/detect/model/calibrate"

// agentTable is a map of a baseline by agent, with values of any type. perAgent returns all of them. A new map must be
// added there to be copied, removed and averaged like the others.
type agentTable interface {
	// name identifies the table, to find the same table of another baseline.
	name() string
	remove(agent string)
	// copyFrom copies an agent's entry from the same table of another baseline.
	// Both then share the entry: entries of published baselines are not changed.
	copyFrom(from agentTable, agent string)
	// average stores base + share·(all − base) under key, for each number. base is the entry of baseKey in
	// from (zero when from is nil or has no entry), and all is the entry of agent in this table. It does nothing
	// for tables whose entries cannot be averaged.
	average(key, agent string, from agentTable, baseKey string, share float64)
	// ofParts reports whether the table has entries for versions and task types of an agent.
	ofParts() bool
}

// table is an agentTable with values of type T.
type table[T any] struct {
	id string
	at *map[string]T
	// mix returns base + share·(all − base) for each number; nil: entries cannot be averaged.
	mix       func(base, all T, share float64) T
	agentOnly bool // parts of an agent have no entries: they are looked up under the agent
}

func (t table[T]) name() string  { return t.id }
func (t table[T]) ofParts() bool { return !t.agentOnly }

func (t table[T]) remove(agent string) { delete(*t.at, agent) }

func (t table[T]) set(agent string, v T) {
	if *t.at == nil {
		*t.at = map[string]T{}
	}
	(*t.at)[agent] = v
}

func (t table[T]) copyFrom(from agentTable, agent string) {
	if v, ok := (*from.(table[T]).at)[agent]; ok {
		t.set(agent, v)
	}
}

func (t table[T]) average(key, agent string, from agentTable, baseKey string, share float64) {
	all, ok := (*t.at)[agent]
	if !ok || t.mix == nil {
		return
	}
	var base T
	if from != nil {
		base = (*from.(table[T]).at)[baseKey]
	}
	t.set(key, t.mix(base, all, share))
}

// perAgent returns the maps of the baseline by agent. Their keys include those of versions and task types
// (VersionKey, TaskKey).
func (b *Baseline) perAgent() agentTables {
	out := agentTables{
		table[Counts]{id: "counts", at: &b.Agents, mix: mixCounts},
		table[float64]{id: "calls on routes", at: &b.PerRoute.Offsets, mix: mixNumbers},
		table[*RouteFollowers]{id: "order of routes", at: &b.Sequence.Agents},
		table[calibrate.Rank]{id: "ranks", at: &b.Ranks.Agents, mix: mixRanks},
	}
	for _, a := range []struct {
		id string
		of *Amount
	}{
		{"calls", &b.Lengths}, {"identical calls", &b.Identical}, {"bytes", &b.Bytes}, {"writes", &b.Writes}, {"tokens", &b.Tokens}, {"money",
			&b.Money},
	} {
		out = append(out, table[Moments]{id: a.id, at: &a.of.Agents, mix: mixMoments})
	}
	if b.CallRates != nil {
		out = append(out, rateTable(b.CallRates))
	}
	if b.Scopes != nil {
		out = append(out, scopeTable(b.Scopes))
	}
	for _, d := range b.distributionsByAgent() {
		for group, within := range d.of.Within {
			out = append(out, table[RunCounts]{id: d.id + " within " + group, at: &within, mix: mixRunCounts})
		}
	}
	return out
}

// agentTables are the maps of a baseline by agent.
type agentTables []agentTable

func (list agentTables) byName() map[string]agentTable {
	out := map[string]agentTable{}
	for _, t := range list {
		out[t.name()] = t
	}
	return out
}

// remove removes the entries of one key.
func (list agentTables) remove(key string) {
	for _, t := range list {
		t.remove(key)
	}
}

// namedDistribution is a distribution and its name, by which it is found in another baseline.
type namedDistribution struct {
	id string
	of *RunCountDistribution
}

// distributionsByAgent returns the distributions by agent, without those by route.
func (b *Baseline) distributionsByAgent() []namedDistribution {
	return []namedDistribution{
		{"identical calls of a run", &b.IdenticalCalls}, {"distinct calls", &b.Distinct}, {"changes of route", &b.Switches},
		{"irreversible calls", &b.Irreversible}, {"parallel calls", &b.Parallel},
		{
			"identical calls over runs",
			&b.AcrossRuns.Identical,
		}, {"deletions over runs", &b.AcrossRuns.Deletions}, {"retries over runs", &b.AcrossRuns.Retries},
	}
}

// Has reports whether anything is counted under an agent's key.
func (b *Baseline) Has(agent string) bool {
	_, ok := b.Agents[agent]
	return ok
}
