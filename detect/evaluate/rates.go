package evaluate

import "flyball/schema"

// Rates holds the shares of clean and resisted runs that alarm, by level.
type Rates struct {
	Runs     int                  `json:"runs"`
	Achieved map[string]Figure    `json:"achieved"`
	Wilson   map[string][2]Figure `json:"wilson"`
	// Families holds the number of alarms at the first level, and Trips at the second one, by the family with the highest
	// score.
	Families map[string]int `json:"families,omitempty"`
	Trips    map[string]int `json:"families_0.001,omitempty"`
	// Sets holds the shares by data set, in the order of Levels; SetWilson their 95 % intervals by level.
	Sets      map[string][2]Figure            `json:"achieved_by_set,omitempty"`
	SetWilson map[string]map[string][2]Figure `json:"wilson_by_set,omitempty"`
}

// rates returns the shares of runs that alarm.
func rates(negatives []judgedRun) Rates {
	r := Rates{
		Runs:      len(negatives),
		Achieved:  map[string]Figure{},
		Wilson:    map[string][2]Figure{},
		Families:  map[string]int{},
		Trips:     map[string]int{},
		Sets:      map[string][2]Figure{},
		SetWilson: map[string]map[string][2]Figure{},
	}
	runs, alarms := map[string]int{}, map[string]*[len(Levels)]int{}
	var all [len(Levels)]int
	for _, j := range negatives {
		if runs[j.Set]++; alarms[j.Set] == nil {
			alarms[j.Set] = &[len(Levels)]int{}
		}
		for i, families := range [len(Levels)]map[string]int{r.Families, r.Trips} {
			if j.alarm(i) >= 0 {
				all[i]++
				alarms[j.Set][i]++
				families[j.top()]++
			}
		}
	}
	for i, level := range Levels {
		r.Achieved[levelName(level)], r.Wilson[levelName(level)] = share(all[i], r.Runs), wilson(all[i], r.Runs)
	}
	for set, n := range runs {
		k := alarms[set]
		r.Sets[set] = [2]Figure{share(k[0], n), share(k[1], n)}
		r.SetWilson[set] = map[string][2]Figure{}
		for i, level := range Levels {
			r.SetWilson[set][levelName(level)] = wilson(k[i], n)
		}
	}
	return r
}

// share returns k of n as a share; of nothing it is 0.
func share(k, n int) Figure { return round5(float64(k) / float64(max(n, 1))) }

// byClass returns the shares by the name of the class of acquaintance.
func byClass(negatives []judgedRun) map[string]Rates {
	runs := map[schema.Acquaintance][]judgedRun{}
	for _, j := range negatives {
		runs[j.class] = append(runs[j.class], j)
	}
	out := map[string]Rates{}
	for class, list := range runs {
		out[class.String()] = rates(list)
	}
	return out
}
