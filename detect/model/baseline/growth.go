package baseline

import (
	"math"
	"time"

	"flyball/detect/feature"
)

// Learning follows an agent by at most DriftPerDay a day, and there is no end to that: an agent that goes on raising what it does
// would be allowed anything after some weeks. So what its runs do is compared with what they did GrowthPeriod ago.
const (
	// GrowthFactor is the largest factor by which what the runs of an agent do may grow in a GrowthPeriod.
	GrowthFactor = 4
	// GrowthPeriod is how long figures of earlier runs are compared with.
	GrowthPeriod = 30 * 24 * time.Hour
)

// Growth holds what the runs of an agent did when it was measured, and how far they have grown since.
type Growth struct {
	Since  int64     `json:"since_ns"` // when PerRun was measured, Unix ns
	PerRun []float64 `json:"per_run"`  // what its runs did then, or those of its peers; in the order of growthFigures
	// HeldSince is the last call of the latest run that teaches, Unix ns, while the agent's runs have grown too far; 0: they have not.
	HeldSince int64 `json:"held_since_ns,omitempty"`
	// What, Was and Is name the figure that grew too far.
	What string  `json:"what,omitempty"`
	Was  float64 `json:"was,omitempty"`
	Is   float64 `json:"is,omitempty"`
}

// slack is how much more than GrowthFactor times the former number a run may do on average: what is rare grows by a large factor when
// it happens a second time. Few deletions and retries in each run are enough for a baseline that does not notice many in one.
var slack = [feature.NumEvents]float64{feature.Repeats: 3, feature.Retries: 1, feature.Failures: 2, feature.Sweeps: 3, feature.SweepsAny: 3,
	feature.Deletions: .5}

// growthFigures are the names of the figures of Growth, each with its slack.
func growthFigures() (names []string, slacks []float64) {
	for e := range feature.NumEvents {
		names, slacks = append(names, "calls of a run that "+eventWords[e]), append(slacks, slack[e])
	}
	return append(names, "calls of a run", "bytes given to a run"), append(slacks, 6, 1<<20)
}

// PerRun returns what the runs of an agent do on average, as counted in this version; nil: fewer than MinAgentRuns runs are,
// or it is a version or a task type of an agent.
func (b *Baseline) PerRun(agent string) []float64 {
	if isPartKey(agent) {
		return nil
	}
	return perRun(b.Agents[agent], b.Lengths.Agents[agent], b.Bytes.Agents[agent])
}

// PerRunBefore returns what later runs of an agent are compared with: for each figure, what its runs do or those of its peers,
// whichever is more. An agent that begins to do what its peers do has not grown. nil: too few runs of the agent.
func (b *Baseline) PerRunBefore(agent, group string) []float64 {
	own := b.PerRun(agent)
	if own == nil {
		return nil
	}
	counts, mine := b.Groups[group], b.Agents[agent]
	for i := range counts {
		counts[i].Hits, counts[i].Calls = max(counts[i].Hits-mine[i].Hits, 0), max(counts[i].Calls-mine[i].Calls, 0)
	}
	peers := perRun(counts, without(b.Lengths.Groups[group], b.Lengths.Agents[agent]), without(b.Bytes.Groups[group], b.Bytes.Agents[agent]))
	for i := range peers {
		own[i] = max(own[i], peers[i])
	}
	return own
}

func without(all, own Moments) Moments { return Moments{N: all.N - own.N, Sum: all.Sum - own.Sum} }

// perRun returns the figures of counts; lengths and bytes are the amounts of the same runs. nil: fewer than MinAgentRuns.
func perRun(counts Counts, lengths, bytes Moments) (out []float64) {
	if lengths.N < MinAgentRuns {
		return nil
	}
	for e := range feature.NumEvents {
		out = append(out, hundredth(counts.ForEvent(e).Hits/lengths.N))
	}
	for _, m := range []Moments{lengths, bytes} {
		mean := 0.0
		if m.N > 0 {
			mean = math.Exp(m.Sum / m.N)
		}
		out = append(out, hundredth(mean))
	}
	return out
}

// hundredth rounds to two digits: the figures are stored for each agent.
func hundredth(x float64) float64 { return math.Round(100*x) / 100 }

// Next returns the growth of an agent in the next version, from that of the version before (nil: none), what its runs do by the
// next version, and what later runs are compared with if it begins now (nil: too few runs), the last call of the latest run that taught
// the version before, and the time.
func (g *Growth) Next(perRun, before []float64, taughtAt, now int64) *Growth {
	names, slacks := growthFigures()
	switch {
	case g == nil || len(g.PerRun) != len(names): // none yet, or of a version with other figures
		if before == nil {
			return nil
		}
		return &Growth{Since: now, PerRun: before}
	case g.HeldSince > 0 && now-g.HeldSince < int64(GrowthPeriod):
		return g
	case g.HeldSince > 0: // the runs that grew are older than the window; the next ones are compared with the same figures
		return &Growth{Since: now, PerRun: g.PerRun}
	case perRun == nil:
		return g
	}
	for i, was := range g.PerRun {
		if is := perRun[i]; is > GrowthFactor*was+slacks[i] {
			return &Growth{Since: g.Since, PerRun: g.PerRun, HeldSince: taughtAt, What: names[i], Was: was, Is: is}
		}
	}
	if now-g.Since >= int64(GrowthPeriod) {
		return &Growth{Since: now, PerRun: before}
	}
	return g
}
