package callrate

import (
	"fmt"
	"math"
	"testing"

	"flyball/schema"
)

// onDays makes a series with twelve calls in each quarter of three hours, on the first days of the window.
func onDays(agent, group string, days int) Series {
	s := Series{Agent: agent, Group: group}
	for day := range days {
		for hour := 9; hour < 12; hour++ {
			s.Cells = append(s.Cells, HourCounts{Hour: int32(24*day + hour), ActiveQuarters: 4, Calls: 48, Squares: 4 * 144, Max: 12})
		}
	}
	return s
}

// learnedFleet returns rates of ten known agents of one group, and of groups of which little is known.
func learnedFleet() *Model {
	list := append(fleetOf(10, 4, dayShift), onDays("one/a", "one", 28), onDays("two/a", "two", 28), onDays("two/b", "two", 28),
		onDays("late/a", "late", 4), onDays("late/b", "late", 4), onDays("late/c", "late", 4), onDays("", "", 28))
	return Fit(list, 4, 0)
}

// A caller of which nothing was learned is compared with nobody: neither a limit nor a usual value is of the agents of
// other groups.
func TestPaceOfAStrangerIsANumberOfOthers(t *testing.T) {
	const people = "humans"
	m := learnedFleet()
	withPeople := Fit(append(fleetOf(10, 4, dayShift), onDays("", people, 28), onDays("", "", 28)), 4, 0)
	oneWeek := Fit(fleetOf(10, 1, dayShift), 1, 0)
	fewDays := Fit([]Series{onDays("g/0", "g", 2), onDays("g/1", "g", 9), onDays("g/2", "g", 9)}, 2, 0)
	old := *m
	old.Agents, old.Groups = map[string]AgentRate{}, map[string]GroupRate{}
	for name, a := range m.Agents {
		a.Days = 0
		old.Agents[name] = a
	}
	for name, g := range m.Groups {
		g.Agents, g.OwnLevel = 0, 0
		old.Groups[name] = g
	}
	carried := *m
	carried.Groups = map[string]GroupRate{}
	for name, tc := range map[string]struct {
		model        *Model
		agent, group string
		class        schema.Acquaintance
		why, of      string
	}{
		"no baseline, or less than two weeks":              {oneWeek, "g/0", "g", schema.NothingLearned, WhyNothingLearned, "nothing_learned"},
		"a known agent":                                    {m, "g/0", "g", schema.KnownAgent, "", "own"},
		"a new agent of known peers":                       {m, "g/new", "g", schema.NewAgent, "", "peers"},
		"a new agent of two known peers":                   {m, "two/new", "two", schema.NewAgent, "", "peers"},
		"a new agent of one known peer":                    {m, "one/new", "one", schema.NewPopulation, WhyNothingLearned, "nothing_learned"},
		"the one known agent of its group":                 {m, "one/a", "one", schema.KnownAgent, "", "own"},
		"an agent of four days":                            {m, "late/a", "late", schema.NewPopulation, WhyNothingLearned, "nothing_learned"},
		"a new agent of peers of four days":                {m, "late/new", "late", schema.NewPopulation, WhyNothingLearned, "nothing_learned"},
		"a new group":                                      {m, "shop/0", "shop", schema.NewPopulation, WhyNothingLearned, "nothing_learned"},
		"a name that nobody has, claimed":                  {m, "~shop/0", "shop", schema.NewPopulation, WhyNothingLearned, "nothing_learned"},
		"programs without a name":                          {m, "", "", schema.KnownAgent, "", "peers"},
		"a person, where only such programs were learned":  {m, "", people, schema.NewPopulation, WhyNothingLearned, "nothing_learned"},
		"a person never seen, where people were learned":   {withPeople, "", people, schema.KnownAgent, "", "peers"},
		"a known agent of a release before days were kept": {&old, "g/0", "g", schema.KnownAgent, "", "own"},
		"a new agent of that release":                      {&old, "g/new", "g", schema.NewPopulation, WhyNothingLearned, "nothing_learned"},
		"an agent whose group was not learned":             {&carried, "g/0", "g", schema.NewPopulation, WhyNothingLearned, "nothing_learned"},
		"too few days to calibrate":                        {fewDays, "g/1", "g", schema.KnownAgent, WhyNotCalibrated, "own"},
	} {
		if got := tc.model.Acquaintance(tc.agent, tc.group); got != tc.class {
			t.Errorf("%s: %v, want %v", name, got, tc.class)
		}
		if got := tc.model.Abstains(tc.agent, tc.group); got != tc.why {
			t.Errorf("%s: abstains because of %q, want %q", name, got, tc.why)
		}
		shown := tc.model.ShownAt(tc.agent, tc.group, 33)
		if shown.Of != tc.of || math.IsNaN(shown.Calls) != (tc.of == WhyNothingLearned) {
			t.Errorf("%s: shown %+v, want the past of %s", name, shown, tc.of)
		}
		var k Count
		if limit, ok := k.Limit(tc.model, tc.agent, tc.group, .001); ok != (tc.why == "") {
			t.Errorf("%s: limit %d, %v", name, limit, ok)
		}
	}
}

// The usual value that is shown of peers is that of the group: a group of two agents is not drawn towards others.
func TestUsualPaceOfTwoPeersIsThatOfEverybody(t *testing.T) {
	list := fleetOf(10, 4, dayShift)
	for _, agent := range []string{"two/a", "two/b"} {
		s := busy(agent, 4, func(week, hour int) float64 { return 40 * dayShift(week, hour) })
		s.Group = "two"
		list = append(list, s)
	}
	m := Fit(list, 4, 0)
	shown := m.ShownAt("two/new", "two", 34)
	if own := m.ShownAt("two/a", "two", 34); math.Abs(shown.Calls-own.Calls) > .1*own.Calls || shown.Calls != shown.Peers {
		t.Errorf("%+v is shown of a new agent, %+v of its peers", shown, own)
	}
	// A new agent that calls as much as its peers is not above the limit.
	if n, ok := m.Limit("two/new", "two", 34, .001); !ok || float64(n) < 2*40*18 {
		t.Errorf("a new agent of two peers that make 720 calls in a quarter of an hour may make %d", n)
	}
}

// The threshold is that of the days which are judged: agents that only the newest week knows are not among them.
func TestStrangersAreInTheCalibration(t *testing.T) {
	fleet := fleetOf(10, 4, dayShift)
	clean := Fit(fleet, 4, 0)
	for i := range 10 {
		s := busy(fmt.Sprint("new/", i), 4, func(week, hour int) float64 {
			if week < 3 {
				return 0
			}
			return 100 * dayShift(week, hour)
		})
		s.Group = "new"
		fleet = append(fleet, s)
	}
	with := Fit(fleet, 4, 0)
	if with.Calibration.Runs != clean.Calibration.Runs {
		t.Errorf("calibrated on %v days, %v without the strangers", with.Calibration.Runs, clean.Calibration.Runs)
	}
	if why := with.Abstains("new/3", "new"); why != "" {
		t.Errorf("five days are learned of it, and it is not judged: %s", why)
	}
}

// An agent that keeps an earlier rate (frozen or stale) keeps the hours of its group; a forgotten one keeps nothing.
func TestFrozenAgentHasTheHoursOfOthers(t *testing.T) {
	was := learnedFleet()
	now := Fit(append(fleetOf(6, 4, dayShift), onDays("", "humans", 28)), 4, 0)
	now.Agents["two/a"] = was.Agents["two/a"]
	if now.Abstains("two/a", "two") == "" {
		t.Error("its hours of the week are those of everybody")
	}
	now.CopyShared(was, "two/a", "two")
	if class := now.Acquaintance("two/a", "two"); class != schema.KnownAgent {
		t.Errorf("carried over: %v", class)
	}
	if f := now.Groups["two"].Factors; len(f) != HoursPerWeek || f[10] != was.Groups["two"].Factors[10] {
		t.Error("not the hours of its group")
	}
	level := now.Groups["g"].Level
	if now.CopyShared(was, "g/0", "g"); now.Groups["g"].Level != level {
		t.Error("a learned group is replaced")
	}
	later := learnedFleet()
	later.CopyShared(now, "", "")
	if later.Acquaintance("", "humans") != schema.KnownAgent {
		t.Error("callers without a name are not carried over")
	}
	if later.Forget(""); later.Acquaintance("", "humans") == schema.KnownAgent || later.Acquaintance("", "") == schema.KnownAgent {
		t.Error("callers without a name are not forgotten")
	}
}
