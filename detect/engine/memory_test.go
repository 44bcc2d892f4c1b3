package engine

import (
	"fmt"
	"runtime"
	"testing"
	"unsafe"

	"flyball/detect/baseline"
	"flyball/detect/feature"
	"flyball/detect/score"
	"flyball/schema"
)

// usual is a baseline of agents that use twelve routes.
func usual(agents int) *baseline.Body {
	b := baseline.New("t")
	for a := range agents {
		for r := range 20 {
			run := &baseline.Run{ID: fmt.Sprint(a, r), Agent: fmt.Sprint("g/agent-", a), Group: "g"}
			var f feature.Run
			for n := range 30 {
				route := fmt.Sprint("GET /v1/things/{id}/part", (a+r*n)%12)
				c := feature.Call{Route: feature.RouteHash(route), Args: uint64(n), Result: uint64(n), Bytes: 300, Resources: []uint64{uint64(n)}}
				run.Steps, run.Routes = append(run.Steps, f.Add(&c)), append(run.Routes, route)
			}
			run.Resources = f.Resources()
			b.Learn(run)
		}
	}
	b.Finish()
	return b
}

func usualCall(a, r, n int, c *feature.Call) {
	*c = feature.Call{Route: feature.RouteHash(fmt.Sprint("GET /v1/things/{id}/part", (a+r*n)%12)), Args: uint64(n), Result: uint64(n), Bytes: 300, Resources: append(c.Resources[:0], uint64(n))}
}

// heap is what making something keeps.
func heap(make func() any) int {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&before)
	kept := make()
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(kept)
	return int(after.HeapAlloc) - int(before.HeapAlloc)
}

// A hundred thousand open runs fit into a process because one is small: what is
// kept of a run of ten calls, with what judging keeps of it.
func TestRunOfTenCallsIsSmall(t *testing.T) {
	const runs, most = 2000, 2 << 10
	m := score.NewModel(usual(10))
	each := heap(func() any {
		kept := make([]*judged, runs)
		var c feature.Call
		for i := range kept {
			j, who := &judged{}, score.Who{Agent: fmt.Sprint("g/agent-", i%10), Group: "g"}
			for n := range 10 {
				usualCall(i%10, i%7, n, &c)
				j.Add(m, who, &c, int64(n), schema.ReadOnly)
				j.Carry(schema.CallRef{Offset: int64(n)})
			}
			kept[i] = j
		}
		return kept
	}) / runs
	t.Logf("%d bytes a run, of which the fixed part is %d", each, unsafe.Sizeof(judged{}))
	if each > most {
		t.Errorf("%d bytes, at most %d", each, most)
	}
}
