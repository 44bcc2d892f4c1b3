package store

import (
	"sync/atomic"
	"time"
)

// maxPace is how much longer than Options.MaxAge the store gathers records while ClickHouse has too many parts.
const maxPace = 32

// recovery divides the time of gathering after each batch that was accepted at once.
const recovery = 4

// partsPace makes inserts fewer and larger while ClickHouse rejects them for too many parts: a back-fill of many days makes a part for each
// day and table with every insert, and they must be merged. It doubles the time for which records are gathered after each batch that was
// rejected at least once, and divides it by recovery after each other batch: rows are late by that time. From maxPace it is back at
// Options.MaxAge after 42 s of gathering with the defaults.
type partsPace struct {
	exceeded atomic.Bool // since the last batch; inserts of several tables set it
	factor   time.Duration
}

// exceed records that a request was rejected for too many parts.
func (p *partsPace) exceed() { p.exceeded.Store(true) }

// flushed records the end of a batch.
func (p *partsPace) flushed() {
	if p.exceeded.Swap(false) {
		p.factor = min(max(p.factor, 1)*2, maxPace)
	} else {
		p.factor = max(p.factor/recovery, 1)
	}
}
