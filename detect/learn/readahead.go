package learn

import (
	"context"
	"sync"
)

// statementsAtATime is how many statements about slices run at the same time, each with one thread, the priority Nice and the limits of
// Quietly. On two cores learning takes three quarters of the time of one at a time (adr/0002), where
// nothing else needs the second core.
const statementsAtATime = 2

// readAhead reads n parts, some at a time, and passes the results to take in the order of the parts, one by one, so that what is learned
// does not depend on which is read first. At most atATime results wait. It returns the first error in the order of the parts, after
// the other reads have ended.
func readAhead[T any](ctx context.Context, n, atATime int, read func(ctx context.Context, i int) (T, error),
	take func(i int, v T) error) error {
	type result struct {
		value T
		err   error
	}
	var running sync.WaitGroup
	defer running.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make([]chan result, n)
	start := func(i int) {
		results[i] = make(chan result, 1)
		running.Go(func() {
			v, err := read(ctx, i)
			results[i] <- result{v, err}
		})
	}
	for i := range min(atATime, n) {
		start(i)
	}
	for i := range n {
		r := <-results[i]
		results[i] = nil
		if r.err != nil {
			return r.err
		}
		if next := i + atATime; next < n {
			start(next)
		}
		if err := take(i, r.value); err != nil {
			return err
		}
	}
	return nil
}
