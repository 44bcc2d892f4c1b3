package engine

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema/wire"
)

// The test measures a restart with 100,000 open runs of 1,000 actors, judged by all detectors and stored twice, if
// FLYBALL_MEASURE is set. It prints a figure and checks nothing.
func TestMeasureRestore(t *testing.T) {
	if os.Getenv("FLYBALL_MEASURE") == "" {
		t.Skip("a measurement: set FLYBALL_MEASURE=1")
	}
	l := newLog(t)
	m := newMany(1000, readers())
	size := 0
	for n := range 8 {
		for run := range 100_000 {
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
				l.client.Produce(context.Background(),
					&kgo.Record{Topic: wire.StateTopic, Partition: 0, Key: deltaKey(1, d.Number, a.Key), Value: d.Value}, nil)
			}
		}
		m.Saved(len(m.Dirty()))
	}
	if err := l.client.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	m = nil
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	began, most := time.Now(), uint64(0)
	e, _ := l.start()
	for e.worker(0) == nil {
		time.Sleep(20 * time.Millisecond)
		runtime.ReadMemStats(&now)
		most = max(most, now.HeapAlloc)
	}
	took := time.Since(began)
	runtime.GC()
	runtime.ReadMemStats(&now)
	fmt.Printf("restored %d open runs of %d actors, %d MiB, in %s: heap at most %d MiB, then %d\n", e.worker(0).state.OpenRuns(),
		e.worker(0).state.Actors(), size>>20, took.Round(time.Millisecond), (most-before.HeapAlloc)>>20, (now.HeapAlloc-before.HeapAlloc)>>20)
}
