package learn

import (
	"flyball/detect/baseline"
	"flyball/detect/scope"
)

// guarded leaves out the runs that the scopes of the others would have held: a
// hijacked run that made no noise is known by what it wrote. They teach no counts
// and calibrate nothing, which is no ratchet: what holds a run is not its score.
func guarded(runs []*baseline.Run) []*baseline.Run {
	jury := scope.Among(scope.Default(), known(runs))
	out := make([]*baseline.Run, 0, len(runs))
	for _, r := range runs {
		if r.Scope == nil || r.Alarmed || !jury.Held(r.Scope) {
			out = append(out, r)
		}
	}
	return out
}

// scopes of the runs that teach; nil where nothing is known of any.
func scopes(runs []*baseline.Run) *scope.Body {
	list := known(runs)
	if len(list) == 0 {
		return nil
	}
	return scope.Publish(list)
}

func known(runs []*baseline.Run) (out []*scope.Run) {
	for _, r := range runs {
		if r.Scope != nil && !r.Alarmed {
			out = append(out, r.Scope)
		}
	}
	return out
}
