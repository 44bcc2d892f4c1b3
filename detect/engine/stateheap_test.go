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
}

func newMany(agents int, body *baseline.Baseline) *many {
	l := stitch.DefaultLimits()
	l.OpenRunsPerActor, l.OpenRuns, l.ClosedRunsPerActor = 1<<30, 1<<30, 1<<30
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
			Method: "GET", RouteKey: []string{"/orders/{}", "/users/{}", "/items/{}"}[(n*2654435761>>7)%3], Path: fmt.Sprint("/orders/", id),
			Host: "api.example.com", Status: 200, Outcome: schema.OutcomeOK, Effect: schema.EffectRead, Reversibility: schema.ReadOnly,
			ArgsDigest: id, ArgsDigestBasis: schema.DigestLogged, ResultDigest: id, ResultDigestBasis: schema.DigestLogged, BytesOut: 100,
			RequestID: fmt.Sprint("req-", id), Resources: []schema.Resource{{Type: "order", ID: fmt.Sprint(id)}}}
		if m.traced {
			m.call.TraceID = [16]byte{1, byte(run), byte(run >> 8), byte(run >> 16), byte(n)}
		}
		r := m.Apply(&m.call, m.offset)
		m.set.Judge(r, &m.call, schema.CallRef{Offset: m.offset})
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

// BenchmarkOpenRuns measures the memory of a hundred thousand open runs of eight calls each.
func BenchmarkOpenRuns(b *testing.B) {
	body := readers()
	for name, traced := range map[string]bool{"untraced": false, "traced": true} {
		b.Run(name, func(b *testing.B) {
			for range b.N {
				const runs = 100_000
				bytes, objects := heapOf(func() any {
					m := newMany(100, body)
					m.traced = traced
					for n := range 8 {
						for run := range runs {
							m.calls(run, n, n+1)
						}
						m.Saved(len(m.Dirty()))
					}
					m.TakeChanged(nil)
					return m
				})
				b.ReportMetric(float64(bytes)/runs, "B/run")
				b.ReportMetric(float64(objects)/runs, "objects/run")
			}
		})
	}
}

// BenchmarkCheckpoint measures the entries of an actor with a thousand open runs of eight calls of which one changes.
func BenchmarkCheckpoint(b *testing.B) {
	m := newMany(1, readers())
	for run := range 1000 {
		m.calls(run, 0, 8)
	}
	m.Saved(len(m.Dirty()))
	size := 0
	b.ReportAllocs()
	b.ResetTimer()
	for n := range b.N {
		b.StopTimer()
		m.calls(n%1000, 8+n/1000, 9+n/1000)
		b.StartTimer()
		for _, a := range m.Dirty() {
			size += len(stitch.EncodeActor(nil, a, 1))
		}
		m.Saved(len(m.Dirty()))
	}
	b.ReportMetric(float64(size)/float64(b.N), "bytes/op")
}
