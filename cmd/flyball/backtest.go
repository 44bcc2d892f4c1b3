package main

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/config"
	"flyball/cmd/internal/report"
	"flyball/detect/backtest"
	"flyball/detect/baselinestore"
	"flyball/detect/learn"
)

func backtestCommand(o *options) *cobra.Command {
	var since, until, candidate string
	cmd := &cobra.Command{Use: "backtest", Short: "What the present configuration and a candidate would have tripped in stored history, what it would have prevented, and whose work it would have held", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
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
		if !from.Before(to) {
			return usage(fmt.Errorf("--since %s is not before --until %s", from.UTC().Format(time.RFC3339), to.UTC().Format(time.RFC3339)))
		}
		c, db, err := o.database()
		if err != nil {
			return err
		}
		defer db.Close()
		if err := c.ValidateDetect(); err != nil {
			return usage(err)
		}
		opt := backtest.Options{Window: learn.Window{Tenant: c.Tenant, Since: from, Until: to, PerAgent: 1 << 30, CallsPerRun: 1 << 20},
			Present: decidedBy(c.File, c), ThrottlePerSecond: c.Control.ThrottlePerSecond}
		var notes []string
		if candidate != "" {
			next, said, err := candidateOf(candidate, c)
			if err != nil {
				return usage(err)
			}
			other := decidedBy(candidate, next)
			opt.Candidate, notes = &other, said
		}
		kafka, err := app.KafkaOpts(c)
		if err != nil {
			return err
		}
		body, err := baselinestore.LatestBaseline(cmd.Context(), kafka, func(string) bool { return true })
		if errors.Is(err, baselinestore.ErrNotPublished) {
			return fmt.Errorf("%w: run flyball learn --once first", err)
		} else if err != nil {
			return err
		}
		progress := progressTo()
		opt.Progress = func(doing string, calls int) { fmt.Fprintf(progress, "\r\033[K%s: %d calls", doing, calls) }
		r, err := backtest.Run(cmd.Context(), db, body, opt)
		fmt.Fprint(progress, "\r\033[K")
		if err != nil {
			return err
		}
		r.Notes = append(r.Notes, notes...)
		if format == "json" {
			return report.JSON(cmd.OutOrStdout(), r)
		}
		return report.Backtest(cmd.OutOrStdout(), &r, body.Runs)
	}}
	cmd.Flags().StringVar(&since, "since", "24h", "from then on (15m: that long ago; or RFC 3339)")
	cmd.Flags().StringVar(&until, "until", "", "up to then; empty is now")
	cmd.Flags().StringVar(&candidate, "candidate", "", "a configuration file to compare with the present one; only its detect and agents count")
	return cmd
}

// decidedBy is what a configuration says of decisions.
func decidedBy(name string, c config.Config) backtest.Configuration {
	if name == "" {
		name = "(defaults)"
	}
	return backtest.Configuration{Name: name, Rules: app.PolicyRules(c), TripShare: c.Detect.FalseTripsPer1000 / 1000, AgentInfo: app.AgentLookup(c)}
}

// candidateOf is the present configuration with another detect section and registry,
// and what of them a backtest cannot show.
func candidateOf(file string, present config.Config) (config.Config, []string, error) {
	next := present
	read, err := config.Load(file, os.Environ())
	if err != nil {
		return next, nil, fmt.Errorf("--candidate: %w", err)
	}
	var notes []string
	next.Detect = read.Detect
	if read.Agents != nil {
		next.Agents = read.Agents
	} else {
		notes = append(notes, "the candidate names no agents: the present registry holds for both")
	}
	if reflect.DeepEqual(read.Detect, config.Default().Detect) {
		notes = append(notes, "the candidate sets nothing under detect: its side is what the defaults do")
	}
	if err := next.ValidateDetect(); err != nil {
		return next, nil, fmt.Errorf("--candidate %s: %w", file, err)
	}
	if stitching(present.Detect) != stitching(next.Detect) {
		notes = append(notes, "the candidate binds calls to runs in another way (gaps, lateness or limits under detect): stored runs are as they were bound, so that this is not compared")
	}
	if !reflect.DeepEqual(identities(present.Agents), identities(next.Agents)) {
		notes = append(notes, "the candidate's registry gives credentials other names: stored calls keep the names that they were given, so that only its tags and criticality are compared")
	}
	return next, notes, nil
}

// stitching is what of a detect section binds calls to runs.
func stitching(d config.Detect) [7]any {
	return [...]any{d.SessionGap, d.ConversationGap, d.RunGap, d.Lateness, d.MaxOpenRunsPerActor, d.MaxOpenRuns, d.MaxActors}
}

// identities are which credentials belong to whom.
func identities(list []config.Agent) map[[3]string]string {
	out := map[[3]string]string{}
	for _, a := range list {
		out[[3]string{a.Credential, a.SPIFFE, a.Consumer}] = a.ID
	}
	return out
}
