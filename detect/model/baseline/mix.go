package baseline

import (
	"flyball/detect/model/calibrate"
	"flyball/detect/model/callrate"
	"flyball/detect/model/scope"
)

// The mix functions of this file return base + share·(all − base) for each number: base for share 0 and all for share 1.

func mixNumbers(base, all, share float64) float64 { return base + share*(all-base) }

func mixCounts(base, all Counts, share float64) (out Counts) {
	for i := range out {
		out[i] = Count{mixNumbers(base[i].Hits, all[i].Hits, share), mixNumbers(base[i].Calls, all[i].Calls, share)}
	}
	return out
}

func mixMoments(base, all Moments, share float64) Moments {
	return Moments{
		N:    mixNumbers(base.N, all.N, share),
		Sum:  mixNumbers(base.Sum, all.Sum, share),
		Sum2: mixNumbers(base.Sum2, all.Sum2, share),
	}
}

// mixLists mixes two lists. Missing elements of the shorter list count as 0.
func mixLists(base, all []float64, share float64) []float64 {
	at := func(list []float64, i int) float64 {
		if i < len(list) {
			return list[i]
		}
		return 0
	}
	out := make([]float64, max(len(base), len(all)))
	for i := range out {
		out[i] = mixNumbers(at(base, i), at(all, i), share)
	}
	return out
}

func mixRunCounts(base, all RunCounts, share float64) RunCounts { return mixLists(base, all, share) }

func mixRanks(base, all calibrate.Rank, share float64) calibrate.Rank {
	return calibrate.Rank{
		Runs:   mixNumbers(base.Runs, all.Runs, share),
		Scores: mixLists(base.Scores, all.Scores, share),
		Above:  mixLists(base.Above, all.Above, share),
	}
}

// rateTable returns the table of call rates. It has entries only for agents, because call rates are not learned by task
// or version.
func rateTable(m *callrate.Model) agentTable {
	mix := func(base, all callrate.AgentRate, share float64) callrate.AgentRate {
		return callrate.AgentRate{
			Level: mixNumbers(base.Level, all.Level, share), RelVariance: mixNumbers(base.RelVariance, all.RelVariance, share),
			Spread: mixNumbers(base.Spread, all.Spread, share), ActiveQuarters: mixNumbers(base.ActiveQuarters, all.ActiveQuarters, share),
			Days: all.Days, // also when the drift of the rate is limited
		}
	}
	return table[callrate.AgentRate]{id: "call rate", at: &m.Agents, mix: mix, agentOnly: true}
}

func scopeTable(m *scope.Model) agentTable {
	return table[map[string]*scope.LearnedScope]{id: "scope", at: &m.Own}
}
