package incident

import (
	"cmp"
	"slices"

	"flyball/schema"
)

// maxSilences bounds the silences that are remembered: more than the log holds in force.
const maxSilences = 2000

// silences are those in force.
type silences struct {
	list  []*schema.Silence
	ended map[string]bool // that were ended before their time
}

func newSilences() silences { return silences{ended: map[string]bool{}} }

// apply applies a silence that begins or is ended, at a time of the log's clock.
func (s *silences) apply(v *schema.Silence, now int64) Reason {
	i := slices.IndexFunc(s.list, func(have *schema.Silence) bool { return have.ID == v.ID && have.Tenant == v.Tenant })
	switch {
	case v.EndedBy != "" && i < 0, i >= 0 && v.Generation <= s.list[i].Generation, now >= v.Until, s.ended[v.ID]:
		return AlreadyApplied
	case v.EndedBy != "":
		s.list = slices.Delete(s.list, i, i+1)
		s.setEnded(v.ID)
		return SilenceEnded
	case len(s.list) >= maxSilences:
		return NoChange // toward being notified
	}
	s.list = append(s.list, v)
	return SilenceBegan
}

// setEnded remembers a silence that was ended, because an event of its beginning can be written again.
func (s *silences) setEnded(id string) {
	if len(s.ended) >= maxSilences {
		clear(s.ended)
	}
	s.ended[id] = true
}

// in returns the ids of the silences in force in a tenant.
func (s *silences) in(tenant string) []string {
	out := []string{}
	for _, v := range s.list {
		if v.Tenant == tenant {
			out = append(out, v.ID)
		}
	}
	return out
}

// expire removes the silences that have ended by the log's clock, and reports whether there were any.
func (s *silences) expire(now int64) bool {
	n := len(s.list)
	s.list = slices.DeleteFunc(s.list, func(v *schema.Silence) bool { return now >= v.Until })
	return len(s.list) < n
}

// of returns the silence in force that matches a finding, the one that ends last; nil: none does.
func (s *silences) of(v *schema.Finding, r Registry) (best *schema.Silence) {
	for _, have := range s.list {
		if have.Tenant == v.Tenant && matches(&have.Matchers, v, r) &&
			(best == nil || cmp.Or(cmp.Compare(have.Until, best.Until), cmp.Compare(best.ID, have.ID)) > 0) {
			best = have
		}
	}
	return best
}
