package main

import (
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/canary"
	"flyball/cmd/internal/report"
	"flyball/schema/wording"
)

// canaryReport is what `flyball canary -o json` prints.
type canaryReport struct {
	Rounds []canary.Round `json:"rounds"`
	Lost   int            `json:"lost"` // rounds that have not come back
}

// maxRounds bounds --rounds.
const maxRounds = 1000

func canaryCommand(o *options) *cobra.Command {
	rounds, once := 1, false
	a := answer[*canaryReport]{table: printCanary,
		query: func(r *request) (*canaryReport, error) { return runCanary(r, o, rounds) },
		exit: func(r *canaryReport) error {
			if r.Lost > 0 {
				return fmt.Errorf("%s of %d did not come back: trips or pages may not work; flyball doctor says what is wrong",
					wording.Count(r.Lost, "round"), len(r.Rounds))
			}
			return nil
		}}
	cmd := &cobra.Command{Use: "canary", Args: cobra.NoArgs,
		Short: "Let a synthetic agent run away, and measure the path from its log lines to the trip, the denial and the page",
		Long: `Writes log lines of a synthetic agent to an input topic, and asks the check about
it, until its run is denied and a page about it has arrived at a webhook of this
command. The calls are of a tenant of their own: they are not stored, count in no
budget, and are paged to no configured receiver. canary.interval lets the role
control do the same at an interval.
Run it on the machine of the deployment, with its configuration: it needs the
deployment's key, the broker and the check.`}
	run := a.run(o)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if rounds < 1 || rounds > maxRounds || once && rounds > 1 {
			return usage(fmt.Errorf("--rounds: %d must be from 1 to %d, and 1 with --once", rounds, maxRounds))
		}
		return run(cmd, args)
	}
	cmd.Flags().BoolVar(&once, "once", false, "make one round (the default)")
	cmd.Flags().IntVar(&rounds, "rounds", 1, "number of rounds, one after the other")
	return cmd
}

func runCanary(r *request, o *options, rounds int) (*canaryReport, error) {
	c, err := o.load()
	if err != nil {
		return nil, err
	}
	key, err := app.ReadSecretKey(c, false)
	if err != nil {
		return nil, fmt.Errorf("the canary signs its calls with the deployment's key: %w", err)
	}
	k, err := app.ConnectKafka(r.ctx, c)
	if err != nil {
		return nil, err
	}
	opt, err := app.CanaryOptions(c, k, key, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	x, err := canary.Open(r.ctx, opt)
	if err != nil {
		return nil, err
	}
	defer x.Close()
	out := &canaryReport{Rounds: []canary.Round{}}
	for range rounds {
		round := x.Round(r.ctx)
		if err := r.ctx.Err(); err != nil {
			return nil, err
		}
		out.Rounds = append(out.Rounds, round)
		if round.Lost != "" {
			out.Lost++
		}
	}
	return out, nil
}

// printCanary prints the hops of one round, or percentiles over several.
func printCanary(w io.Writer, r *canaryReport) error {
	if len(r.Rounds) > 1 {
		return printCanaryRounds(w, r)
	}
	err := report.Table(w, "HOP | AFTER | WHAT", func(row func(...any)) {
		for _, h := range r.Rounds[0].Hops {
			after, what := "MISSING", h.Why
			if h.Ms != nil {
				after, what = milliseconds(*h.Ms), hopMeaning[h.Hop]
			}
			row(h.Hop, after, report.Prose(what))
		}
	})
	if err == nil && r.Lost == 0 {
		err = report.Printf(w, "round %s has come back\n", r.Rounds[0].Round)
	}
	return err
}

// hopMeaning describes the hops.
var hopMeaning = map[string]string{
	canary.HopAsked:   "the check allowed the first request",
	canary.HopLogged:  "Kafka acknowledged the log lines",
	canary.HopTripped: "the trip was in flyball.commands",
	canary.HopDenied:  "the check answered 403",
	canary.HopPaged:   "the page was delivered to this command's webhook",
}

func printCanaryRounds(w io.Writer, r *canaryReport) error {
	err := report.Table(w, "HOP | REACHED | P50 | P99 | MAX", func(row func(...any)) {
		for _, name := range canary.Hops {
			var all []float64
			for _, round := range r.Rounds {
				for _, h := range round.Hops {
					if h.Hop == name && h.Ms != nil {
						all = append(all, *h.Ms)
					}
				}
			}
			reached := fmt.Sprintf("%d of %d", len(all), len(r.Rounds))
			if len(all) == 0 {
				row(name, reached, "-", "-", "-")
				continue
			}
			slices.Sort(all)
			row(name, reached, milliseconds(percentile(all, .5)), milliseconds(percentile(all, .99)), milliseconds(all[len(all)-1]))
		}
	})
	if err != nil {
		return err
	}
	return report.Printf(w, "%d of %s have come back\n", len(r.Rounds)-r.Lost, wording.Count(len(r.Rounds), "round"))
}

// percentile returns the smallest value that a share of a sorted list does not exceed.
func percentile(sorted []float64, share float64) float64 {
	return sorted[min(int(share*float64(len(sorted))), len(sorted)-1)]
}

func milliseconds(ms float64) string {
	return time.Duration(ms * float64(time.Millisecond)).Round(100 * time.Microsecond).String()
}
