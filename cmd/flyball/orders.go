package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
)

// changed is a change that a command has made: what the control API answered, and what people need to
// know besides.
type changed struct {
	result api.ChangeResult
	what   string // the change and its subject
	// forever is what holds where the change has no end: "until a reset".
	forever string
	undo    string // command line; empty: it cannot be undone
	final   string // why it cannot be undone
	later   string // what follows only later, and what brings it about now; empty: nothing
}

// changeReport is what a command that changes something prints with -o json.
type changeReport struct {
	api.ChangeResult
	What       string   `json:"what"`
	Deployment string   `json:"deployment"`
	Enforced   []string `json:"in_force_at"` // points
	NotYet     []string `json:"not_yet_at"`
	Undo       string   `json:"undo,omitempty"`
	Later      string   `json:"later,omitempty"` // what follows only later
}

// order returns the function of a command that makes one change through the control API, and then
// prints what the change met, where it is applied, until when, and how to undo it. reason is the
// value of --reason, nil if the command has none.
func order(o *options, reason *string, do func(ctx context.Context, c *controlClient, args []string) (changed, error)) func(
	*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		p, err := o.printer(cmd, formTable, formJSON)
		if err != nil {
			return err
		}
		if reason != nil {
			if err := checkReason(*reason); err != nil {
				return err
			}
		}
		c, err := o.control()
		if err != nil {
			return err
		}
		done, err := do(cmd.Context(), c, args)
		if err != nil {
			return err
		}
		return c.printChange(cmd.Context(), p, done)
	}
}

// printChange waits until the points have applied a change, and prints it.
func (c *controlClient) printChange(ctx context.Context, p printer, done changed) error {
	held := c.awaitChange(ctx, &done.result)
	r := changeReport{ChangeResult: done.result, What: done.what, Deployment: c.deployment(done.result.Tenant), Enforced: held.applied,
		NotYet: held.pending, Undo: done.undo, Later: done.later}
	return p.print(r, func(w io.Writer) error {
		report.Printf(w, "%s, in %s\n", done.what, r.Deployment)
		printMet(w, r.Met)
		until := done.forever
		if r.Until != "" {
			until = "until " + r.Until
		}
		if until != "" {
			until += ", "
		}
		report.Printf(w, "holds %s%s\n", until, held)
		if done.later != "" {
			report.Printf(w, "later: %s\n", done.later)
		}
		if done.undo == "" {
			return report.Printf(w, "undo: not possible; %s\n", done.final)
		}
		return report.Printf(w, "undo: %s\n", done.undo)
	})
}

// printMet prints what a change met.
func printMet(w io.Writer, met []string) {
	for _, m := range met {
		report.Printf(w, "met: %s\n", m)
	}
}

// awaitChange waits until the points have applied a change.
func (c *controlClient) awaitChange(ctx context.Context, r *api.ChangeResult) rollout {
	points := r.Points
	if len(points) == 0 { // of an older version
		points, _ = c.appliedPoints(ctx)
	}
	return c.awaitRollout(ctx, r.Generation, points)
}

// undoOf returns the command line of this program that undoes a change; the words are made safe for
// a shell.
func (o *options) undoOf(words ...string) string {
	line := o.programName()
	for _, w := range words {
		line += " " + shellWord(w)
	}
	return line + " --reason '…'"
}
