package engine

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/detect/detector"
	"flyball/detect/model/baseline"
	"flyball/detect/stitch"
	"flyball/schema"
)

// many is a partition with many open runs, judged by all detectors.
type many struct {
	*stitch.Partition
	set    *detector.Set
	agents int
	traced bool // each run has a trace of its own
	offset int64
	call   schema.Call
	change func(run int, c *schema.Call) // nil: nothing
	judged func(detector.Result)         // nil: results are dropped
}

func newMany(agents int, body *baseline.Baseline) *many { return newManyWithin(agents, body, 1<<30) }

// newManyWithin is newMany with a limit of open runs, and for each seven of these three closed ones.
func newManyWithin(agents int, body *baseline.Baseline, openRuns int) *many {
	l := stitch.DefaultLimits()
	l.OpenRunsPerActor, l.OpenRuns, l.ClosedRuns, l.ClosedRunsPerActor = 1<<30, openRuns, openRuns/7*3, 1<<30
	o := detector.DefaultOptions()
	o.Now = func() time.Time { return night }
	m := &many{Partition: stitch.NewPartition(0, l), agents: agents}
	m.set = detector.Deployed(o, detector.NewMetrics(prometheus.NewRegistry()))
	m.SetRunAttachment(m.set.NewRunState)
	m.SetActorAttachment(m.set.NewActorState)
	m.set.Activate(body)
	return m
}

// calls applies calls [from, to) of a run: of the gateway of an agent that reads orders, users and items.
func (m *many) calls(run, from, to int) {
	agent := fmt.Sprint("g/", run%m.agents)
	for n := from; n < to; n++ {
		id := uint64(run*1000 + n + 1)
		m.call = schema.Call{Source: schema.Source{Topic: "gateway-access-log", Partition: 3}, Pos: schema.Position{Offset: m.offset},
			Tenant: "default", RoutingKey: agent, CredentialID: "key-" + agent, CredentialTrust: schema.TrustVerified,
			AgentID: agent, AgentName: agent, AgentVersion: "1.4.2", AgentSource: "x-agent-id", AgentTrust: schema.TrustVerified,
			CallerKind: schema.CallerAgent, RunKey: fmt.Sprint("run-", run), RunKeySource: "x-agent-run-id",
			Start: night.UnixNano() + int64(n)*1e9, DurationNs: 1e6, Observer: "edge", ObserverKind: schema.ObserverGateway, Format: "envoy",
			Method: "GET", RouteKey: []string{"/orders/{}", "/users/{}", "/items/{}"}[((run*31+n)*2654435761>>7)%3],
			Path: fmt.Sprint("/orders/", id),
			Host: "api.example.com", Status: 200, Outcome: schema.OutcomeOK, Effect: schema.EffectRead, Reversibility: schema.ReadOnly,
			ArgsDigest: id, ArgsDigestBasis: schema.DigestLogged, ResultDigest: id, ResultDigestBasis: schema.DigestLogged, BytesOut: 100,
			RequestID: fmt.Sprint("req-", id), Resources: []schema.Resource{{Type: "order", ID: fmt.Sprint(id)}}}
		if m.traced {
			m.call.TraceID = [16]byte{1, byte(run), byte(run >> 8), byte(run >> 16), byte(n)}
		}
		if m.change != nil {
			m.change(run, &m.call)
		}
		r := m.Apply(&m.call, m.offset)
		if result := m.set.Judge(r, &m.call, schema.CallRef{Offset: m.offset}); m.judged != nil {
			m.judged(result)
		}
		m.offset++
	}
}

// heapOf returns how many bytes and objects the result of build keeps in memory.
func heapOf(build func() any) (bytes, objects int) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&before)
	kept := build()
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(kept)
	return int(after.HeapAlloc) - int(before.HeapAlloc), int(after.HeapObjects) - int(before.HeapObjects)
}

// store stores the changes of all actors, as a checkpoint does.
func (m *many) store() (bytes int) {
	for _, a := range m.Dirty() {
		deltas, _, _ := m.EncodeChanges(a, 1)
		for _, d := range deltas {
			bytes += len(d.Value)
		}
	}
	m.Saved(len(m.Dirty()))
	return bytes
}

// openRuns makes open runs of eight calls each. If they are quiet, nobody has called them for a while.
func openRuns(runs int, body *baseline.Baseline, traced, quiet bool) *many {
	m := newMany(10, body) // those that the baseline knows
	m.traced = traced
	for n := range 8 {
		for run := range runs {
			m.calls(run, n, n+1)
		}
		m.store()
	}
	m.TakeChanged(nil) // as before each checkpoint
	if quiet {
		m.Freeze(0)
	}
	return m
}

// BenchmarkOpenRuns measures the memory of open runs of eight calls each, and what a collection costs that visits them.
func BenchmarkOpenRuns(b *testing.B) {
	body := readers()
	for _, traced := range []bool{false, true} {
		for _, quiet := range []bool{false, true} {
			b.Run(fmt.Sprintf("traced=%v/quiet=%v", traced, quiet), func(b *testing.B) {
				for range b.N {
					const runs = 20_000
					var m any
					bytes, objects := heapOf(func() any { m = openRuns(runs, body, traced, quiet); return m })
					before, _ := usedCPU(b)
					for range 10 {
						runtime.GC()
					}
					after, _ := usedCPU(b)
					runtime.KeepAlive(m)
					b.ReportMetric(float64(after-before)/10/runs, "marking-ns/run")
					b.ReportMetric(float64(bytes)/runs, "B/run")
					b.ReportMetric(float64(objects)/runs, "objects/run")
				}
			})
		}
	}
}

// An open run of eight calls takes at most 2.5 KiB once it is quiet, and 4 KiB before.
func TestOpenRunIsLarge(t *testing.T) {
	body := readers()
	for quiet, most := range map[bool]int{false: 4096, true: 2560} {
		const few, runs = 1000, 5000 // the difference leaves out what all runs share
		bytes, objects := heapOf(func() any { return openRuns(runs, body, false, quiet) })
		shared, sharedObjects := heapOf(func() any { return openRuns(few, body, false, quiet) })
		bytes, objects = (bytes-shared)/(runs-few), (objects-sharedObjects)/(runs-few)
		t.Logf("quiet %v: %d bytes, %d objects a run", quiet, bytes, objects)
		if bytes > most {
			t.Errorf("quiet %v: %d bytes a run, at most %d", quiet, bytes, most)
		}
	}
}

// BenchmarkCheckpoint measures the checkpoint of an actor with a thousand open runs of eight calls of which one changes, as
// a delta and with all runs of the actor.
func BenchmarkCheckpoint(b *testing.B) {
	for _, whole := range []bool{true, false} {
		b.Run(fmt.Sprintf("whole=%v", whole), func(b *testing.B) {
			m := newMany(1, readers())
			for run := range 1000 {
				m.calls(run, 0, 8)
			}
			m.store()
			size := 0
			b.ReportAllocs()
			b.ResetTimer()
			for n := range b.N {
				b.StopTimer()
				m.calls(n%1000, 8+n/1000, 9+n/1000)
				b.StartTimer()
				if !whole {
					size += m.store()
					continue
				}
				for _, a := range m.Dirty() {
					size += len(stitch.EncodeActor(nil, a, 1))
				}
				m.Saved(len(m.Dirty()))
			}
			b.ReportMetric(float64(size)/float64(b.N), "bytes/op")
		})
	}
}

// BenchmarkFrozenCall measures a call of a run that was frozen since its call before.
func BenchmarkFrozenCall(b *testing.B) {
	for _, frozen := range []bool{false, true} {
		b.Run(fmt.Sprintf("frozen=%v", frozen), func(b *testing.B) {
			m := openRuns(2000, readers(), true, false)
			b.ReportAllocs()
			b.ResetTimer()
			for n := range b.N {
				if n%2000 == 0 && n > 0 {
					b.StopTimer()
					m.store()
					m.TakeChanged(nil)
					if frozen {
						m.Freeze(0)
					}
					b.StartTimer()
				}
				m.calls(n%2000, 8+n/2000, 9+n/2000)
			}
		})
	}
}

// An actor without runs, which is remembered for a day, keeps its latest 48 calls and little else.
func TestRememberedActorIsLarge(t *testing.T) {
	const actors, most, mostStored = 2000, 3600, 1800
	body, stored := readers(), 0
	var m *many
	bytes, _ := heapOf(func() any {
		m = newMany(actors, body)
		for run := range actors {
			m.calls(run, 0, 60)
		}
		for _, hours := range []int{2, 4} { // closes the runs, then evicts them
			m.Advance(night.Add(time.Duration(hours)*time.Hour).UnixNano(), m.offset)
		}
		m.TakeClosed(nil)
		m.TakeChanged(nil)
		m.Hours().Write(func(*schema.HourCount) {})
		for _, a := range m.Dirty() {
			for _, d := range must(m.EncodeChanges(a, 1)) {
				stored += len(d.Value)
			}
		}
		m.Saved(len(m.Dirty()))
		for run := range actors {
			m.Forget(fmt.Sprint("g/", run))
		}
		return m
	})
	t.Logf("%d bytes, stored in %d", bytes/actors, stored/actors)
	if m.Actors() != actors || m.OpenRuns() != 0 {
		t.Fatalf("%d actors, %d open runs", m.Actors(), m.OpenRuns())
	}
	if bytes/actors > most || stored/actors > mostStored {
		t.Errorf("%d bytes, stored in %d; at most %d and %d", bytes/actors, stored/actors, most, mostStored)
	}
}

func must(deltas []stitch.Delta, _, _ uint64) []stitch.Delta { return deltas }
