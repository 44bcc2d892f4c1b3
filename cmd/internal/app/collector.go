package app

import (
	"context"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// The collector lets the heap grow by a share of what was live after the last collection. A large
// share makes collections rare: each uses half a core of two for some 20 ms, and a denial waits
// during it. But the share of a large heap is memory that nobody uses, so a heap of a few hundred
// MiB grows by collectorHeadroom. To mark a heap of gigabytes takes seconds of CPU: it may double
// while most of the memory limit is free.
const (
	maxCollectorPercent = 300 // of a small heap
	minCollectorPercent = 40  // of one near the limit: below it the collector would run all the time
	collectorHeadroom   = 400 << 20
	// doublesFrom is the live heap, in bytes, above which it may grow by more than collectorHeadroom.
	doublesFrom = 600 << 20
	// collectorLimitShare is how much of the memory limit the heap may fill before a collection.
	collectorLimitShare = 0.8
	// collectorEvery is how often the share is adapted to the live heap.
	collectorEvery = 250 * time.Millisecond
)

// collectorPercent returns the share, in percent, by which a heap with so many live bytes may grow
// before it is collected. limit is the memory limit in bytes.
func collectorPercent(live, limit uint64) int {
	grow := uint64(collectorHeadroom)
	if live > doublesFrom {
		grow += min(2*(live-doublesFrom), live-collectorHeadroom)
	}
	if room := uint64(collectorLimitShare * float64(limit)); live+grow > room {
		grow = max(room, live) - live
	}
	return int(min(max(100*grow/max(live, 1), minCollectorPercent), maxCollectorPercent))
}

// paceCollector keeps the collector's share at collectorPercent until ctx ends. The environment
// variable GOGC overrides it.
func paceCollector(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	tick := time.NewTicker(collectorEvery)
	defer tick.Stop()
	inForce := 0
	for {
		metrics.Read(live)
		// To set it stops all goroutines for a moment, so small changes are left out.
		if p := collectorPercent(live[0].Value.Uint64(), uint64(debug.SetMemoryLimit(-1))); p*10 < inForce*9 || p*9 > inForce*10 {
			debug.SetGCPercent(p)
			inForce = p
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}
