package learn

import (
	"encoding/json"
	"fmt"
	"testing"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
)

// An agent that states a new version with every run, and has all fields of its status set,
// stays within the same limit.
func TestVersionsOfAnAgentFillTheBaseline(t *testing.T) {
	size := func(agents int) int {
		b := baseline.New("t")
		b.Status = map[string]baseline.AgentStatus{}
		for a := range agents {
			name := fmt.Sprint("g/agent-", a)
			for r := range 20 {
				run := &baseline.TrainingRun{ID: fmt.Sprint(a, r), Agent: name, Group: "g", Version: fmt.Sprint("2026.5.", r), LastAt: int64(r)}
				var f feature.RunMemory
				for n := range 30 {
					route := fmt.Sprint("GET /v1/things/{id}/part", (a+r*n)%12)
					c := feature.Input{Route: feature.RouteHash(route), Args: uint64(n), Result: uint64(n), Bytes: 300}
					run.Features, run.Routes = append(run.Features, f.Add(&c)), append(run.Routes, route)
				}
				b.Learn(run)
			}
			b.Status[name] = baseline.AgentStatus{
				Why:      baseline.WhyNewVersion,
				Group:    "g",
				Runs:     20,
				Calls:    600,
				TaughtAt: 1795176000e9,
				SeenAt:   1795176000e9,
				Version:  "2026.5.19",
				Excluded: map[string]uint64{baseline.ExcludedYoung: 100, baseline.ExcludedAlarmed: 3, baseline.ExcludedDayFull: 70},
			}
		}
		b.Finish()
		text, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		return len(text)
	}
	each := (size(200) - size(100)) / 100
	t.Logf("%d bytes an agent", each)
	if each > 8<<10 {
		t.Errorf("%d bytes an agent with versions", each)
	}
}
