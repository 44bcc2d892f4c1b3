package breaker

import (
	"flyball/detect/enforce"
	"flyball/schema"
)

// originRoom is the origin of a breaker that was closed because another one needed its place.
const originRoom = "room"

// evict makes room: it closes the automatic breaker of a pool that has the next deadline. Without one there is no event.
func (s *State) evict(at enforce.LogPosition, p pool) []schema.Event {
	have := s.evictable(p)
	if have == nil {
		return nil
	}
	b := *have
	b.State, b.Origin, b.By, b.Expires = schema.BreakerClosed, originRoom, "", 0
	b.Reason = "too many breakers are open: a later one needed its place"
	b.Since, b.Generation = at.Time, at.Generation()
	s.remove(keyOf(b.Tenant, b.Scope))
	s.remember(&b)
	return []schema.Event{schema.BreakerEvent(&b)}
}

// evictable returns the automatic breaker of a pool that has the next deadline; nil: there is none. It drops deadlines of generations
// that were replaced, and keeps those of breakers that a person opened.
func (s *State) evictable(p pool) *schema.Breaker {
	var forced []deadline
	defer func() {
		for _, d := range forced {
			s.due.push(d, p)
		}
	}()
	for len(s.due.lists[p]) > 0 {
		d := s.due.lists[p][0]
		b := s.open[d.k]
		switch {
		case b == nil || b.Generation != d.generation: // replaced
		case b.State == schema.BreakerForcedOpen:
			forced = append(forced, d)
		default:
			return b
		}
		s.due.popOf(p)
	}
	return nil
}
