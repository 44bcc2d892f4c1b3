package baseline

// copyGroup copies what is counted of a peer group from another baseline, if this one has no routes of it. An agent whose
// counts are copied would else be compared with nobody: each of its routes would be a new one.
func (b *Baseline) copyGroup(from *Baseline, group string) {
	if len(b.Routes[group]) > 0 || len(from.Routes[group]) == 0 {
		return
	}
	copyEntry(&b.Groups, from.Groups, group)
	copyEntry(&b.Routes, from.Routes, group)
	copyEntry(&b.KnownAPIs, from.KnownAPIs, group)
	copyEntry(&b.PerRoute.Groups, from.PerRoute.Groups, group)
	copyEntry(&b.Sequence.Groups, from.Sequence.Groups, group)
	copyEntry(&b.KnownResources.Groups, from.KnownResources.Groups, group)
	copyEntry(&b.KnownResources.Runs, from.KnownResources.Runs, group)
	amounts := from.amounts()
	for i, a := range b.amounts() {
		copyEntry(&a.of.Groups, amounts[i].of.Groups, group)
	}
	byAgent := from.distributionsByAgent()
	for i, d := range b.distributionsByAgent() {
		copyEntry(&d.of.Groups, byAgent[i].of.Groups, group)
	}
	for _, d := range [...][2]*RunCountDistribution{{&b.NewOnRoute, &from.NewOnRoute}, {&b.AcrossRuns.NewOnRoute, &from.AcrossRuns.NewOnRoute}} {
		copyEntry(&d[0].Groups, d[1].Groups, group)
		copyEntry(&d[0].Within, d[1].Within, group)
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
