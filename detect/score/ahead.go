package score

import "flyball/detect/prefetch"

// PrefetchParts asks for what a run's score refers to, which its next call reads.
func (r *RunScore) PrefetchParts() {
	r.feature.Prefetch()
	prefetch.Elements(r.evidence, 8)
	prefetch.Value(r.agent)
}

// PrefetchParts asks for the latest calls of an actor.
func (a *ActorScore) PrefetchParts() { a.recent.Prefetch() }
