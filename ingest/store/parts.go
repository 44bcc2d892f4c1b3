package store

import (
	"sync/atomic"
	"time"
)

// maxPace is how much longer than Options.MaxAge the store gathers records while ClickHouse has too many parts.
const maxPace = 32

// partsPace makes inserts fewer and larger while ClickHouse rejects them for too many parts: a back-fill of many days makes a part for each
// day and table with every insert, and they must be merged. It doubles the time for which records are gathered after each batch that was
// rejected at least once, and halves it after each other batch. The size limits of a batch stay.
type partsPace struct {
	exceeded atomic.Bool // since the last batch; inserts of several tables set it
	factor   time.Duration
}

// flushed records the end of a batch.
func (p *partsPace) flushed() {
	if p.exceeded.Swap(false) {
		p.factor = min(max(p.factor, 1)*2, maxPace)
	} else {
		p.factor = max(p.factor/2, 1)
	}
}

// age returns for how long records are gathered.
func (p *partsPace) age(least time.Duration) time.Duration { return least * max(p.factor, 1) }
