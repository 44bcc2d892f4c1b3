package evaluate

import (
	"cmp"
	"maps"
	"slices"

	"flyball/detect/model/calibrate"
	"flyball/schema"
)

// Growth holds a simulation of populations that nobody has learned, each left out in turn. A population makes its first
// runs in the order of time, and the baseline is learned again after every few of them. The runs that alarmed teach
// nothing, as in package learn; there is no quarantine.
type Growth struct {
	Runs   int      `json:"runs"`  // maximum number of runs of a population
	Every  int      `json:"every"` // runs between two baselines
	Groups []string `json:"groups"`
	// Acquaintance holds the figures of the runs that the populations made, by class at their time.
	Acquaintance map[string]GrowthCount `json:"by_acquaintance"`
	Steps        []GrowthStep           `json:"steps"`
	// Changes holds what a new baseline changes for a run with the same calls, by the class before and after it:
	// "new_population to known_agent". The runs are those that the populations made later or at other times.
	Changes map[string]GrowthChange `json:"changes"`
}

// GrowthStep holds the figures of all populations with one baseline each.
type GrowthStep struct {
	Learned int `json:"learned"` // closed runs of a population before the baseline
	// Own holds the figures of the runs until the next baseline, Others those of all other runs of the population, by
	// class.
	Own    map[string]GrowthCount `json:"own"`
	Others map[string]GrowthCount `json:"others"`
}

// GrowthCount is a number of clean and resisted runs and of those that alarm, by level.
type GrowthCount struct {
	Runs   int            `json:"runs"`
	Alarms map[string]int `json:"alarms"`
}

// GrowthChange is a number of runs, and of those among them that alarm by only one of two baselines, by level.
type GrowthChange struct {
	Runs int `json:"runs"`
	// Rises holds the runs that alarm by the later baseline only, Falls those by the earlier one only. Open holds the
	// runs that alarm by neither, and alarm when the baseline changes in the middle of the run.
	Rises map[string]int `json:"rises"`
	Falls map[string]int `json:"falls"`
	Open  map[string]int `json:"rises_of_open_runs"`
	// Storm: more runs rise than maxRises allows.
	Storm bool `json:"storm"`
}

const (
	growthRuns  = 150
	growthEvery = 10
)

// maxRises is the share of runs that may rise to a level because the baseline changes: twice the share of clean runs that
// may alert, as for the alerts of any class. What is beyond by the lower end of the 95 % interval is a storm.
const maxRises = 2 * calibrate.AlertShare

// growthSteps is the number of baselines of a population.
const growthSteps = growthRuns/growthEvery + 1

// simulateGrowth lets the population of each fold grow. It calls step after each baseline.
func simulateGrowth(folds []Fold, step func()) *Growth {
	g := &Growth{Runs: growthRuns, Every: growthEvery, Groups: []string{}, Acquaintance: map[string]GrowthCount{},
		Changes: map[string]GrowthChange{}}
	for i := range growthSteps {
		g.Steps = append(g.Steps, GrowthStep{Learned: i * growthEvery, Own: map[string]GrowthCount{}, Others: map[string]GrowthCount{}})
	}
	for _, f := range folds {
		g.Groups = append(g.Groups, f.Test[0].Group)
		g.grow(f, step)
	}
	for name, c := range g.Changes {
		c.Storm = c.storm()
		g.Changes[name] = c
	}
	return g
}

func (g *Growth) grow(f Fold, step func()) {
	own := firstRuns(keep(f.Test, (*Labelled).Clean))
	made := map[*Labelled]bool{}
	for _, r := range own {
		made[r] = true
	}
	others := capped(keep(f.Test, func(r *Labelled) bool { return r.negative() && !made[r] }), maxNegatives)
	train, alarmed := slices.Clone(f.Train), map[*Labelled]bool{}
	var before []judgedRun
	for i := range g.Steps {
		d := learnDetector(train, alarmed)
		next := d.judge(own[min(i*growthEvery, len(own)):min((i+1)*growthEvery, len(own))])
		for _, j := range next {
			alarmed[j.Labelled] = j.alarm(0) >= 0
			train = append(train, j.Labelled)
			count(g.Steps[i].Own, &j)
			count(g.Acquaintance, &j)
		}
		after := d.judge(others)
		for k := range after {
			count(g.Steps[i].Others, &after[k])
			if before != nil {
				g.change(&before[k], &after[k])
			}
		}
		before = after
		step()
	}
}

// firstRuns returns the first runs of a population in the order of time. Its agents are those with the most runs, as many
// as make enough of them: with all agents, most would make a few runs only.
func firstRuns(clean []*Labelled) []*Labelled {
	runs := map[string]int{}
	for _, r := range clean {
		runs[r.Agent]++
	}
	most := slices.SortedFunc(maps.Keys(runs), func(a, b string) int { return cmp.Or(cmp.Compare(runs[b], runs[a]), cmp.Compare(a, b)) })
	agents, n := map[string]bool{}, 0
	for _, agent := range most {
		if n < growthRuns {
			agents[agent] = true
			n += runs[agent]
		}
	}
	own := keep(clean, func(r *Labelled) bool { return agents[r.Agent] })
	slices.SortFunc(own, func(a, b *Labelled) int { return cmp.Or(a.Start.Compare(b.Start), cmp.Compare(a.ID, b.ID)) })
	return own[:min(len(own), growthRuns)]
}

func count(into map[string]GrowthCount, j *judgedRun) {
	c, known := into[j.class.String()]
	if !known {
		c.Alarms = map[string]int{}
	}
	c.Runs++
	for i, level := range Levels {
		if j.alarm(i) >= 0 {
			c.Alarms[levelName(level)]++
		}
	}
	into[j.class.String()] = c
}

// change compares a run by two baselines.
func (g *Growth) change(before, after *judgedRun) {
	name := changeName(before.class, after.class)
	c, known := g.Changes[name]
	if !known {
		c = GrowthChange{Rises: map[string]int{}, Falls: map[string]int{}, Open: map[string]int{}}
	}
	c.Runs++
	open := judgedRun{Labelled: after.Labelled}
	open.path, open.limits = follow(after.Labelled, func(call int) *Detector {
		if call < len(after.Calls)/2 {
			return before.by
		}
		return after.by
	})
	for i, level := range Levels {
		switch was, is := before.alarm(i) >= 0, after.alarm(i) >= 0; {
		case is && !was:
			c.Rises[levelName(level)]++
		case was && !is:
			c.Falls[levelName(level)]++
		case !was && open.alarm(i) >= 0:
			c.Open[levelName(level)]++
		}
	}
	g.Changes[name] = c
}

// storm reports whether more runs rise to a level than maxRises allows.
func (c *GrowthChange) storm() bool {
	for _, level := range Levels {
		rises := c.Rises[levelName(level)] + c.Open[levelName(level)]
		if low, _ := calibrate.Wilson(float64(rises), float64(c.Runs)); low > maxRises {
			return true
		}
	}
	return false
}

func changeName(before, after schema.Acquaintance) string {
	return before.String() + " to " + after.String()
}
