package detector

import "flyball/detect/prefetch"

// Prefetch implements stitch.Prefetcher.
func (r *RunState) Prefetch() { prefetch.Value(r) }

// PrefetchParts implements stitch.Prefetcher.
func (r *RunState) PrefetchParts() {
	r.RunScore.PrefetchParts()
	prefetch.Elements(r.states, 4)
}

// Prefetch implements stitch.Prefetcher.
func (a *actorState) Prefetch() { prefetch.Value(a) }

// PrefetchParts implements stitch.Prefetcher.
func (a *actorState) PrefetchParts() {
	for _, k := range a.states {
		switch s := k.state.(type) {
		case *crossRunActor:
			prefetch.Value(s)
			s.PrefetchParts()
		case *callRateActor:
			prefetch.Value(s)
		}
	}
}
