package engine

import (
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/wire"
)

// storedRuns returns the records of flyball.state of many runs of eight calls each, of some actors, stored after the fourth call and
// after the last one.
func storedRuns(runs, actors int) (records []*kgo.Record, size int) {
	m := newMany(actors, readers())
	for n := range 8 {
		for run := range runs {
			m.calls(run, n, n+1)
		}
		if n%4 != 3 {
			continue
		}
		for _, r := range m.TakeChanged(nil) {
			r.Emitted = r.Snapshot().Version
		}
		for _, a := range m.Dirty() {
			deltas, _, _ := m.EncodeChanges(a, 1)
			for _, d := range deltas {
				size += len(d.Value)
				records = append(records, &kgo.Record{Topic: wire.StateTopic, Key: deltaKey(1, d.Number, a.Key), Value: d.Value})
			}
		}
		m.Saved(len(m.Dirty()))
	}
	return records, size
}

// BenchmarkRestore measures the CPU and the memory that a takeover needs for each open run, without reading the log.
func BenchmarkRestore(b *testing.B) {
	const runs = 50_000
	records, size := storedRuns(runs, 100)
	cfg := newFloor(b).cfg
	m := newMetrics(prometheus.NewRegistry())
	b.ReportAllocs()
	b.ResetTimer()
	var before, now runtime.MemStats
	kept := 0.0
	runtime.GC()
	runtime.ReadMemStats(&before)
	used, marked := usedCPU(b)
	for b.Loop() {
		w := newWorker(cfg, m, 0, schema.TopicID{}, &tape{}, nil, new(atomic.Int64))
		r := newRestored(cfg.Limits, w.state)
		for _, rec := range records {
			if err := r.add(rec.Key, rec.Value); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.takeOver(r, 2); err != nil {
			b.Fatal(err)
		}
		if w.state.OpenRuns() != runs {
			b.Fatalf("%d open runs", w.state.OpenRuns())
		}
		if kept == 0 {
			b.StopTimer()
			runtime.GC()
			runtime.ReadMemStats(&now)
			kept = float64(now.HeapAlloc) - float64(before.HeapAlloc)
			runtime.KeepAlive(w)
			b.StartTimer()
		}
	}
	all, marking := usedCPU(b)
	n := float64(runs) * float64(b.N)
	b.ReportMetric(float64(all-used)/n, "cpu-ns/run")
	b.ReportMetric(float64(marking-marked)/n, "marking-ns/run")
	b.ReportMetric(float64(size)/runs, "stored-B/run")
	b.ReportMetric(kept/runs, "heap-B/run")
}
