package learn

import (
	"maps"
	"slices"

	"flyball/detect/model/baseline"
)

// Selection is what a version is to learn from, and what it leaves out.
type Selection struct {
	Runs     []SelectedRun
	Clean    int // of them
	Status   map[string]*baseline.AgentStatus
	Excluded map[string]uint64
}

// SelectRuns says which runs teach: of each agent those that its days have room for,
// none after it was frozen, none from before it was reset. An agent that is frozen
// for the first time, before anything is known of it, learns what was before.
func SelectRuns(history map[string]*AgentHistory, words *Overrides, perAgent int) *Selection {
	out := &Selection{Status: map[string]*baseline.AgentStatus{}, Excluded: map[string]uint64{}}
	for _, agent := range slices.Sorted(maps.Keys(history)) {
		p := history[agent]
		life := &baseline.AgentStatus{SeenAt: p.SeenAt, Version: p.Version, Group: p.Group, Excluded: maps.Clone(p.Excluded)}
		frozenAt, order := words.frozenAt(agent)
		resetAt := words.Reset[agent].At
		if life.Order = order; order == nil && resetAt > 0 {
			o := words.Reset[agent]
			life.Order = &o
		}
		for _, kind := range [...]struct {
			days    map[uint16]*Day
			alarmed bool
		}{{p.Clean, false}, {p.Alarmed, true}} {
			picked, full, enough := sampleDays(kind.days, perAgent)
			exclude(life.Excluded, baseline.ExcludedDayFull, full)
			exclude(life.Excluded, baseline.ExcludedEnough, enough)
			for i := range picked {
				r := &picked[i]
				switch {
				case frozenAt > 0 && r.At > frozenAt:
					exclude(life.Excluded, baseline.ExcludedFrozen, 1)
					continue
				case r.At <= resetAt:
					exclude(life.Excluded, baseline.ExcludedReset, 1)
					continue
				case kind.alarmed:
					exclude(life.Excluded, baseline.ExcludedAlarmed, 1)
				default:
					out.Clean++
				}
				out.Runs = append(out.Runs, SelectedRun{StoredRun: *r, Agent: agent, Alarmed: kind.alarmed})
			}
		}
		for why, n := range life.Excluded {
			out.Excluded[why] += n
		}
		out.Status[agent] = life
	}
	return out
}

func exclude(left map[string]uint64, why string, n uint64) {
	if n > 0 {
		left[why] += n
	}
}
