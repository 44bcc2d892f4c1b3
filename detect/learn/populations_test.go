package learn

import (
	"fmt"
	"testing"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
)

// Callers can invent names and groups: with four of them they would decide when a stranger trips.
func TestInventedGroupsCalibrateStrangers(t *testing.T) {
	runsOf := func(agent, group string, n int) (out []*baseline.TrainingRun) {
		for i := range n {
			r := &baseline.TrainingRun{ID: fmt.Sprint(agent, i), Agent: agent, Group: group}
			var f feature.RunMemory
			for k := range 3 {
				route := fmt.Sprintf("GET /%s/%d", group, k)
				c := feature.Input{Route: feature.RouteHash(route), API: 1, Args: uint64(i), Result: uint64(i), Bytes: 10}
				r.Features, r.Routes = append(r.Features, f.Add(&c)), append(r.Routes, route)
			}
			out = append(out, r)
		}
		return out
	}
	var runs []*baseline.TrainingRun
	for i := range 3 {
		group := fmt.Sprint("g", i)
		runs = append(runs, runsOf(group+"/a", group, 60)...)
		runs = append(runs, runsOf("~"+group+"/b", group, 70)...) // beside it, a claimed name of the group
	}
	for i := range 5 {
		group := fmt.Sprint("invented", i)
		runs = append(runs, runsOf("~"+group, group, 60)...)
	}
	runs = append(runs, runsOf("", "", 60)...)
	p := fitPopulations("t", runs, func(*baseline.TrainingRun) bool { return true })
	if len(p.Groups) != 3 || p.Calibrated() {
		t.Errorf("%d groups", len(p.Groups))
	}
	for name, r := range p.Groups {
		if r.Runs != 60 {
			t.Errorf("%s: %v runs, those of its claimed name among them", name, r.Runs)
		}
	}
}
