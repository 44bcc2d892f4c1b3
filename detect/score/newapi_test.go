package score

import (
	"fmt"
	"math"
	"testing"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/detect/model/calibrate"
	"flyball/schema"
)

// shapes are the calls of usual runs of agents, by the number of the run.
var shapes = map[string]func(n int) []feature.Input{
	"lists 30 items": func(n int) (calls []feature.Input) {
		for i := range 28 + n%7 {
			calls = append(calls, call("GET /bank/items/{}", 100*n+i))
		}
		return calls
	},
	"polls 40 times": func(n int) (calls []feature.Input) {
		for range 38 + n%5 {
			calls = append(calls, call("GET /bank/status", 1))
		}
		return calls
	},
	"deletes 5": func(n int) (calls []feature.Input) {
		for i := range 4 + n%3 {
			c := call("DELETE /bank/items/{}", 100*n+i)
			c.Write, c.Delete = true, true
			calls = append(calls, call("GET /bank/status", i), c)
		}
		return calls
	},
	"retries 6 times": func(n int) (calls []feature.Input) {
		for range 5 + n%3 {
			c := call("POST /bank/jobs", 1)
			c.Write, c.Failed, c.Result = true, true, feature.FailedResult
			calls = append(calls, c)
		}
		return calls
	},
	"changes routes": func(n int) (calls []feature.Input) {
		for i := range 20 + n%5 {
			c := call(fmt.Sprintf("GET /bank/%d", (i*i+n)%9), i)
			c.Write, c.Bytes = i%3 == 0, 50_000
			calls = append(calls, c)
		}
		return calls
	},
}

// level returns the level that a run has reached, by the share of one trip in a thousand.
func level(r *RunScore) schema.Level {
	levels := r.Levels(.001)
	return levels.For(r.Score)
}

// bank returns a baseline of acquainted's populations and of runs of the group bank with two agents.
func bank(populations, runs int, calls func(int) []feature.Input) *baseline.Baseline {
	names := map[uint64]string{}
	for _, route := range []string{"GET /bank/items/{}", "GET /bank/status", "DELETE /bank/items/{}", "POST /bank/jobs"} {
		names[feature.RouteHash(route)] = route
	}
	for i := range 9 {
		route := fmt.Sprintf("GET /bank/%d", i)
		names[feature.RouteHash(route)] = route
	}
	var more []*baseline.TrainingRun
	for n := range runs {
		r := &baseline.TrainingRun{ID: fmt.Sprint("bank", n), Agent: fmt.Sprint("bank/", n%2), Group: "bank"}
		var f feature.RunMemory
		for _, c := range calls(n) {
			r.Features, r.Routes = append(r.Features, f.Add(&c)), append(r.Routes, names[c.Route])
		}
		r.Resources = f.Resources()
		more = append(more, r)
	}
	return acquainted(populations, more...)
}

// A health check, or a call to a new endpoint, is enough to make an agent that lists and polls trip.
func TestUsualRunTripsAtItsFirstCallToANewAPI(t *testing.T) {
	for name, calls := range shapes {
		for _, populations := range []int{1, 4} {
			m := NewModel(bank(populations, 150, calls))
			for n := range 7 {
				var run RunScore
				for i, c := range calls(n) {
					run.Add(m, Reference{Agent: "bank/1", Group: "bank"}, &c, int64(i), schema.ReversibilityUnknown)
				}
				before, was := run.Score, level(&run)
				health := call("GET /new/health", 1)
				if m.knowsAPI(run.agent, health.API) {
					t.Fatalf("the new API is known")
				}
				run.Add(m, Reference{Agent: "bank/1", Group: "bank"}, &health, 99, schema.ReadOnly)
				if got := level(&run); run.Score > before && got != schema.LevelNone || run.Acquaintance() != schema.KnownAgent {
					t.Errorf("%s: score %v, %v; after a call to a new API %v, %v of a %v", name, before, was, run.Score, got, run.Acquaintance())
				}
			}
		}
	}
}

// All runs that are open when their agent becomes known trip at their next call, by what they did as strangers.
func TestOpenRunTripsWhenItsAgentBecomesKnown(t *testing.T) {
	for name, calls := range shapes {
		for _, populations := range []int{1, 4} {
			for _, runs := range []int{20, 150} {
				before, after := NewModel(acquainted(populations)), NewModel(bank(populations, runs, calls))
				who := Reference{Agent: "bank/1", Group: "bank"}
				var run, whole RunScore
				list := calls(3)
				last := min(20, len(list)-1)
				for i, c := range list[:last+1] {
					m := before
					if i == last {
						if m = after; run.Acquaintance() != schema.NewPopulation {
							t.Fatalf("before: a %v", run.Acquaintance())
						}
					}
					run.Add(m, who, &c, int64(i), schema.ReversibilityUnknown)
					whole.Add(after, who, &c, int64(i), schema.ReversibilityUnknown)
				}
				if runs == 20 {
					continue // its agents are still strangers
				}
				if got := level(&run); got != schema.LevelNone || run.Acquaintance() != schema.KnownAgent || run.Score > whole.Score {
					t.Errorf("%s, %d populations, %d runs: score %v, %v, by the new baseline alone %v", name, populations, runs, run.Score, got, whole.Score)
				}
			}
		}
	}
}

// What a run did as a stranger is forgotten at a change of its baseline, and a loop that goes on is not found any more.
func TestLoopIsNotFoundAfterAChangeOfClass(t *testing.T) {
	before, after := NewModel(acquainted(1)), NewModel(bank(1, 150, shapes["lists 30 items"]))
	for name, bad := range badCalls {
		var run RunScore
		calls, found := bad("GET /bank/status"), 0
		for i := range 60 {
			m := before
			if i >= 20 {
				m = after
			}
			c := calls(i)
			run.Add(m, Reference{Agent: "bank/1", Group: "bank"}, &c, int64(i), schema.ReversibilityUnknown)
			if i >= 20 && found == 0 && level(&run) == schema.LevelTrip {
				found = i - 19
			}
		}
		if found == 0 && name != "sweep" || found > 16 { // 30 items are usual
			t.Errorf("%s trips %d calls after the change", name, found)
		}
	}
}

// Where nothing is counted of its group any more, every call of a frozen agent is one to a new API.
func TestFrozenAgentWithoutItsGroupIsAStranger(t *testing.T) {
	for name, calls := range shapes {
		from, into := bank(4, 150, calls), acquainted(4)
		into.CopyAgent(from, "bank/1")
		own, frozen := NewModel(from), NewModel(into)
		var a, b RunScore
		for i, c := range calls(5) {
			who := Reference{Agent: "bank/1", Group: "bank"}
			a.Add(own, who, &c, int64(i), schema.ReversibilityUnknown)
			b.Add(frozen, who, &c, int64(i), schema.ReversibilityUnknown)
			if b.Acquaintance() != schema.KnownAgent || b.Stranger() || !frozen.knowsAPI(b.agent, c.API) {
				t.Fatalf("%s: a %v", name, b.Acquaintance())
			}
		}
		if a.Levels(.001) != b.Levels(.001) || math.Abs(a.Score-b.Score) > .5 || a.leading != b.leading {
			t.Errorf("%s: score %v, of the frozen agent %v", name, a.Score, b.Score)
		}
	}
}

// A new API stays a new one until twenty runs have used it: one learned run would put its callers on learned anchors.
func TestOneLearnedRunMakesAnAPIKnown(t *testing.T) {
	usual := shapes["lists 30 items"]
	for _, with := range []int{0, 1, 19, 20} {
		m := NewModel(bank(4, 150, func(n int) []feature.Input {
			calls := usual(n)
			if n < with {
				calls = append(calls, call("GET /new/a", 1), call("GET /new/b", 2))
			}
			return calls
		}))
		var run RunScore
		for i := range 14 {
			c := call(fmt.Sprint("GET /new/", i%9), i)
			run.Add(m, Reference{Agent: "bank/1", Group: "bank"}, &c, int64(i), schema.ReadOnly)
			if got := m.knowsAPI(run.agent, c.API); got != (with >= 20) {
				t.Fatalf("%d runs: the API is known: %v", with, got)
			}
		}
		if got := level(&run); with < 20 && got >= schema.LevelAlert {
			t.Errorf("%d runs: score %v, %v", with, run.Score, got)
		}
	}
}

// The rate and the usual values of other agents mean nothing for a stranger.
func TestRateOfOthersIsShownForAStranger(t *testing.T) {
	m := NewModel(acquainted(4))
	for name, bad := range badCalls {
		var run RunScore
		calls := bad("GET /bank/x")
		for i := range 20 {
			c := calls(i)
			run.Add(m, Reference{Agent: "bank/1", Group: "bank"}, &c, int64(i), schema.ReversibilityUnknown)
			for f := range Family(NumFamilies) {
				for _, e := range run.Explain(f, c.Route) {
					switch e.Feature {
					case "repeats", "deletions", "failing_retries", "repeats_slow", "failing_retries_slow":
						if !e.Usual.IsZero() || !e.Peers.IsZero() || e.UsualOf != baseline.WhyNothingLearned {
							t.Fatalf("%s: %+v", name, e)
						}
					}
				}
			}
		}
	}
}

// Where a tenant has hundreds of groups with many unusual runs, the first call of each invented group must not compute the
// thresholds again.
func TestThresholdsOfStrangersAreComputedForEachGroup(t *testing.T) {
	m := NewModel(manyPopulations(200))
	first := m.agent("x/1", "x").thresholds(m, .001)
	m.Baseline.ByClass.NewPopulation.Groups = map[string]calibrate.Rank{} // thresholds that are computed again would differ
	for i := range 300 {
		group := fmt.Sprint("group-", i)
		if got := m.agent(group+"/1", group).thresholds(m, .001); got != first {
			t.Fatalf("%v, not %v", got, first)
		}
	}
}
