package control

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"flyball/schema"
)

// throttles are the buckets of throttled breakers at this point, by generation:
// a breaker that opens again begins anew.
type throttles struct {
	mu  sync.Mutex
	to  rate.Limit
	all map[uint64]*rate.Limiter
}

const mostThrottles = 10_000

func newThrottles(to float64) *throttles {
	return &throttles{to: rate.Limit(to), all: map[uint64]*rate.Limiter{}}
}

func (t *throttles) allow(b *schema.Breaker, now time.Time) bool {
	t.mu.Lock()
	l := t.all[b.Generation]
	if l == nil {
		if len(t.all) >= mostThrottles {
			clear(t.all)
		}
		l = rate.NewLimiter(t.to, max(1, int(t.to)))
		t.all[b.Generation] = l
	}
	t.mu.Unlock()
	return l.AllowN(now, 1)
}
