package stitch

// dirtyActors are the actors that changed since their entries were written, the earliest first.
type dirtyActors []*Actor

// mark adds an actor that changed at an offset of flyball.calls.
func (d *dirtyActors) mark(a *Actor, offset int64) {
	if a.DirtyFrom < 0 {
		a.DirtyFrom = offset
		*d = append(*d, a)
	}
}

// markApplied adds an actor that includes what was decided at an offset of flyball.calls.
func (d *dirtyActors) markApplied(a *Actor, offset int64) {
	if offset > a.Included {
		a.Included = offset
	}
	d.mark(a, offset)
}

// changedRuns are the runs whose snapshots are due.
type changedRuns []*Run

func (ch *changedRuns) mark(r *Run) {
	if !r.changed {
		r.changed = true
		*ch = append(*ch, r)
	}
}
