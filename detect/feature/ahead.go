package feature

import "flyball/detect/prefetch"

// Prefetch asks for the lists that the next call of the run searches.
func (r *RunMemory) Prefetch() {
	for _, m := range [...]*boundedMap{&r.keys, &r.asked, &r.routes, &r.resources} {
		prefetch.Elements(m.entries, indexFrom)
		prefetch.Value(m.index)
	}
}

// Prefetch asks for the calls of the memory.
func (r *ActorMemory) Prefetch() { prefetch.Elements(r.calls, maxCalls) }
