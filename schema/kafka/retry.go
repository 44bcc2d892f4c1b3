package kafka

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// Backoff configures the waits between attempts.
type Backoff struct {
	First    time.Duration // wait after the first failure; it is doubled after each further one
	Max      time.Duration // maximum wait
	Attempts int           // maximum number of attempts; 0: until the context ends
	// Timeout bounds one attempt; 0: only the context bounds it.
	Timeout time.Duration
}

// Wait returns the wait after a failed attempt (counted from 1): a random part, between half
// and all, of the doubled wait.
func (b Backoff) Wait(attempt int) time.Duration {
	full := max(b.First, time.Millisecond)
	for i := 1; i < attempt && full < b.Max; i++ {
		full *= 2
	}
	full = min(full, max(b.Max, time.Millisecond))
	return full/2 + rand.N(full/2+1)
}

// Retry calls do until it succeeds, and waits between attempts as b specifies. It returns do's
// last error when that IsPermanent, after b.Attempts, and when ctx ends; in the last case the
// error also wraps that of ctx. After an error with a method RetryAfter() time.Duration the
// wait is at least that duration.
//
// failed is called before each wait; it may be nil.
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

// Sleep waits for d. It returns false when ctx ended first.
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
