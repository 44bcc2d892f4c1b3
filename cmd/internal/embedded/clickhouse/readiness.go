package clickhouse

import (
	"context"
	"sync"
)

// readiness is a flag with a function that waits until it is set.
type readiness struct {
	mu sync.Mutex
	on bool
	ch chan struct{} // closed at the next change
}

func (r *readiness) set(on bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.on == on {
		return
	}
	r.on = on
	if r.ch != nil {
		close(r.ch)
		r.ch = nil
	}
}

func (r *readiness) get() (on bool, changed <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ch == nil {
		r.ch = make(chan struct{})
	}
	return r.on, r.ch
}

func (r *readiness) wait(ctx context.Context) error {
	for {
		on, changed := r.get()
		if on {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
