package clickhouse

import (
	"context"
	"sync/atomic"
	"time"
)

// slots limits the number of statements of one kind that run and that wait.
type slots struct {
	kind    string
	free    chan struct{}
	waiting atomic.Int64
	limit   int64
	wait    time.Duration
}

func newSlots(kind string, n, limit int, wait time.Duration) *slots {
	return &slots{kind: kind, free: make(chan struct{}, n), limit: int64(limit), wait: wait}
}

func (s *slots) acquire(ctx context.Context) (release func(), err error) {
	release = func() { <-s.free }
	select {
	case s.free <- struct{}{}:
		return release, nil
	default:
	}
	if s.waiting.Add(1) > s.limit {
		s.waiting.Add(-1)
		return nil, exceptionf(codeTooManyQueries, "TOO_MANY_SIMULTANEOUS_QUERIES",
			"Too many simultaneous queries: %d of kind %s run and %d wait. Try again later", cap(s.free), s.kind, s.limit)
	}
	defer s.waiting.Add(-1)
	t := time.NewTimer(s.wait)
	defer t.Stop()
	select {
	case s.free <- struct{}{}:
		return release, nil
	case <-ctx.Done():
		return nil, exceptionf(codeCancelled, "QUERY_WAS_CANCELLED", "Query was cancelled while it waited")
	case <-t.C:
		return nil, exceptionf(codeTooManyQueries, "TOO_MANY_SIMULTANEOUS_QUERIES",
			"Too many simultaneous queries: no slot for kind %s within %s. Try again later", s.kind, s.wait)
	}
}
