package baseline

import (
	"cmp"
	"slices"
)

// maxVersions is how many versions of an agent are kept, the latest: the present one and
// the one before. Callers can invent versions. Under the key of any other version a share
// of all of the agent's runs is kept, about a third of the weight of the peers: a run of
// it is compared with its peers more than with what the agent used to do.
const maxVersions = 2

// VersionKey is the key under which the counts of a version of an agent are kept; version
// "" stands for any version that is not kept.
func VersionKey(agent, version string) string { return partKey(agent, partVersion, version) }

// ComparisonKey is the key whose counts a run of an agent is compared with, and the named
// reason: the counts of its task type where they are kept; else, where the run names a
// version and the baseline keeps versions of the agent, those of the version or those of
// any other version; else the agent's own.
//
// task must come from scope.TrustedTaskType and never from the caller alone, who would
// choose the task in which most is usual. It selects among the kept types of the same
// agent. b may be nil: the agent's own key.
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
	if i := slices.IndexFunc(kept, func(v VersionStatus) bool { return v.Version == version }); i >= 0 {
		key := VersionKey(agent, version)
		switch {
		case !b.Has(key): // it is the agent's only version
			return agent, WhyTaught
		case kept[i].Runs < MinAgentRuns:
			return key, WhyNewVersion
		}
		return key, WhyTaught
	}
	if key = VersionKey(agent, ""); b.Has(key) {
		return key, WhyNewVersion
	}
	return agent, WhyNewVersion
}

// finishVersions keeps the latest versions of each agent, and counts for any other.
func (b *Baseline) finishVersions() {
	c := b.versions
	b.versions = nil
	if c == nil || len(c.runs) == 0 {
		return
	}
	c.counts.Finish()
	b.Versions = map[string][]VersionStatus{}
	for agent, parts := range c.runs {
		var latest []*part
		for _, p := range parts {
			latest = append(latest, p)
		}
		slices.SortFunc(latest, func(x, y *part) int {
			return cmp.Or(cmp.Compare(y.lastAt, x.lastAt), cmp.Compare(y.name, x.name))
		})
		b.blend(agent, VersionKey(agent, ""), nil, min(1, partRuns/float64(c.all[agent])))
		for _, p := range latest[:min(len(latest), maxVersions)] {
			b.Versions[agent] = append(b.Versions[agent], VersionStatus{Version: p.name, Runs: p.runs, SeenAt: p.lastAt})
			b.keepPart(c, agent, p)
		}
	}
}
