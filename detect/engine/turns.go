package engine

import (
	"context"
	"runtime"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
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

// lend lets another worker in while wait runs, in the middle of a turn.
func (t turns) lend(wait func()) {
	if t == nil {
		wait()
		return
	}
	t.give()
	defer func() { t <- struct{}{} }()
	wait()
}

// applyRecords applies records, in turn with other workers.
func (w *worker) applyRecords(ctx context.Context, records []*kgo.Record) error {
	for len(records) > 0 {
		if err := w.turns.take(ctx); err != nil {
			return err
		}
		n, err := w.applyUntil(ctx, records, w.cfg.Now().Add(turn))
		w.turns.give()
		if err != nil {
			return err
		}
		records = records[n:]
	}
	return nil
}

// applyUntil applies the first of some records until a time, at least one, and returns how many.
func (w *worker) applyUntil(ctx context.Context, records []*kgo.Record, end time.Time) (n int, err error) {
	for n = range records {
		if n > 0 && !w.cfg.Now().Before(end) {
			return n, nil
		}
		if err := w.applyRecord(ctx, records[n]); err != nil {
			return n, err
		}
	}
	return len(records), nil
}
