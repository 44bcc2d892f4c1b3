package main

import (
	"math"
	"testing"
	"time"

	"flyball/detect/feature"
	"flyball/detect/learn"
	"flyball/detect/model/baseline"
	"flyball/detect/score"
	"flyball/ingest/decode"
	"flyball/schema"
	"flyball/schema/identity"
	"flyball/schema/route"
)

// Lengths of the soak's runs are geometric: 8 calls on average, and one run in 25 has more than 24.
func TestPastOfTheSoakCutsRunsOff(t *testing.T) {
	p := newRunPool(soakTraffic{rate: 3000, agents: 112, calls: 8, pause: 4500 * time.Millisecond}, "past", 20)
	calls := p.past(20 * time.Second)
	of, last := map[int]int{}, map[int]time.Duration{}
	pauses, pause := 0, time.Duration(0)
	for _, c := range calls {
		if of[c.run.id]++; of[c.run.id] > 1 {
			pauses, pause = pauses+1, pause+c.at-last[c.run.id]
		}
		last[c.run.id] = c.at
	}
	long := 0
	for _, n := range of {
		if n > 24 {
			long++
		}
	}
	if len(of) != p.next {
		t.Errorf("%d runs of %d have calls", len(of), p.next)
	}
	if mean := float64(len(calls)) / float64(len(of)); math.Abs(mean-8) > .2 {
		t.Errorf("%.2f calls a run", mean)
	}
	if share := float64(long) / float64(len(of)); math.Abs(share-math.Pow(7./8, 24)) > .005 {
		t.Errorf("%.4f of the runs have more than 24 calls", share)
	}
	if mean := pause.Seconds() / float64(pauses); math.Abs(mean-4.5) > .1 {
		t.Errorf("%.2f s between two calls of a run", mean)
	}
}

// soakRuns returns the runs of a past as learning reads them, at most so many of each agent.
func soakRuns(t *testing.T, names string, seed uint64, perAgent int) (out []*baseline.TrainingRun) {
	key := make([]byte, 32)
	id, err := identity.NewResolver(identity.Options{Tenant: "default", Key: key})
	if err != nil {
		t.Fatal(err)
	}
	table, err := route.NewTable(route.Options{Version: "config", DigestKey: key})
	if err != nil {
		t.Fatal(err)
	}
	pipeline, err := decode.New(decode.Options{Default: decode.Input{Format: "envoy_json"}, Tenant: "default"}, id, table)
	if err != nil {
		t.Fatal(err)
	}
	p := newRunPool(soakTraffic{rate: 300, agents: 12, calls: 8, pause: 4500 * time.Millisecond}, names, seed)
	type run struct {
		*baseline.TrainingRun
		steps feature.RunMemory
	}
	runs, agents := map[int]*run{}, map[int]int{}
	began := time.Unix(1795176000, 0).UTC()
	for _, c := range p.past(time.Minute) {
		calls, dead := pipeline.Decode(&decode.Record{Value: p.line(c.run, began.Add(c.at))}, nil)
		if len(dead) > 0 || len(calls) != 1 || calls[0].RunKey == "" || calls[0].AgentTrust < schema.TrustInfrastructure {
			t.Fatalf("%d calls, %v", len(calls), dead)
		}
		call := &calls[0]
		r := runs[c.run.id]
		if r == nil {
			r = &run{TrainingRun: &baseline.TrainingRun{ID: call.RunKey, Agent: baseline.AgentKey(call.AgentID, call.AgentTrust),
				Group: baseline.PeerGroup(call.AgentID, call.CallerKind), Start: call.Start}}
			runs[c.run.id] = r
			if agents[c.run.agent]++; agents[c.run.agent] <= perAgent {
				out = append(out, r.TrainingRun)
			}
		}
		var in feature.Input
		feature.Extract(call, &in)
		r.Features = append(r.Features, r.steps.Add(&in))
		r.Routes = append(r.Routes, feature.RouteName(call.Method, call.RouteKey, call.Operation))
		r.Resources, r.Usage = r.steps.Resources(), r.steps.Usage
	}
	return out
}

// Past and present come from one generator, so the shares of runs that alert and trip are the nominal ones: 1 % and 0.1 %.
// By a past of a minute that was cut off, 19 % of the runs alerted and 13 % tripped.
func TestOrdinaryRunsOfTheSoakTrip(t *testing.T) {
	body := learn.Fit("default", soakRuns(t, "past", 20, 100))
	m := score.NewModel(body)
	runs := soakRuns(t, "run", 22, math.MaxInt)
	alerts, trips := 0, 0
	for _, r := range runs {
		levels, v := body.Levels(body.Acquaintance(r.Agent, r.Group), r.Group, .001), score.FinalScore(m, r)
		if v > levels[schema.LevelAlert-1] {
			alerts++
		}
		if v > levels[schema.LevelTrip-1] {
			trips++
		}
	}
	t.Logf("of %d runs %d alert and %d trip", len(runs), alerts, trips)
	if share := float64(alerts) / float64(len(runs)); share > .02 {
		t.Errorf("%.4f of %d runs alert", share, len(runs))
	}
	if share := float64(trips) / float64(len(runs)); share > .004 {
		t.Errorf("%.4f of %d runs trip", share, len(runs))
	}
}
