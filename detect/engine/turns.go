package engine

import (
	"context"
	"runtime"
	"time"
)

// turns lets some workers apply records at the same time, and the others wait, each for its turn; nil: all may.
//
// The runtime lets a goroutine that computes run for 10 ms before another one gets its processor. With a backlog in every partition, each
// answer of the embedded broker and each question to the check therefore waited behind all workers, several times on its way.
type turns chan struct{}

// turn is how long a worker applies records before it lets another one in. Shorter turns cost: each worker finds the caches full of
// what the others need.
const turn = 10 * time.Millisecond

// newTurns leaves a quarter of the processors to the rest of the process, and two at least: of the four with which a process runs on two
// cores, half.
func newTurns() turns {
	n := runtime.GOMAXPROCS(0)
	return make(turns, max(1, n-max(2, n/4)))
}

// take waits for a turn, which ends with give. Who came first is first. The error is that of ctx.
func (t turns) take(ctx context.Context) error {
	if t == nil {
		return nil
	}
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turns) give() {
	if t != nil {
		<-t
	}
}
