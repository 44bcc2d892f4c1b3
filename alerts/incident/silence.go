package incident

import (
	"cmp"
	"slices"

	"flyball/schema"
)

// maxSilences bounds the silences that are remembered: more than the log holds in force.
const maxSilences = 2000

// silence applies a silence that begins or is ended. The end of one releases what it held back.
func (f *Fold) silence(s *schema.Silence) (Reason, []Decision) {
	i := slices.IndexFunc(f.silences, func(have *schema.Silence) bool { return have.ID == s.ID && have.Tenant == s.Tenant })
	switch {
	case s.EndedBy != "" && i < 0, i >= 0 && s.Generation <= f.silences[i].Generation, f.now >= s.Until, f.ended[s.ID]:
		return AlreadyApplied, nil
	case s.EndedBy != "":
		f.silences = slices.Delete(f.silences, i, i+1)
		f.setEnded(s.ID)
		return SilenceEnded, f.release()
	case len(f.silences) >= maxSilences:
		return NoChange, nil // toward being notified
	}
	f.silences = append(f.silences, s)
	return SilenceBegan, nil
}

// setEnded remembers a silence that was ended, because an event of its beginning can be written again.
func (f *Fold) setEnded(id string) {
	if len(f.ended) >= maxSilences {
		clear(f.ended)
	}
	f.ended[id] = true
}

// expire removes the silences that have ended by the log's clock, and reports whether there were any.
func (f *Fold) expire() bool {
	n := len(f.silences)
	f.silences = slices.DeleteFunc(f.silences, func(s *schema.Silence) bool { return f.now >= s.Until })
	return len(f.silences) < n
}

// silencedBy returns the silence in force that matches a finding, the one that ends last; nil: none does.
func (f *Fold) silencedBy(v *schema.Finding) (best *schema.Silence) {
	for _, s := range f.silences {
		if s.Tenant == v.Tenant && Matches(&s.Matchers, v, f.Registry) &&
			(best == nil || cmp.Or(cmp.Compare(s.Until, best.Until), cmp.Compare(best.ID, s.ID)) > 0) {
			best = s
		}
	}
	return best
}
