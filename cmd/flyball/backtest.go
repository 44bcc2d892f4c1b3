package main

import (
	"errors"
	"fmt"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/answer"
	"flyball/cmd/internal/app"
	"flyball/detect/evaluate"
	"flyball/detect/learn"
	"flyball/detect/published"
	"flyball/schema"
)

func backtestCommand(o *options) *cobra.Command {
	var since, until string
	cmd := &cobra.Command{Use: "backtest", Short: "What the present configuration and baseline would have tripped in stored history, when, and what it would have prevented", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		format, err := o.outputIs("table", "json")
		if err != nil {
			return err
		}
		now := time.Now()
		from, err := ago("--since", since, now)
		if err != nil {
			return err
		}
		to := now
		if until != "" {
			if to, err = ago("--until", until, now); err != nil {
				return err
			}
		}
		c, db, err := o.database()
		if err != nil {
			return err
		}
		defer db.Close()
		kafka, err := app.KafkaOpts(c)
		if err != nil {
			return err
		}
		body, err := published.Baseline(cmd.Context(), kafka, func(string) bool { return true })
		if errors.Is(err, published.ErrNone) {
			return fmt.Errorf("%w: run flyball learn --once first", err)
		} else if err != nil {
			return err
		}
		rules := app.PolicyRules(c)
		r, err := evaluate.Backtest(cmd.Context(), db, body, evaluate.Options{TripShare: c.Detect.FalseTripsPer1000 / 1000, Armed: func(agent string) bool { return armed(rules, c, agent) },
			Window: learn.Window{Tenant: c.Tenant, Since: from, Until: to, PerAgent: 1 << 30, CallsPerRun: 1 << 20}})
		if err != nil {
			return err
		}
		out := cmd.OutOrStdout()
		if format == "json" {
			return answer.JSON(out, r)
		}
		fmt.Fprintf(out, "%d runs, %d calls; baseline %s of %d runs; detect.false_trips_per_1000 %g\n", r.Runs, r.Calls, r.Baseline, body.Runs, c.Detect.FalseTripsPer1000)
		fmt.Fprintf(out, "%d runs would have tripped: %.2f in 1,000 (95 %%: %.2f to %.2f)\n", len(r.Trips), 1000*r.Share, 1000*r.Low, 1000*r.High)
		fmt.Fprintf(out, "armed trips would have prevented up to %d calls, %d of them irreversible\n\n", r.PreventedCalls, r.PreventedIrreversible)
		w := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "AT (UTC)\tMODE\tFAMILY\tAGENT\tRUN\tCALL\tSCORE\tCALLS AFTER\tIRREVERSIBLE AFTER")
		for _, t := range r.Trips {
			mode := t.Mode
			if mode != schema.ModeArmed.String() {
				mode = "(" + mode + ")"
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%d\t%.1f\t%d\t%d\n", t.At.UTC().Format(time.DateTime), mode, t.Family, t.Agent, t.RunID, t.Call, t.Score, t.CallsAfter, t.IrreversibleAfter)
		}
		return w.Flush()
	}}
	cmd.Flags().StringVar(&since, "since", "24h", "from then on (15m: that long ago; or RFC 3339)")
	cmd.Flags().StringVar(&until, "until", "", "up to then; empty is now")
	return cmd
}
