package detector

import (
	"fmt"
	"runtime"
	"testing"
	"unsafe"

	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/detect/score"
	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/wire"
)

// usual returns a baseline of agents that use twelve routes.
func usual(agents int) *baseline.Baseline {
	b := baseline.New("t")
	for a := range agents {
		for r := range 20 {
			run := &baseline.TrainingRun{ID: fmt.Sprint(a, r), Agent: fmt.Sprint("g/agent-", a), Group: "g"}
			var f feature.RunMemory
			for n := range 30 {
				route := fmt.Sprint("GET /v1/things/{id}/part", (a+r*n)%12)
				c := feature.Input{Route: feature.RouteHash(route), Args: uint64(n), Result: uint64(n), Bytes: 300, Resources: []uint64{uint64(n)}}
				run.Features, run.Routes = append(run.Features, f.Add(&c)), append(run.Routes, route)
			}
			run.Resources = f.Resources()
			b.Learn(run)
		}
	}
	b.Finish()
	return b
}

func usualCall(a, r, n int, c *feature.Input) {
	*c = feature.Input{Route: feature.RouteHash(fmt.Sprint("GET /v1/things/{id}/part", (a+r*n)%12)), Args: uint64(n), Result: uint64(n),
		Bytes: 300, Resources: append(c.Resources[:0], uint64(n))}
}

// heap returns how many bytes the result of make keeps in memory.
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

// A hundred thousand open runs fit into a process because one run is small: this test measures a
// run of ten calls with its state of judging.
func TestRunOfTenCallsIsSmall(t *testing.T) {
	const runs, most = 2000, 2 << 10
	set := deployed()
	m := score.NewModel(usual(10))
	each := heap(func() any {
		kept := make([]*RunState, runs)
		var c feature.Input
		for i := range kept {
			j, who := &RunState{set: set}, score.Reference{Agent: fmt.Sprint("g/agent-", i%10), Group: "g"}
			for n := range 10 {
				usualCall(i%10, i%7, n, &c)
				j.Add(m, who, &c, int64(n), schema.ReadOnly)
				j.NoteEvidence(schema.CallRef{Offset: int64(n)})
			}
			kept[i] = j
		}
		return kept
	}) / runs
	t.Logf("%d bytes a run, of which the fixed part is %d", each, unsafe.Sizeof(RunState{}))
	if each > most {
		t.Errorf("%d bytes, at most %d", each, most)
	}
}

// Every partition's model keeps a baseline in memory: this test measures what one agent of twelve
// routes adds to it, after it has called all of them in any order.
func TestAgentOfTwelveRoutesIsSmall(t *testing.T) {
	const most, mostBody = 8 << 10, 12 << 10 // a baseline is read once for all partitions
	size := func(agents int) (body, model int) {
		var b *baseline.Baseline
		body = heap(func() any { b = usual(agents); return b })
		model = heap(func() any {
			m := score.NewModel(b)
			var c feature.Input
			for a := range agents {
				for r := range 20 {
					var run score.RunScore
					for n := range 30 {
						usualCall(a, r, n, &c)
						run.Add(m, score.Reference{Agent: fmt.Sprint("g/agent-", a), Group: "g"}, &c, int64(n), schema.ReadOnly)
					}
				}
			}
			return m
		})
		return body, model
	}
	b1, m1 := size(100)
	b2, m2 := size(300)
	body, model := (b2-b1)/200, (m2-m1)/200
	t.Logf("%d bytes an agent in the body, %d in a model", body, model)
	if model > most || body > mostBody {
		t.Errorf("%d bytes an agent in the body, at most %d; %d in a model, at most %d", body, mostBody, model, most)
	}
}

// A run that never ends, with calls that are all new, keeps no more memory than a run that has
// reached all bounds. The same holds for its stored state.
func TestRunOfAMillionCallsStaysBounded(t *testing.T) {
	const most, mostStored = 96 << 10, 32 << 10
	set := deployed()
	m := score.NewModel(usual(3))
	kept := func(calls int) (size, stored int) {
		j := &RunState{set: set}
		size = heap(func() any {
			var c feature.Input
			for n := range calls {
				c = feature.Input{Route: uint64(n % 5000), Args: uint64(n), Result: uint64(n), Resources: append(c.Resources[:0], uint64(n))}
				j.Add(m, score.Reference{Agent: "g/agent-0", Group: "g"}, &c, int64(n), schema.ReadOnly)
				j.NoteEvidence(schema.CallRef{Offset: int64(n)})
			}
			return j
		})
		w := wire.NewWriter(nil, wire.KindState, stitch.StateVersion)
		j.Code(w)
		return size, len(w.Bytes())
	}
	size, stored := kept(1_000_000)
	t.Logf("%d bytes, stored in %d", size, stored)
	if size > most || stored > mostStored {
		t.Errorf("%d bytes, stored in %d; at most %d and %d", size, stored, most, mostStored)
	}
}
