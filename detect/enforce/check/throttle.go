package check

import (
	"sync"
	"time"

	"golang.org/x/time/rate"

	"flyball/schema"
)

// throttles limits the calls of throttled breakers at this point, by generation: a breaker that
// opens again has a new limit. Breakers on claimed callers have a separate pool, so that they
// cannot displace the others.
type throttles struct {
	limit rate.Limit // calls a second

	mu    sync.Mutex
	pools [2]map[uint64]*rate.Limiter // 1: of claimed callers
}

// maxThrottles is how many breakers each pool holds.
const maxThrottles = 10_000

func newThrottles(perSecond float64) *throttles {
	return &throttles{limit: rate.Limit(perSecond), pools: [2]map[uint64]*rate.Limiter{{}, {}}}
}

// allow counts one call against the breaker's limit; false: none is left.
func (t *throttles) allow(b *schema.Breaker, now time.Time) bool {
	pool := t.pools[0]
	if b.Holder != nil && b.Holder.Standing == schema.StandingClaimed {
		pool = t.pools[1]
	}
	t.mu.Lock()
	l := pool[b.Generation]
	if l == nil {
		if len(pool) >= maxThrottles {
			clear(pool)
		}
		l = rate.NewLimiter(t.limit, max(1, int(t.limit)))
		pool[b.Generation] = l
	}
	t.mu.Unlock()
	return l.AllowN(now, 1)
}
