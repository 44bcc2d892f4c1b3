package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
	"flyball/schema"
	"flyball/schema/clickhouse/query"
)

// receipt is one opening of a breaker, with the stored calls that passed before it took effect.
type receipt struct {
	api.Receipt
	// Slipped are the run's calls that passed after the one that it was stopped for;
	// absent where the database does not answer.
	Slipped *schema.Exposure `json:"slipped,omitempty"`
}

func receiptsCommand(o *options) *cobra.Command {
	a := answer[[]receipt]{rows: itself[[]receipt], query: func(r *request) ([]receipt, error) {
		list, err := fromControl[[]receipt]("/v1/receipts")(r)
		if err != nil {
			return nil, err
		}
		if err := addSlipped(r, list); err != nil && r.options.output != formJSON {
			report.Printf(r.stderr, "the calls that still passed are not known: %v\n", err)
		}
		return list, nil
	}, table: printReceipts}
	return &cobra.Command{Use: "receipts", Args: cobra.NoArgs, RunE: a.run(o),
		Short: "List each opening of a breaker: times of finding, command, application and first denial per point, and calls that still passed"}
}

// printReceipts prints a line for each point of each receipt.
func printReceipts(w io.Writer, list []receipt) error {
	if len(list) == 0 {
		err := report.Printf(w, "No breaker has opened lately.\n")
		return err
	}
	const heads = "GENERATION | SCOPE | ACTION?? | CALL (UTC)?? | COMMANDED??? | POINT???? | " +
		"APPLIED???? | FIRST DENIED?? | DENIED | PASSED BEFORE? | " +
		"SLIPPED THROUGH"
	return report.Table(w, heads, func(row func(...any)) {
		for _, r := range list {
			points := r.Points
			if len(points) == 0 {
				points = []api.ReceiptPoint{{Point: "-"}}
			}
			slipped := "-"
			if r.Slipped != nil {
				slipped = exposureText(*r.Slipped)
			}
			for _, p := range points {
				row(r.Generation, scopeCell(r.Scope), r.Action, dated(r.Call), dated(r.Commanded), p.Point,
					report.Millisecond(p.Applied), report.Millisecond(p.FirstDenied), p.Denied, exposureText(r.Exposure), slipped)
			}
		}
	})
}

// dated returns the cell of an RFC 3339 time with its date and milliseconds.
func dated(stamp string) any {
	t, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil {
		return report.Dash(stamp)
	}
	return report.Clock(query.Time{Time: t})
}

func exposureText(e schema.Exposure) string {
	return fmt.Sprintf("%d (%d irreversible)", e.Calls, e.Irreversible)
}

// maxReceipts bounds the receipts for which the calls that still passed are queried.
const maxReceipts = 100

// addSlipped adds to the first receipts the calls that passed after the call that led to them.
func addSlipped(r *request, list []receipt) error {
	db, err := r.database()
	if err != nil {
		return err
	}
	for i := range list[:min(len(list), maxReceipts)] {
		if err := list[i].addSlipped(r.ctx, db); err != nil {
			return err
		}
	}
	return nil
}

func (r *receipt) addSlipped(ctx context.Context, db query.DB) error {
	found, err := time.Parse(time.RFC3339Nano, r.Call)
	if err != nil || r.RunID.IsZero() {
		return nil // opened by hand: no call led to it
	}
	e, err := query.CallsAfterTrip(ctx, db, r.RunID.String(), found)
	if err == nil {
		r.Slipped = &e
	}
	return err
}
