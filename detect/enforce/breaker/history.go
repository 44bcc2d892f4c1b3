package breaker

import (
	"cmp"
	"slices"

	"flyball/schema"
)

// remember adds a breaker's state to the history.
func (s *State) remember(b *schema.Breaker) {
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
func (s *State) History() []*schema.Breaker {
	out := s.historyInOrder()
	slices.Reverse(out)
	return out
}

// historyInOrder is the history of all pools, the oldest first.
func (s *State) historyInOrder() []*schema.Breaker {
	out := slices.Concat(s.history[:]...)
	slices.SortStableFunc(out, func(a, b *schema.Breaker) int { return cmp.Compare(a.Generation, b.Generation) })
	return out
}
