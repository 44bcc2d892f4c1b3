package stitch

import "time"

// Limits bound the state that callers can make a partition keep. Shares are rounded up.
type Limits struct {
	OpenRunsPerActor int // above it an actor's further runs share one overflow run
	// ClaimedRunsPerActor is the same for an actor's runs of claimed callers.
	ClaimedRunsPerActor int
	// OpenRuns bounds the open runs of the partition; of claimed callers at most a quarter, of proven ones at most half.
	OpenRuns           int
	ClosedRuns         int // closed runs kept for late calls; of claimed callers a quarter, of proven ones a quarter
	ClosedRunsPerActor int // of these, of one actor
	Actors             int // of claimed callers at most an eighth, of proven ones at most half; the rest share one for each address

	SessionGap      time.Duration // silence that ends a session
	ConversationGap time.Duration // silence that ends a run of a conversation
	RunGap          time.Duration // silence that closes any other run
	EvictAfter      time.Duration // how long a closed run waits for late calls, on the watermark's clock
	Lateness        time.Duration // how far the watermark stays behind its slowest source
}

// DefaultLimits returns the limits for one of eight partitions.
func DefaultLimits() Limits {
	return Limits{
		OpenRunsPerActor: 2000, ClaimedRunsPerActor: 1500, OpenRuns: 50_000, ClosedRuns: 21_000, ClosedRunsPerActor: 4000, Actors: 50_000,
		SessionGap: 10 * time.Minute, ConversationGap: 30 * time.Minute, RunGap: 30 * time.Minute,
		EvictAfter: 15 * time.Minute, Lateness: 5 * time.Minute,
	}
}

const (
	routeSketch    = 128
	resourceSketch = 512
	overflowSketch = 512
	tracesPerRun   = 8
)
