package baseline

// CopyAgent replaces the counts of an agent, including its versions and task types,
// by those of another baseline. Both baselines then share entries, which must not be changed
// in place afterwards.
func (b *Baseline) CopyAgent(from *Baseline, agent string) {
	c := copier{b, from}
	for _, key := range append(b.partKeys(agent), from.partKeys(agent)...) {
		c.copyKey(key)
	}
	c.copyKey(agent)
	c.copyGroup(from.AgentGroup(agent))
	copyList(&b.Versions, from.Versions, agent)
	copyList(&b.Tasks, from.Tasks, agent)
}

// copier copies counts of a published baseline into one that is being made. Entries that it copies are shared.
type copier struct{ into, from *Baseline }

// copyKey replaces the entries of one key by those of another baseline.
func (c copier) copyKey(key string) {
	c.into.perAgent().remove(key)
	c.makeGroups(key)
	tables := c.from.perAgent().byName()
	for _, t := range c.into.perAgent() {
		if f := tables[t.name()]; f != nil {
			t.copyFrom(f, key)
		}
	}
	if agent := agentFromKey(key); agent == key && c.into.CallRates != nil && c.from.CallRates != nil {
		c.into.CallRates.CopyShared(c.from.CallRates, agent, c.from.AgentGroup(agent))
	}
}

// makeGroups adds to the distributions the peer groups in which another baseline has entries of a key.
func (c copier) makeGroups(key string) {
	own := c.into.distributionsByAgent()
	for i, d := range c.from.distributionsByAgent() {
		for group, within := range d.of.Within {
			if _, counted := within[key]; !counted || own[i].of.Within[group] != nil {
				continue
			}
			if own[i].of.Within == nil {
				own[i].of.Within = map[string]map[string]RunCounts{}
			}
			own[i].of.Within[group] = map[string]RunCounts{}
		}
	}
}

// copyGroup copies what is counted of a peer group from another baseline, if this one has no routes of it. An agent whose
// counts are copied would else be compared with nobody: each of its routes would be a new one.
func (c copier) copyGroup(group string) {
	if len(c.into.Routes[group]) > 0 || len(c.from.Routes[group]) == 0 {
		return
	}
	copyEntry(&c.into.Groups, c.from.Groups, group)
	copyEntry(&c.into.Routes, c.from.Routes, group)
	copyEntry(&c.into.KnownAPIs, c.from.KnownAPIs, group)
	copyEntry(&c.into.PerRoute.Groups, c.from.PerRoute.Groups, group)
	copyEntry(&c.into.Sequence.Groups, c.from.Sequence.Groups, group)
	copyEntry(&c.into.KnownResources.Groups, c.from.KnownResources.Groups, group)
	copyEntry(&c.into.KnownResources.Runs, c.from.KnownResources.Runs, group)
	amounts := c.from.amounts()
	for i, a := range c.into.amounts() {
		copyEntry(&a.of.Groups, amounts[i].of.Groups, group)
	}
	byAgent := c.from.distributionsByAgent()
	for i, d := range c.into.distributionsByAgent() {
		copyEntry(&d.of.Groups, byAgent[i].of.Groups, group)
	}
	byRoute := [...]*RunCountDistribution{&c.from.NewOnRoute, &c.from.AcrossRuns.NewOnRoute}
	for i, d := range [...]*RunCountDistribution{&c.into.NewOnRoute, &c.into.AcrossRuns.NewOnRoute} {
		copyEntry(&d.Groups, byRoute[i].Groups, group)
		copyEntry(&d.Within, byRoute[i].Within, group)
	}
}

func copyList[T any](into *map[string][]T, from map[string][]T, agent string) {
	delete(*into, agent)
	if list := from[agent]; len(list) > 0 {
		if *into == nil {
			*into = map[string][]T{}
		}
		(*into)[agent] = list
	}
}

// copyEntry copies the entry of a key, if there is one. Both maps then share it.
func copyEntry[M ~map[string]T, T any](into *M, from M, key string) {
	v, ok := from[key]
	if !ok {
		return
	}
	if *into == nil {
		*into = M{}
	}
	(*into)[key] = v
}
