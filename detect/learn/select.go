package learn

import (
	"maps"
	"slices"

	"flyball/detect/model/baseline"
)

// Selection holds the runs that a version learns from, and the number of runs that it leaves out by reason.
type Selection struct {
	Runs     []SelectedRun
	Clean    int // number of Runs without an alarm
	Status   map[string]*baseline.AgentStatus
	Excluded map[string]uint64
}

// SelectRuns selects the runs of each agent to learn from: at most perAgent, and what the limits on all runs allow; within the limits of
// sampleDays; none after the agent was frozen, none from before it was reset. Runs from before a freeze are selected.
func SelectRuns(history map[string]*AgentHistory, overrides *Overrides, perAgent int) *Selection {
	out := &Selection{Status: map[string]*baseline.AgentStatus{}, Excluded: map[string]uint64{}}
	for _, agent := range slices.Sorted(maps.Keys(history)) {
		p := history[agent]
		status := &baseline.AgentStatus{SeenAt: p.SeenAt, FirstAt: p.FirstAt, Version: p.Version, Group: p.Group,
			Excluded: map[string]uint64{}}
		maps.Copy(status.Excluded, p.Excluded)
		most := perAgent
		if p.most > 0 {
			most = min(most, p.most)
		}
		frozenAt, order := overrides.frozenAt(agent)
		resetAt := overrides.Reset[agent].At
		if status.Order = order; order == nil && resetAt > 0 {
			o := overrides.Reset[agent]
			status.Order = &o
		}
		for _, kind := range [...]struct {
			days    map[uint16]*Day
			alarmed bool
		}{{p.Clean, false}, {p.Alarmed, true}} {
			picked, full, enough := sampleDays(kind.days, most)
			exclude(status.Excluded, baseline.ExcludedDayFull, full)
			exclude(status.Excluded, baseline.ExcludedEnough, enough)
			for i := range picked {
				r := &picked[i]
				switch {
				case frozenAt > 0 && r.At > frozenAt:
					exclude(status.Excluded, baseline.ExcludedFrozen, 1)
					continue
				case r.At <= resetAt:
					exclude(status.Excluded, baseline.ExcludedReset, 1)
					continue
				case kind.alarmed:
					exclude(status.Excluded, baseline.ExcludedAlarmed, 1)
				default:
					out.Clean++
				}
				out.Runs = append(out.Runs, SelectedRun{StoredRun: *r, Agent: agent, Alarmed: kind.alarmed})
			}
		}
		for why, n := range status.Excluded {
			out.Excluded[why] += n
		}
		out.Status[agent] = status
	}
	return out
}

func exclude(left map[string]uint64, why string, n uint64) {
	if n > 0 {
		left[why] += n
	}
}
