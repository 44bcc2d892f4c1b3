package report

import (
	"io"

	"flyball/detect/evaluate"
	"flyball/detect/model/baseline"
)

// Rescored prints a run that was scored again.
func Rescored(w io.Writer, r *evaluate.Rescored) error {
	as := baseline.DisplayName(r.Key)
	Printf(
		w,
		"run       %s of %s, %d calls\nbaseline  %s\ncompared  as %s (%s)\nstored    %.9g by %s\nagain     %.9g (%s)\n",
		r.RunID,
		Dash(r.Agent),
		r.Calls,
		r.Baseline,
		Dash(as),
		r.Why,
		r.Score,
		Dash(r.StoredScore.Baseline),
		r.Again,
		r.Family,
	)
	switch {
	case r.Same:
		Printf(w, "the same, within 1e-9\n")
	case r.Caveat != "":
		Printf(w, "not the same: %s\n", r.Caveat)
	default:
		Printf(w, "NOT the same\n")
	}
	return nil
}
