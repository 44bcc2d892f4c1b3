package store

import (
	"context"
	"fmt"
	"sync"
	"time"

	"flyball/schema/clickhouse"
)

// attemptTimeout bounds one request to ClickHouse: a batch takes well under a
// second, a merge-bound server some, a dead connection for ever.
const attemptTimeout = 2 * time.Minute

// health is what Ready answers from.
type health struct {
	mu      sync.Mutex
	started bool
	outage  error
	since   time.Time
	refused map[int32]error
}

func (h *health) failing(err error, now time.Time) (first bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	first = h.outage == nil
	if first {
		h.since = now
	}
	h.outage = err
	return first
}

func (h *health) well() (was bool, since time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	was, since = h.outage != nil, h.since
	h.outage = nil
	return was, since
}

// Ready says why the store is not storing, nil when it is.
func (s *Store) Ready() error {
	h := &s.health
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.outage != nil:
		return fmt.Errorf("store: ClickHouse does not take the batch since %s: %w", h.since.UTC().Format(time.RFC3339), h.outage)
	case !h.started:
		return fmt.Errorf("store: not started: its progress was not read yet")
	}
	for p, err := range h.refused {
		return fmt.Errorf("store: partition %d waits: %w", p, err)
	}
	return nil
}

// insist does what until it succeeds, ctx ends or it can never succeed.
func (s *Store) insist(ctx context.Context, what string, do func(context.Context) error) error {
	wait := s.o.Backoff
	for {
		attempt, cancel := context.WithTimeout(ctx, attemptTimeout)
		err := do(attempt)
		cancel()
		if err == nil {
			if was, since := s.health.well(); was {
				s.log.Info("ClickHouse is back", "away", s.o.Now().Sub(since).Round(time.Millisecond))
			}
			return nil
		}
		if clickhouse.IsPermanent(err) {
			return fmt.Errorf("store: %s: %w", what, err)
		}
		if ctx.Err() != nil {
			return fmt.Errorf("store: %s: %w: %w", what, ctx.Err(), err)
		}
		if s.health.failing(err, s.o.Now()) {
			s.log.Warn("ClickHouse is away; the journal waits", "doing", what, "error", err)
		}
		s.m.retries.Inc()
		select {
		case <-ctx.Done():
			return fmt.Errorf("store: %s: %w: %w", what, ctx.Err(), err)
		case <-time.After(wait):
		}
		wait = min(2*wait, s.o.MaxBackoff)
	}
}
