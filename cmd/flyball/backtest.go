package main

import (
	"errors"
	"fmt"
	"io"
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
	var w window
	var candidate string
	cmd := &cobra.Command{Use: "backtest", Args: cobra.NoArgs,
		Short: "Compare on stored calls what the present configuration and a candidate would trip, what that would prevent, " +
			"and which benign runs it would hold"}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		p, err := o.printer(cmd, formTable, formJSON, formWide)
		if err != nil {
			return err
		}
		r := newRequest(cmd, o, args)
		defer r.close()
		if r.since, r.until, err = w.times(r.now.In(r.zone)); err != nil {
			return err
		}
		if r.until.IsZero() {
			r.until = r.now
		}
		if !r.since.Before(r.until) {
			return usage(fmt.Errorf("--since %s is not before --until %s", r.since.UTC().Format(time.RFC3339), r.until.UTC().Format(time.RFC3339)))
		}
		result, learnedOf, err := runBacktest(r, candidate)
		if err != nil {
			return err
		}
		return p.print(result, func(w io.Writer) error { return report.Backtest(w, &result, learnedOf) })
	}
	w.flags(cmd, "24h")
	cmd.Flags().
		StringVar(&candidate, "candidate", "", "a configuration file to compare with the present one; only its detect and agents count")
	return cmd
}

// runBacktest scores the window with the newest baseline. It also returns from how many
// runs that baseline was learned.
func runBacktest(r *request, candidate string) (result backtest.Report, learnedOf uint64, err error) {
	c, err := r.fileConfig()
	if err != nil {
		return result, 0, err
	}
	db, err := r.database()
	if err != nil {
		return result, 0, err
	}
	if err := c.ValidateDetect(); err != nil {
		return result, 0, usage(err)
	}
	opt := backtest.Options{Window: learn.Window{Tenant: c.Tenant, Since: r.since, Until: r.until, CallsPerRun: 1 << 20},
		Present: decisionsBy(c.File, c), ThrottlePerSecond: c.Control.ThrottlePerSecond}
	var notes []string
	if candidate != "" {
		next, said, err := candidateConfig(candidate, c)
		if err != nil {
			return result, 0, usage(err)
		}
		other := decisionsBy(candidate, next)
		opt.Candidate, notes = &other, said
	}
	kafka, err := app.ConnectKafka(r.ctx, c)
	if err != nil {
		return result, 0, err
	}
	body, err := baselinestore.LatestBaseline(r.ctx, kafka, func(string) bool { return true })
	if errors.Is(err, baselinestore.ErrNotPublished) {
		return result, 0, fmt.Errorf("%w: flyball baselines show says what the first one waits for", err)
	} else if err != nil {
		return result, 0, err
	}
	progress := progressWriter()
	opt.Progress = func(doing string, calls int) { fmt.Fprintf(progress, "\r\033[K%s: %d calls", doing, calls) }
	result, err = backtest.Run(r.ctx, db, body, opt)
	fmt.Fprint(progress, "\r\033[K")
	result.Notes = append(result.Notes, notes...)
	return result, body.Runs, err
}

// decisionsBy returns the settings of a configuration that decisions depend on.
func decisionsBy(name string, c config.Config) backtest.Configuration {
	if name == "" {
		name = "(defaults)"
	}
	return backtest.Configuration{
		Name:      name,
		Rules:     app.PolicyRules(c),
		TripShare: c.Detect.FalseTripsPer1000 / 1000,
		AgentInfo: app.AgentLookup(c),
	}
}

// candidateConfig returns the present configuration with the candidate's detect section
// and registry, and notes on the differences that a backtest cannot show.
func candidateConfig(file string, present config.Config) (config.Config, []string, error) {
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
	if stitchingSettings(present.Detect) != stitchingSettings(next.Detect) {
		notes = append(notes, "the candidate binds calls to runs in another way (gaps, lateness or limits under detect): "+
			"stored runs are as they were bound, so that this is not compared")
	}
	if !reflect.DeepEqual(identityKeys(present.Agents), identityKeys(next.Agents)) {
		notes = append(notes, "the candidate's registry gives credentials other names: stored calls keep the names that they were given, "+
			"so that only its tags and criticality are compared")
	}
	return next, notes, nil
}

// stitchingSettings returns the settings of a detect section for binding calls to runs.
func stitchingSettings(d config.Detect) [7]any {
	return [...]any{d.SessionGap, d.ConversationGap, d.RunGap, d.Lateness, d.MaxOpenRunsPerActor, d.MaxOpenRuns, d.MaxActors}
}

// identityKeys maps credentials to agents.
func identityKeys(list []config.Agent) map[[3]string]string {
	out := map[[3]string]string{}
	for _, a := range list {
		out[[3]string{a.Credential, a.SPIFFE, a.Consumer}] = a.ID
	}
	return out
}
