package engine

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"testing"
	"time"
)

// The test measures a restart with 100,000 open runs of 1,000 actors, judged by all detectors and stored twice, if
// FLYBALL_MEASURE is set. It prints a figure and checks nothing.
func TestMeasureRestore(t *testing.T) {
	if os.Getenv("FLYBALL_MEASURE") == "" {
		t.Skip("a measurement: set FLYBALL_MEASURE=1")
	}
	l := newLog(t)
	records, size := storedRuns(100_000, 1000)
	for _, r := range records {
		l.client.Produce(context.Background(), r, nil)
	}
	if err := l.client.Flush(context.Background()); err != nil {
		t.Fatal(err)
	}
	records = nil
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
