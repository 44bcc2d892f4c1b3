package learn

import (
	"maps"
	"slices"

	"flyball/detect/model/baseline"
)

// Chosen is what a version is to learn from, and what it leaves out.
type Chosen struct {
	Runs  []Teach
	Clean int // of them
	Life  map[string]*baseline.Life
	Left  map[string]uint64
}

// Choose says which runs teach: of each agent those that its days have room for,
// none after it was frozen, none from before it was reset. An agent that is frozen
// for the first time, before anything is known of it, learns what was before.
func Choose(history map[string]*Past, words *Words, perAgent int) *Chosen {
	out := &Chosen{Life: map[string]*baseline.Life{}, Left: map[string]uint64{}}
	for _, agent := range slices.Sorted(maps.Keys(history)) {
		p := history[agent]
		life := &baseline.Life{SeenAt: p.SeenAt, Version: p.Version, Group: p.Group, Left: maps.Clone(p.Left)}
		frozenAt, order := words.FrozenAt(agent)
		resetAt := words.Reset[agent].At
		if life.Order = order; order == nil && resetAt > 0 {
			o := words.Reset[agent]
			life.Order = &o
		}
		for _, kind := range [...]struct {
			days    map[uint16]*Day
			alarmed bool
		}{{p.Clean, false}, {p.Alarmed, true}} {
			picked, full, enough := ofDays(kind.days, perAgent)
			leave(life.Left, baseline.LeftDayFull, full)
			leave(life.Left, baseline.LeftEnough, enough)
			for i := range picked {
				r := &picked[i]
				switch {
				case frozenAt > 0 && r.At > frozenAt:
					leave(life.Left, baseline.LeftFrozen, 1)
					continue
				case r.At <= resetAt:
					leave(life.Left, baseline.LeftReset, 1)
					continue
				case kind.alarmed:
					leave(life.Left, baseline.LeftAlarmed, 1)
				default:
					out.Clean++
				}
				out.Runs = append(out.Runs, Teach{PastRun: *r, Agent: agent, Alarmed: kind.alarmed})
			}
		}
		for why, n := range life.Left {
			out.Left[why] += n
		}
		out.Life[agent] = life
	}
	return out
}

func leave(left map[string]uint64, why string, n uint64) {
	if n > 0 {
		left[why] += n
	}
}
