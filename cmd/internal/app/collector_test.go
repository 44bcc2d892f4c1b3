package app

import "testing"

// A heap of 1 GB grew to 4 before it was collected.
func TestLargeHeapGrowsToManyTimesWhatIsLive(t *testing.T) {
	for _, c := range []struct{ live, most uint64 }{
		{0, 0}, {20 << 20, 80 << 20}, {130 << 20, 520 << 20}, {400 << 20, 800 << 20}, {1000 << 20, 1400 << 20}, {8000 << 20, 11_200 << 20},
	} {
		p := collectorPercent(c.live)
		if p < minCollectorPercent || p > maxCollectorPercent {
			t.Errorf("%d MiB live: %d %%", c.live>>20, p)
		}
		if grown := c.live + c.live*uint64(p)/100; grown > c.most {
			t.Errorf("%d MiB live may grow to %d MiB, want at most %d", c.live>>20, grown>>20, c.most>>20)
		}
	}
}
