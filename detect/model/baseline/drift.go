package baseline

import (
	"math"
	"reflect"

	"flyball/detect/feature"
)

// DriftPerDay is the factor by which an agent's own usual figures may move in a day:
// the odds of its events, the median of its amounts and their spread, and how likely a
// run is to come as far as some counts.
const DriftPerDay = 2

// own figures of an agent, as scoring sees them under given peers.
type own struct {
	counts  Counts
	amounts []Moments   // of amounts
	finals  []RunCounts // of byAgent
}

func ownFigures(b *Baseline, agent, group string) own {
	out := own{counts: b.Agents[agent]}
	for _, a := range b.amounts() {
		out.amounts = append(out.amounts, a.of.Agents[agent])
	}
	for _, f := range b.byAgent() {
		out.finals = append(out.finals, f.Within[group][agent])
	}
	return out
}

// between is a part of the way from one to another.
func between(from, to *own, share float64) own {
	out := own{amounts: make([]Moments, len(from.amounts)), finals: make([]RunCounts, len(from.finals))}
	part := func(out, from, to any) {
		mixed(reflect.ValueOf(out).Elem(), reflect.ValueOf(from).Elem(), reflect.ValueOf(to).Elem(), share)
	}
	part(&out.counts, &from.counts, &to.counts)
	for i := range out.amounts {
		part(&out.amounts[i], &from.amounts[i], &to.amounts[i])
	}
	for i := range out.finals {
		part(&out.finals[i], &from.finals[i], &to.finals[i])
	}
	return out
}

// moved is the logarithm of the largest factor between two.
func (b *Baseline) moved(group string, from, to *own) float64 {
	most := 0.0
	peers := b.Groups[group]
	for e := range feature.NumEvents {
		k := &shrinkages[e]
		all := b.All.ForEvent(e)
		of := peers.ForEvent(e).towards((all.Hits+.5)/(all.Calls+20), k.level)
		odds := func(c *Counts) float64 {
			return logit(min(max(c.ForEvent(e).towards(of, k.agent), k.floor), k.ceiling))
		}
		most = max(most, math.Abs(odds(&to.counts)-odds(&from.counts)))
	}
	for i, a := range b.amounts() {
		m, v := a.of.everybody()
		m, v = a.of.Groups[group].towards(m, v)
		m0, v0 := from.amounts[i].towards(m, v)
		m1, v1 := to.amounts[i].towards(m, v)
		most = max(most, math.Abs(m1-m0), math.Abs(math.Log(v1/v0))/2)
	}
	for i, f := range b.byAgent() {
		levels := f.Levels(group, "")
		tails := func(own RunCounts) []float64 {
			levels[2] = own
			return MinusLogTails(levels, nil, countsAt[len(countsAt)-1]+1)
		}
		was, is := tails(from.finals[i]), tails(to.finals[i])
		for _, n := range countsAt {
			most = max(most, math.Abs(is[n]-was[n]))
		}
	}
	return most
}

// countsAt are where the tails of counts are compared.
var countsAt = [...]int{4, 8, 16, 32, 64}

// LimitDrift keeps an agent's own figures within DriftPerDay of what the version before
// has, for so many days: its counts become those of the version before and as much
// of the difference as that allows. It returns how much; 1 is all of it.
func (b *Baseline) LimitDrift(before *Baseline, agent, group string, days float64) float64 {
	if !b.Has(agent) || !before.Has(agent) {
		return 1
	}
	from, to := ownFigures(before, agent, group), ownFigures(b, agent, group)
	most := math.Log(DriftPerDay) * max(days, 0)
	if b.moved(group, &from, &to) <= most {
		return 1
	}
	low, high := 0.0, 1.0
	for range 40 {
		mid := (low + high) / 2
		part := between(&from, &to, mid)
		if b.moved(group, &from, &part) <= most {
			low = mid
		} else {
			high = mid
		}
	}
	was := map[string]reflect.Value{}
	before.own(func(path string, of reflect.Value) { was[path] = of.MapIndex(reflect.ValueOf(agent)) })
	b.own(func(path string, of reflect.Value) {
		is := of.MapIndex(reflect.ValueOf(agent))
		kind := of.Type().Elem().Kind()
		if !is.IsValid() || !summed(kind) {
			return
		}
		out := reflect.New(is.Type()).Elem()
		mixed(out, was[path], is, low)
		of.SetMapIndex(reflect.ValueOf(agent), out)
	})
	return low
}
