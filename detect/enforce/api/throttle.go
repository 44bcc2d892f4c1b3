package api

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"flyball/schema"
)

// throttles are the buckets of throttled breakers at this point, by generation:
// a breaker that opens again begins anew. Those of breakers on claimed callers are
// apart, so that they make no other begin anew.
type throttles struct {
	mu   sync.Mutex
	to   rate.Limit
	pool [2]map[uint64]*rate.Limiter // 1: of claimed callers
}

const mostThrottles = 10_000 // of each pool

func newThrottles(to float64) *throttles {
	return &throttles{to: rate.Limit(to), pool: [2]map[uint64]*rate.Limiter{{}, {}}}
}

func (t *throttles) allow(b *schema.Breaker, now time.Time) bool {
	pool := t.pool[0]
	if b.Holder != nil && b.Holder.Standing == schema.StandingClaimed {
		pool = t.pool[1]
	}
	t.mu.Lock()
	l := pool[b.Generation]
	if l == nil {
		if len(pool) >= mostThrottles {
			clear(pool)
		}
		l = rate.NewLimiter(t.to, max(1, int(t.to)))
		pool[b.Generation] = l
	}
	t.mu.Unlock()
	return l.AllowN(now, 1)
}
