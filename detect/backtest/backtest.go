// Package backtest computes what a configuration would have done with the stored runs, and
// what another one would have done instead: which runs would have tripped, which calls
// would have been prevented, and which work would have been blocked.
//
// It does not decide whether a trip is right or wrong: the only labels in the stored history are people's
// verdicts, and the report contains the number of runs without one.
package backtest

import (
	"context"
	"fmt"
	"time"

	"flyball/detect/learn"
	"flyball/detect/model/baseline"
)

// Options configures a backtest.
type Options struct {
	learn.Window
	Present   Configuration
	Candidate *Configuration // nil: only the present one
	// ThrottlePerSecond is how many calls a second a throttle allows.
	ThrottlePerSecond float64
	// Progress is called every progressEvery calls with the name of the current pass and the number of calls so far. It may
	// be nil.
	Progress func(doing string, calls int)
}

// Report is the result of a backtest.
type Report struct {
	Baseline string    `json:"baseline"`
	Since    time.Time `json:"since"`
	Until    time.Time `json:"until"`
	Runs     int       `json:"runs"`
	Calls    int       `json:"calls"`
	// Denied is the number of calls of the window that Flyball denied. These calls are not
	// scored.
	Denied     uint64      `json:"denied_then"`
	Present    Side        `json:"present"`
	Candidate  *Side       `json:"candidate,omitempty"`
	Difference *Difference `json:"difference,omitempty"`
	// Notes are the limits of the figures.
	Notes []string `json:"notes"`
}

// progressEvery is the number of calls between two reports of progress.
const progressEvery = 10_000

// Run scores the stored runs of a window by a baseline and decides on them under one configuration
// or two. It reads the history once to decide, and a second time, if a decision could have stopped calls,
// to count the stopped calls.
func Run(ctx context.Context, db learn.DB, body *baseline.Baseline, o Options) (Report, error) {
	of := []Configuration{o.Present}
	if o.Candidate != nil {
		of = append(of, *o.Candidate)
	}
	c := newComparison(body, o.ThrottlePerSecond, of...)
	history, err := learn.PlanReading(ctx, db, o.Window)
	if err != nil {
		return Report{}, err
	}
	read := func(doing string, each func(*learn.StoredCall)) error {
		n := 0
		return history.ReadAll(ctx, func(call *learn.StoredCall) {
			if n++; n%progressEvery == 0 && o.Progress != nil {
				o.Progress(doing, n)
			}
			each(call)
		})
	}
	out := Report{Baseline: body.Version, Since: o.Since.UTC(), Until: o.Until.UTC()}
	if err := read("judging", c.judge); err != nil {
		return out, err
	}
	if c.decide() {
		if err := read("counting what would have been stopped", c.countPrevented); err != nil {
			return out, err
		}
	}
	sides := c.reports()
	out.Runs, out.Calls, out.Present = c.runs, c.calls, sides[0]
	if o.Candidate != nil {
		out.Candidate, out.Difference = &sides[1], compareSides(&sides[0], &sides[1])
	}
	if out.Denied, err = learn.CountDenied(ctx, db, o.Window); err != nil {
		return out, err
	}
	out.Notes = out.notes()
	return out, nil
}

// notes returns the limits of the figures, for readers of the report.
func (r *Report) notes() []string {
	v := r.Present.Verdicts
	if r.Candidate != nil {
		v = r.Candidate.Verdicts
	}
	judged, of := v.True+v.Benign+v.Test, v.True+v.Benign+v.Test+v.Unjudged
	out := []string{
		fmt.Sprintf(
			"stored history carries little truth: people have judged %d of the %d runs that would have been decided on; what is prevented in "+
				"the others may be work that was meant",
			judged,
			of,
		),
		"what is prevented is an upper bound: calls in flight pass, and a stopped caller may go another way; it ends with the decision's time",
		"the trip budget (control.trip_budget), probes and longer openings are not applied; runs are as they were stitched",
	}
	if r.Denied > 0 {
		out = append(out,
			fmt.Sprintf("Flyball denied %d calls of this window when they came: they never reached the API "+
				"and are not in the history that is judged",
				r.Denied))
	}
	return out
}
