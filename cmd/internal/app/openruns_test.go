package app

import (
	"math"
	"testing"

	"flyball/cmd/internal/config"
)

// The limit of open runs was 400,000 on every machine, of which one actor could have 2,000: ordinary traffic of 10,000 calls/s
// needs 2.6 million.
func TestOpenRunsDoNotFollowTheMemory(t *testing.T) {
	for limit, want := range map[int64]int{
		24 * gib * 45 / 100: 2_831_155, gib: 262_144, 64 << 20: 100_000, 1 << 50: 20_000_000, math.MaxInt64: 400_000,
	} {
		if got := openRunsOf(limit); got != want {
			t.Errorf("%d open runs with a limit of %d MiB, want %d", got, limit>>20, want)
		}
	}
	c := config.Default()
	c.Kafka.Partitions = 8
	c.Detect.MaxOpenRuns = 800_000
	if l := stitchLimits(c); l.OpenRuns != 100_000 || l.OpenRunsPerActor != 12_500 {
		t.Errorf("%d open runs a partition, %d an actor", l.OpenRuns, l.OpenRunsPerActor)
	}
	c.Detect.MaxOpenRuns, c.Detect.MaxOpenRunsPerActor = 80, 50
	if l := stitchLimits(c); l.OpenRuns != 10 || l.OpenRunsPerActor != 50 {
		t.Errorf("%d open runs a partition, %d an actor: configured values are changed", l.OpenRuns, l.OpenRunsPerActor)
	}
	c.Detect.MaxOpenRunsPerActor = 0
	if l := stitchLimits(c); l.OpenRunsPerActor != 10 {
		t.Errorf("an actor may have %d of 10 open runs", l.OpenRunsPerActor)
	}
}
