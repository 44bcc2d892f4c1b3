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
		24 * gib * 45 / 100: 1_981_808, gib: 183_500, 64 << 20: 11_468, 1 << 20: 7000, 1 << 50: 19_600_000, math.MaxInt64: 280_000,
	} {
		if got := openRunsOf(limit); got != want {
			t.Errorf("%d open runs with a limit of %d MiB, want %d", got, limit>>20, want)
		}
	}
	c := config.Default()
	c.Kafka.Partitions = 8
	c.Detect.MaxOpenRuns = 800_000
	if l := stitchLimits(c); l.OpenRuns != 100_000 || l.OpenRunsPerActor != 12_500 || l.ClaimedRunsPerActor != 3125 {
		t.Errorf("%d open runs a partition, %d an actor, %d a claimed one", l.OpenRuns, l.OpenRunsPerActor, l.ClaimedRunsPerActor)
	}
	c.Detect.MaxOpenRuns, c.Detect.MaxOpenRunsPerActor = 80, 50
	if l := stitchLimits(c); l.OpenRuns != 10 || l.OpenRunsPerActor != 50 || l.ClaimedRunsPerActor != 50 {
		t.Errorf("%d open runs a partition, %d an actor: configured values are changed", l.OpenRuns, l.OpenRunsPerActor)
	}
	c.Detect.MaxOpenRunsPerActor = 0
	if l := stitchLimits(c); l.OpenRunsPerActor != 10 {
		t.Errorf("an actor may have %d of 10 open runs", l.OpenRunsPerActor)
	}
}

// Open and closed runs of all standings were each as many as 4 KiB fit into the collector's limit, so that both and the share of
// claimed callers took more than all of it once they were not packed.
func TestRunsOfAllStandingsExceedTheMemory(t *testing.T) {
	const packed, unpacked = 1900, 3900 // bytes
	for _, limit := range []int64{64 << 20, 230 << 20, gib, 11 * gib} {
		c := config.Default()
		c.Kafka.Partitions = 8
		c.Detect.MaxOpenRuns = openRunsOf(limit)
		l := stitchLimits(c)
		open, closed := int64(8*(l.OpenRuns+(l.OpenRuns+3)/4)), int64(8*l.ClosedRuns)
		if all := (open + closed) * packed; all > limit*6/10 {
			t.Errorf("%d MiB: packed runs take %d MiB", limit>>20, all>>20)
		}
		if all := int64(8*l.OpenRuns)*unpacked + closed*packed; all > limit*9/10 {
			t.Errorf("%d MiB: with open runs that are not quiet %d MiB", limit>>20, all>>20)
		}
	}
}

// The least share of one actor was 2,000 open runs: in a small partition one actor could have all of them.
func TestOneActorFillsASmallPartition(t *testing.T) {
	c := config.Default()
	c.Kafka.Partitions = 8
	for openRuns, want := range map[int][2]int{8000: {200, 31}, 16_000: {250, 62}, 1600: {200, 6}, 800: {100, 3}, 8: {1, 1}} {
		c.Detect.MaxOpenRuns = openRuns
		if l := stitchLimits(c); l.OpenRunsPerActor != want[0] || l.ClaimedRunsPerActor != want[1] {
			t.Errorf("of %d open runs a partition one actor has %d, a claimed one %d, want %v", l.OpenRuns, l.OpenRunsPerActor,
				l.ClaimedRunsPerActor, want)
		}
	}
}
