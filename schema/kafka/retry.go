package kafka

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Backoff says how long to wait between attempts.
type Backoff struct {
	First    time.Duration // wait after the first failure; doubled after each further one
	Max      time.Duration // longest wait
	Attempts int           // attempts at most; 0: until the context ends
	// Timeout bounds one attempt; 0: only the context does.
	Timeout time.Duration
}

// Wait is the time to wait after a failed attempt, counted from 1: a random share,
// between half and all, of what doubling gives.
func (b Backoff) Wait(attempt int) time.Duration {
	full := max(b.First, time.Millisecond)
	for i := 1; i < attempt && full < b.Max; i++ {
		full *= 2
	}
	full = min(full, max(b.Max, time.Millisecond))
	return full/2 + rand.N(full/2+1)
}

// Retry calls do until it succeeds, and waits in between as b says. It ends earlier,
// with do's last error, on one that IsPermanent, after b.Attempts, and when ctx ends;
// then the error is ctx's as well. An error with a method RetryAfter() time.Duration is
// not tried again sooner than it says.
//
// failed, unless nil, is called before each wait.
func Retry(ctx context.Context, b Backoff, do func(context.Context) error, failed func(err error, wait time.Duration)) error {
	for attempt := 1; ; attempt++ {
		err := b.attempt(ctx, do)
		switch {
		case err == nil:
			return nil
		case IsPermanent(err):
			return err
		case ctx.Err() != nil:
			return ended(ctx, err)
		case b.Attempts > 0 && attempt >= b.Attempts:
			return fmt.Errorf("given up after %d attempts: %w", attempt, err)
		}
		wait := b.Wait(attempt)
		var later interface{ RetryAfter() time.Duration }
		if errors.As(err, &later) {
			wait = max(wait, later.RetryAfter())
		}
		if failed != nil {
			failed(err, wait)
		}
		if !Sleep(ctx, wait) {
			return ended(ctx, err)
		}
	}
}

func (b Backoff) attempt(ctx context.Context, do func(context.Context) error) error {
	if b.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, b.Timeout)
		defer cancel()
	}
	return do(ctx)
}

func ended(ctx context.Context, err error) error {
	if errors.Is(err, ctx.Err()) {
		return err
	}
	return fmt.Errorf("%w: %w", ctx.Err(), err)
}

// Sleep waits; false when ctx ended first.
func Sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
