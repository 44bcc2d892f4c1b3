package breaker

import (
	"cmp"
	"slices"

	"flyball/schema"
)

// pastStates holds the last states of breakers.
type pastStates struct{ history [pools][]*schema.Breaker } // the latest last

// remember adds a state of a breaker to the history. The canary's are not kept: they would displace the others.
func (s *pastStates) remember(b *schema.Breaker) {
	if b.Tenant == schema.CanaryTenant {
		return
	}
	p, limit := poolOfBreaker(b), maxHistory
	if p == claimed {
		limit = maxClaimedHistory
	}
	if len(s.history[p]) >= limit {
		s.history[p] = slices.Clone(s.history[p][limit/10:])
	}
	s.history[p] = append(s.history[p], b)
}

// History returns the last states of breakers, the latest first.
func (s *pastStates) History() []*schema.Breaker {
	out := s.historyInOrder()
	slices.Reverse(out)
	return out
}

// historyInOrder returns the history of all pools, the oldest first.
func (s *pastStates) historyInOrder() []*schema.Breaker {
	out := slices.Concat(s.history[:]...)
	slices.SortStableFunc(out, func(a, b *schema.Breaker) int { return cmp.Compare(a.Generation, b.Generation) })
	return out
}

// withheld counts the trips of a tenant that were withheld within the last hour.
func (s *pastStates) withheld(p pool, tenant string, now int64) (n int) {
	for _, b := range s.history[p] {
		if b.Tenant == tenant && b.Mode == schema.ModeWithheld && b.Since > now-hour {
			n++
		}
	}
	return n
}
