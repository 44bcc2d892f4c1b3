package breaker

import (
	"time"

	"flyball/schema"
)

// strike records that a breaker was open recently: if it opens again before a time of the log's
// clock, it stays open for twice as long.
type strike struct {
	N     int   `json:"n"` // openings so far
	Until int64 `json:"until_ns"`
}

// recentStrikes holds the strikes of all breakers.
type recentStrikes struct{ strikes [pools]map[key]strike }

// addStrike records that a breaker has closed.
func (s *recentStrikes) addStrike(now int64, b *schema.Breaker) {
	all := s.strikes[poolOfBreaker(b)]
	if len(all) >= maxStrikes {
		removeOldStrikes(all, now)
	}
	all[keyOf(b.Tenant, b.Scope)] = strike{b.Strikes, now + 4*max(b.TTL, int64(time.Minute))}
}

func removeOldStrikes(all map[key]strike, now int64) {
	for k, v := range all {
		if now >= v.Until {
			delete(all, k)
		}
	}
	if len(all) >= maxStrikes {
		clear(all) // so many strikes are an attack; every next trip counts as a first one
	}
}

// openings returns how often a breaker has opened, this time included.
func (s *recentStrikes) openings(now int64, k key) int {
	n := 1
	for _, all := range s.strikes {
		if before, ok := all[k]; ok && now < before.Until {
			n = max(n, before.N+1)
		}
	}
	return n
}

func (s *recentStrikes) removeStrikes(k key) {
	for p := range s.strikes {
		delete(s.strikes[p], k)
	}
}
