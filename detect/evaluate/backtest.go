// Package evaluate says what a configuration would have done with what is stored.
//
// It refuses to call a trip right or wrong: stored history carries no truth. It
// counts what would have been held and what would have been prevented.
package evaluate

import (
	"context"
	"time"

	"flyball/detect/baseline"
	"flyball/detect/calibrate"
	"flyball/detect/learn"
	"flyball/detect/score"
	"flyball/schema"
)

// Options of a backtest.
type Options struct {
	learn.Window
	TripShare float64 // share of clean runs that may trip
	Armed     func(agent string) bool
}

// Trip is a run that would have been stopped.
type Trip struct {
	RunID  string    `json:"run_id"`
	Agent  string    `json:"agent_id"`
	Family string    `json:"family"`
	At     time.Time `json:"at"`
	Call   uint64    `json:"call"` // of the run, from 1
	Score  float64   `json:"score"`
	Mode   string    `json:"mode"` // armed, observe
	// What the run did after the call that trips: an upper bound of what would
	// have been prevented, as calls in flight pass.
	CallsAfter        uint64 `json:"calls_after"`
	IrreversibleAfter uint64 `json:"irreversible_after"`
}

// Result of a backtest.
type Result struct {
	Baseline string    `json:"baseline"`
	Since    time.Time `json:"since"`
	Until    time.Time `json:"until"`
	Runs     int       `json:"runs"`
	Calls    int       `json:"calls"`
	Trips    []Trip    `json:"trips"`
	// Share of runs that trip, with its interval at 95 %.
	Share float64 `json:"share"`
	Low   float64 `json:"share_low"`
	High  float64 `json:"share_high"`
	// Of the armed trips together.
	PreventedCalls        uint64 `json:"prevented_calls"`
	PreventedIrreversible uint64 `json:"prevented_irreversible"`
}

// Backtest scores every stored run of a window by a baseline.
func Backtest(ctx context.Context, db learn.DB, body *baseline.Body, o Options) (Result, error) {
	out := Result{Baseline: body.Version, Since: o.Since, Until: o.Until, Trips: []Trip{}}
	model, threshold := score.NewModel(body), body.Calibration.Threshold(o.TripShare)
	var run score.Run
	tripped := false
	err := learn.All(ctx, db, o.Window, func(c *learn.Call) {
		if c.First {
			run, tripped = score.Run{}, false
			out.Runs++
		}
		out.Calls++
		if tripped {
			t := &out.Trips[len(out.Trips)-1]
			t.CallsAfter++
			if c.Reversibility == schema.Irreversible {
				t.IrreversibleAfter++
			}
			return
		}
		run.Add(model, score.Who{Agent: c.Agent, Group: c.Group}, &c.Call, c.At.UnixNano(), c.Reversibility)
		if run.Score <= threshold {
			return
		}
		tripped = true
		t := Trip{RunID: c.Run, Agent: c.AgentID, Family: run.Top().String(), At: c.At, Call: run.Calls(), Score: run.Score, Mode: schema.ModeObserve.String()}
		if o.Armed(c.AgentID) {
			t.Mode = schema.ModeArmed.String()
		}
		out.Trips = append(out.Trips, t)
	})
	if err != nil {
		return out, err
	}
	n := float64(len(out.Trips))
	if out.Runs > 0 {
		out.Share = n / float64(out.Runs)
	}
	out.Low, out.High = calibrate.Wilson(n, float64(out.Runs))
	for _, t := range out.Trips {
		if t.Mode == schema.ModeArmed.String() {
			out.PreventedCalls += t.CallsAfter
			out.PreventedIrreversible += t.IrreversibleAfter
		}
	}
	return out, nil
}
