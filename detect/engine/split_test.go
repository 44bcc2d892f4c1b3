package engine

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"flyball/detect/feature"
	"flyball/detect/learn"
	"flyball/detect/model/baseline"
	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/wire"
)

// reader makes the calls of a run that lists orders and reads one to ten resources of three kinds,
// some of them again, and sometimes writes a note.
func reader(r *rand.Rand, call func(route string, args uint64, write bool)) {
	call("GET /orders", 1+r.Uint64N(1e6), false)
	last := ""
	for range 1 + min(r.IntN(6)+r.IntN(6), 10) {
		if last == "" || r.Float64() < .6 {
			last = []string{"GET /orders/{}", "GET /users/{}", "GET /items/{}"}[r.IntN(3)]
		}
		call(last, 1+r.Uint64N(1e6)*r.Uint64N(8), false)
	}
	if r.IntN(4) == 0 {
		call("POST /notes", r.Uint64N(1e6), true)
	}
}

// readers returns a baseline of ten agents that make such runs.
func readers() *baseline.Baseline {
	random := rand.New(rand.NewPCG(5, 6))
	var runs []*baseline.TrainingRun
	for i := range 1500 {
		run := &baseline.TrainingRun{ID: fmt.Sprint("r", i), Agent: fmt.Sprint("g/", i%10), Group: "g", Start: int64(i)}
		var f feature.RunMemory
		reader(random, func(route string, args uint64, write bool) {
			c := feature.Input{Route: feature.RouteHash(route), Args: args, Result: args, Write: write, Bytes: 100}
			run.Features, run.Routes = append(run.Features, f.Add(&c)), append(run.Routes, route)
		})
		runs = append(runs, run)
	}
	body := learn.Fit("default", runs)
	body.Version = "default/1"
	return body
}

func (f *floor) splits() (out []schema.Finding, trips []schema.Command) {
	f.t.Helper()
	for _, r := range f.tape.records {
		switch r.Topic {
		case wire.EventsTopic:
			e, err := wire.DecodeEvent(r.Value)
			if err != nil {
				f.t.Fatal(err)
			}
			if e.Finding != nil && e.Finding.Family == schema.FamilySplit {
				out = append(out, *e.Finding)
			}
		case wire.CommandsTopic:
			c, err := wire.DecodeCommand(r.Value)
			if err != nil {
				f.t.Fatal(err)
			}
			trips = append(trips, c)
		}
	}
	return out, trips
}

// restart replaces the actors in memory by their decoded entries.
func (f *floor) restart() {
	f.t.Helper()
	next := f.partition()
	for _, a := range f.state.Dirty() {
		restored, _, err := next.Restore(stitch.EncodeActor(nil, a, 1))
		if err != nil {
			f.t.Fatal(err)
		}
		restored.SavedThrough = -1
		next.Adopt(restored)
	}
	f.state = next
}

// sweepInPieces reads orders one after another from a first one on, a few in each run.
func (f *floor) sweepInPieces(runs, each, from int, change ...func(*schema.Call)) {
	for i := range runs {
		for n := range each {
			f.call(night.Add(time.Duration(f.offset)*time.Second), append([]func(*schema.Call){func(c *schema.Call) {
				c.RunKey, c.RunKeySource = fmt.Sprint("piece-", from, "-", i), "x-agent-run-id"
				c.ArgsDigest, c.Resources = uint64(from+each*i+n), []schema.Resource{{Type: "order", ID: fmt.Sprint(from + each*i + n)}}
				c.ResultDigest, c.ResultDigestBasis = uint64(from+each*i+n), schema.DigestLogged
			}}, change...)...)
		}
	}
}

func TestRunawayCutIntoShortRunsIsTheActors(t *testing.T) {
	f := newFloor(t)
	f.detectors.Activate(readers())
	f.sweepInPieces(16, 3, 1000)
	found, trips := f.splits()
	if len(found) == 0 || found[0].Level != schema.LevelAlert || found[0].Evidence[0].Feature != "new_calls_on_route_over_runs" {
		t.Fatalf("48 orders in 16 runs: %d findings", len(found))
	}
	if len(trips) != 0 {
		t.Fatalf("the first alarm of an actor did something: %+v", trips[0])
	}
	t.Logf("alert at call %d: %s", found[0].Call.Offset+1, found[0].Summary)

	f.restart() // a restart in between loses nothing
	f.sweepInPieces(16, 3, 5000)
	found, trips = f.splits()
	if last := found[len(found)-1]; last.Level != schema.LevelTrip {
		t.Fatalf("the second alarm is %s", last.Level)
	}
	if len(trips) == 0 || trips[0].Scope.Kind != schema.ScopeCredential || trips[0].Scope.Value != "k" {
		t.Fatalf("who changes runs is not held by a run's breaker: %d commands", len(trips))
	}
}

func TestUsualRunsOfAnActorOneAfterAnotherAreNone(t *testing.T) {
	f := newFloor(t)
	f.detectors.Activate(readers())
	random := rand.New(rand.NewPCG(9, 9))
	for i := range 1000 {
		reader(random, func(route string, args uint64, write bool) {
			method, path, _ := strings.Cut(route, " ")
			f.call(night.Add(time.Duration(f.offset)*time.Minute), func(c *schema.Call) {
				c.RunKey, c.Method, c.RouteKey, c.ArgsDigest, c.ArgsDigestBasis = fmt.Sprint("run-", i), method, path, args, schema.DigestLogged
				c.ResultDigest, c.ResultDigestBasis, c.BytesOut = args, schema.DigestLogged, 100
			})
		})
	}
	if found, _ := f.splits(); len(found) > 3 { // 0.6 are expected
		t.Fatalf("%d alarms", len(found))
	}
}

// Two alarms a week apart are two alerts.
func TestOldAlarmOfAnActorIsForgotten(t *testing.T) {
	f := newFloor(t)
	f.detectors.Activate(readers())
	f.sweepInPieces(12, 3, 1000)
	week := func(c *schema.Call) { c.Start += int64(7 * 24 * time.Hour) }
	f.sweepInPieces(12, 3, 5000, week)
	found, trips := f.splits()
	if len(found) < 2 || len(trips) != 0 {
		t.Fatalf("%d alerts, %d commands", len(found), len(trips))
	}
	for _, x := range found {
		if x.Level == schema.LevelTrip {
			t.Fatalf("a trip in %s", x.RunKey)
		}
	}
}

// A run that is unusual alone has a finding, and its actor gets no finding for it.
func TestRunawayInOneRunIsNotItsActorsToo(t *testing.T) {
	f := newFloor(t)
	f.detectors.Activate(readers())
	f.sweepInPieces(1, 60, 1000)
	if found, trips := f.splits(); len(found) != 0 || len(trips) == 0 {
		t.Fatalf("%d findings of the actor, %d commands", len(found), len(trips))
	}
}
