package baseline

import (
	"cmp"
	"slices"
)

// MostVersions of an agent are kept: callers can invent them. A new version of an
// agent opens a baseline of its own beside the agent's, for the present version and
// the one before. Of a version that is not kept, what is held of the agent's others
// is all: about a third of what the peers weigh by, so that what changed is measured
// by what the peers do more than by what the agent used to.
const MostVersions = 2

// VersionKey is the name under which the counts of a version are kept; "" is any
// version that is not.
func VersionKey(agent, version string) string { return partKey(agent, ofVersion, version) }

// ComparisonKey is the name by which a run of an agent is compared, and why: by the counts of
// its type of task where they are kept; else by the agent's own counts where no version is stated, where only this one ever
// taught, or where the body keeps no versions; by those of the version where it is
// kept; else by the agent's, weighed down.
//
// task is what scope.Established says, and no word of the caller: whoever could choose
// it could choose the laxest. It chooses among the kept types of the same agent alone.
func ComparisonKey(b *Baseline, agent, version, task string) (key, why string) {
	if b != nil && b.keepsTask(agent, task) {
		return TaskKey(agent, task), WhyTaught
	}
	if b == nil || version == "" {
		return agent, WhyTaught
	}
	kept := b.Versions[agent]
	if len(kept) == 0 {
		return agent, WhyTaught
	}
	for i := range kept {
		if kept[i].Version != version {
			continue
		}
		key, why = VersionKey(agent, version), WhyTaught
		switch {
		case !b.Has(key):
			return agent, WhyTaught
		case kept[i].Runs < MinAgentRuns:
			why = WhyNewVersion
		}
		return key, why
	}
	if key = VersionKey(agent, ""); b.Has(key) {
		return key, WhyNewVersion
	}
	return agent, WhyNewVersion
}

// finishVersions keeps the latest versions of each agent, and the counts for any other.
func (b *Baseline) finishVersions() {
	p := b.versions
	b.versions = nil
	if p == nil || len(p.seen) == 0 {
		return
	}
	p.of.Finish()
	b.Versions = map[string][]VersionStatus{}
	for agent, of := range p.seen {
		var list []*seen
		for _, v := range of {
			list = append(list, v)
		}
		slices.SortFunc(list, func(x, y *seen) int {
			return cmp.Or(cmp.Compare(y.at, x.at), cmp.Compare(y.name, x.name))
		})
		b.blend(agent, VersionKey(agent, ""), nil, min(1, partRuns/float64(p.runs[agent])))
		for _, v := range list[:min(len(list), MostVersions)] {
			b.Versions[agent] = append(b.Versions[agent], VersionStatus{Version: v.name, Runs: v.runs, SeenAt: v.at})
			b.keep(p, agent, v)
		}
	}
}
