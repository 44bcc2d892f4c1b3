package baseline

import (
	"cmp"
	"slices"
)

// maxVersions is how many of the latest versions of an agent are kept: the present one and the previous one. The
// number is limited because callers can invent versions. The key of all other versions has a share of all of the
// agent's runs with a weight of at most partRuns runs, so that a run of such a version is compared more with its
// peers than with the agent's earlier runs.
const maxVersions = 2

// VersionKey returns the key of the counts of a version of an agent. Version
// "" means all versions that are not kept.
func VersionKey(agent, version string) string { return partKey(agent, partVersion, version) }

// ComparisonKey returns the key of the counts with which a run is compared, and the named
// reason. It is the key of the run's task type if that is kept; else, if the run states a
// version and the baseline keeps versions of the agent, the key of that version or of
// all other versions; else the agent's key.
//
// task must come from scope.TrustedTaskType and never from the caller alone, because the caller would
// choose the task type in which its calls are most usual. b may be nil: then the result is the agent's key.
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
		case !b.Has(key): // the agent has no other version
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

// finishVersions keeps the latest versions of each agent, and counts for all other versions.
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
		blend(b, agent, VersionKey(agent, ""), nil, min(1, partRuns/float64(c.all[agent])))
		for _, p := range latest[:min(len(latest), maxVersions)] {
			b.Versions[agent] = append(b.Versions[agent], VersionStatus{Version: p.name, Runs: p.runs, SeenAt: p.lastAt})
			c.keep(b, agent, p)
		}
	}
}
