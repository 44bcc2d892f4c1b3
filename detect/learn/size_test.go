package learn

import (
	"encoding/json"
	"fmt"
	"testing"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
)

// Every point keeps a baseline in memory, and it is sent through Kafka: the size of one
// agent in it is limited by the number of routes that the agent uses.
func TestBaselineOfAnAgentIsSmall(t *testing.T) {
	size := func(agents int) int {
		b := baseline.New("t")
		for a := range agents {
			for r := range 20 {
				run := &baseline.TrainingRun{ID: fmt.Sprint(a, r), Agent: fmt.Sprint("g/agent-", a), Group: "g"}
				var f feature.RunMemory
				for n := range 30 {
					route := fmt.Sprint("GET /v1/things/{id}/part", (a+r*n)%12)
					c := feature.Input{Route: feature.RouteHash(route), Args: uint64(n), Result: uint64(n), Bytes: 300}
					run.Features, run.Routes = append(run.Features, f.Add(&c)), append(run.Routes, route)
				}
				b.Learn(run)
			}
		}
		b.Finish()
		text, err := json.Marshal(b)
		if err != nil {
			t.Fatal(err)
		}
		return len(text)
	}
	if each := (size(200) - size(100)) / 100; each > 8<<10 {
		t.Errorf("%d bytes an agent of twelve routes", each)
	} else {
		t.Logf("%d bytes an agent", each)
	}
}
