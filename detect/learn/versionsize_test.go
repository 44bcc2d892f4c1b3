package learn

import (
	"encoding/json"
	"fmt"
	"testing"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
)

// An agent that states versions, a new one with every run, and whose life is known
// in full, stays within the same bound.
func TestVersionsOfAnAgentFillTheBaseline(t *testing.T) {
	size := func(agents int) int {
		b := baseline.New("t")
		b.Life = map[string]baseline.Life{}
		for a := range agents {
			name := fmt.Sprint("g/agent-", a)
			for r := range 20 {
				run := &baseline.Run{ID: fmt.Sprint(a, r), Agent: name, Group: "g", Version: fmt.Sprint("2026.5.", r), At: int64(r)}
				var f feature.Run
				for n := range 30 {
					route := fmt.Sprint("GET /v1/things/{id}/part", (a+r*n)%12)
					c := feature.Call{Route: feature.RouteHash(route), Args: uint64(n), Result: uint64(n), Bytes: 300}
					run.Steps, run.Routes = append(run.Steps, f.Add(&c)), append(run.Routes, route)
				}
				b.Learn(run)
			}
			b.Life[name] = baseline.Life{Why: baseline.WhyNewVersion, Group: "g", Runs: 20, Calls: 600, TaughtAt: 1795176000e9, SeenAt: 1795176000e9, Version: "2026.5.19",
				Left: map[string]uint64{baseline.LeftYoung: 100, baseline.LeftAlarmed: 3, baseline.LeftDayFull: 70}}
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
