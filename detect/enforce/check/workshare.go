package check

import (
	"runtime"
	"sync/atomic"
	"time"
)

// workShare bounds how many checks of claimed callers are decided at the same time: half of the
// processors, so that a flood of them leaves the rest to the others. A bounded number of further
// checks waits for a bounded time. A check holds its place while it decides, never while it waits
// for the log.
type workShare struct {
	places  chan struct{}
	waiting atomic.Int64
}

const (
	shareTimeout    = 20 * time.Millisecond
	maxShareWaiters = 1_000
)

func newWorkShare() *workShare {
	return &workShare{places: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)/2))}
}

// enter reserves a place, immediately or after a bounded wait; false: none is free. leave releases
// it.
func (w *workShare) enter() bool {
	select {
	case w.places <- struct{}{}:
		return true
	default:
	}
	defer w.waiting.Add(-1)
	if w.waiting.Add(1) > maxShareWaiters {
		return false
	}
	t := time.NewTimer(shareTimeout)
	defer t.Stop()
	select {
	case w.places <- struct{}{}:
		return true
	case <-t.C:
		return false
	}
}

func (w *workShare) leave() { <-w.places }
