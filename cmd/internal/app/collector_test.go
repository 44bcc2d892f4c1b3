package app

import "testing"

// A heap of 1 GB grew to 4 before it was collected.
func TestLargeHeapGrowsToManyTimesWhatIsLive(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct{ live, limit, most uint64 }{
		{0, 11_000, 0}, {20, 11_000, 80}, {130, 11_000, 520}, {400, 11_000, 800}, {600, 11_000, 1000}, {1000, 11_000, 2000},
		{4000, 11_000, 8000}, {8000, 11_000, 11_200}, {1000, 1500, 1400},
	} {
		p := collectorPercent(c.live*mib, c.limit*mib)
		if p < minCollectorPercent || p > maxCollectorPercent {
			t.Errorf("%d MiB live: %d %%", c.live, p)
		}
		if grown := c.live + c.live*uint64(p)/100; grown > c.most {
			t.Errorf("%d MiB live may grow to %d MiB with a limit of %d, want at most %d", c.live, grown, c.limit, c.most)
		}
	}
}

// With gigabytes of open runs, each collection used seconds of CPU for every 40 % that the heap grew.
func TestLargeHeapIsCollectedTooOften(t *testing.T) {
	const gib = 1 << 30
	if p := collectorPercent(4*gib, 11*gib); p < 95 {
		t.Errorf("4 GiB live of a limit of 11: grows by %d %%, want 95", p)
	}
	if p := collectorPercent(9*gib, 11*gib); p != minCollectorPercent {
		t.Errorf("9 GiB live of a limit of 11: grows by %d %%, want %d", p, minCollectorPercent)
	}
}
