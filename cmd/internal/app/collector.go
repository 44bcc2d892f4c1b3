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
// during it. But the share of a large heap is gigabytes that nobody uses.
const (
	maxCollectorPercent = 300 // of a small heap
	minCollectorPercent = 40  // of a large one: below it the collector would run all the time
	collectorHeadroom   = 400 << 20
	// collectorEvery is how often the share is adapted to the live heap.
	collectorEvery = 250 * time.Millisecond
)

// collectorPercent returns the share, in percent, by which a heap with so many live bytes may grow
// before it is collected: collectorHeadroom, within the bounds of the share.
func collectorPercent(live uint64) int {
	return int(min(max(100*collectorHeadroom/max(live, 1), minCollectorPercent), maxCollectorPercent))
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
		if p := collectorPercent(live[0].Value.Uint64()); p*10 < inForce*9 || p*9 > inForce*10 {
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
