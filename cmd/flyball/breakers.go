package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/app"
	"flyball/cmd/internal/config"
	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
	"flyball/detect/playbook"
	"flyball/schema"
	"flyball/schema/clickhouse/query"
)

func breakersCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "breakers", Short: "List, trip and reset circuit breakers"}
	list := func(use, short, path string) *cobra.Command {
		return &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
			format, err := o.outputIs("table", "json")
			if err != nil {
				return err
			}
			raw, err := o.ask(http.MethodGet, path, nil)
			if err != nil {
				return err
			}
			var lines []api.BreakerLine
			if err := json.Unmarshal(raw, &lines); err != nil {
				return err
			}
			if format == "json" {
				return report.JSON(cmd.OutOrStdout(), lines)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "SCOPE\tSTATE\tMODE\tORIGIN\tGENERATION\tSINCE\tEXPIRES\tREASON")
			for _, l := range lines {
				fmt.Fprintf(w, "%s %s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", l.Scope.Kind, l.Scope.Value, l.State, l.Mode, l.Origin, l.Generation, l.Since, l.Expires, l.Reason)
			}
			return w.Flush()
		}}
	}
	cmd.AddCommand(list("list", "Breakers that are not closed", "/v1/breakers"), list("history", "What breakers did, newest first", "/v1/breakers/history"), tripCommand(o), resetCommand(o),
		gatesCommand(o), grantCommand(o), refuseCommand(o), receiptsCommand(o))
	return cmd
}

// seconds of a flag's duration; 0 of an empty one.
func seconds(flag, text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Second {
		return 0, usage(fmt.Errorf("%s: %q is no duration of at least 1s, as in 15m", flag, text))
	}
	return int64(d / time.Second), nil
}

func findingsCommand(o *options) *cobra.Command {
	var limit int
	cmd := &cobra.Command{Use: "findings [list]", Short: "List findings, latest first", Args: cobra.MaximumNArgs(1), ValidArgs: []string{"list"}, RunE: o.asks(func(cmd *cobra.Command, _ []string, format string, _ config.Config, db database) error {
		out, err := query.Findings(cmd.Context(), db, limit)
		if err != nil {
			return err
		}
		if format == "json" {
			return report.JSON(cmd.OutOrStdout(), out)
		}
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "UPDATED\tLEVEL\tSTATE\tFAMILY\tRUN\tRATE\tWHAT")
		for _, f := range out {
			what := f.Summary
			if f.Exception != "" {
				what = "(exception " + f.Exception + ") " + what
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%.2g\t%s\n", f.UpdatedAt.UTC().Format(time.DateTime), f.Level, f.State, strings.TrimPrefix(f.Family, "runaway."), f.RunID, f.ExpectedRate, what)
		}
		return w.Flush()
	})}
	cmd.Flags().IntVar(&limit, "limit", 100, "at most this many")
	cmd.AddCommand(findingCommand(o), verdictCommand(o), ratesCommand(o), exceptionsCommand(o))
	return cmd
}

// findingReport is a finding with the card of its family.
type findingReport struct {
	query.Finding
	Card *playbook.Entry `json:"card,omitempty"`
}

func findingCommand(o *options) *cobra.Command {
	return &cobra.Command{Use: "show ID", Short: "One finding: what speaks for it, what it may be instead, what to check, how to contain and close it", Args: cobra.ExactArgs(1), RunE: o.asks(func(cmd *cobra.Command, args []string, format string, _ config.Config, db database) error {
		f, err := query.FindingByID(cmd.Context(), db, args[0])
		if err != nil {
			return err
		}
		r := findingReport{Finding: f}
		if c, ok := playbook.Find(f.Family); ok {
			r.Card = &c
		}
		if format == "json" {
			return report.JSON(cmd.OutOrStdout(), r)
		}
		return report.Finding(cmd.OutOrStdout(), &f, r.Card)
	})}
}

func learnCommand(o *options) *cobra.Command {
	var once bool
	cmd := &cobra.Command{Use: "learn", Short: "Run the role that makes baselines of closed clean runs", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		c, err := o.load()
		if err != nil {
			return err
		}
		log, err := o.logger()
		if err != nil {
			return err
		}
		if !once {
			if err := app.Validate(c, "learn"); err != nil {
				return usage(err)
			}
			return app.Run(cmd.Context(), c, []string{"learn"}, log, nil)
		}
		if err := app.Validate(c); err != nil {
			return usage(err)
		}
		kafka, err := app.KafkaOpts(c)
		if err != nil {
			return err
		}
		db, err := app.OpenDatabase(c)
		if err != nil {
			return err
		}
		defer db.Close()
		body, err := app.NewLearner(c, kafka, db, log).LearnOnce(cmd.Context())
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "baseline %s: %d runs, %d calls, %d agents; 1 %% of clean runs score above %.2f\n", body.Version, body.Runs, body.Calls, len(body.AgentNames()), body.Calibration.T1)
		return nil
	}}
	cmd.Flags().BoolVar(&once, "once", false, "make and activate one baseline, beside a process that is running")
	return cmd
}

func verdictCommand(o *options) *cobra.Command {
	var why string
	return withWhy(&cobra.Command{Use: "verdict ID true|benign|test", Short: "Say what a finding was: a benign run teaches again, a true one never does", Args: cobra.ExactArgs(2), RunE: func(cmd *cobra.Command, args []string) error {
		say := api.LabelFindingRequest{Why: why, By: whoami()}
		if err := say.Is.UnmarshalText([]byte(args[1])); err != nil || say.Is == schema.VerdictUnknown {
			return usage(fmt.Errorf("%q is none of %s", args[1], strings.Join(schema.VerdictWords[1:], ", ")))
		}
		if why == "" {
			return usage(errors.New("--why: empty; who reads it later was not there"))
		}
		if _, err := o.ask(http.MethodPost, "/v1/findings/"+url.PathEscape(args[0])+"/verdict", say); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s: %s\n", args[0], say.Is)
		return nil
	}}, &why)
}

func withWhy(cmd *cobra.Command, why *string) *cobra.Command {
	cmd.Flags().StringVar(why, "why", "", "why; it goes into the history")
	return cmd
}

func ratesCommand(o *options) *cobra.Command {
	var w window
	cmd := &cobra.Command{Use: "rates", Short: "What the budget of false trips came to, by the verdicts of people", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		return ask(o, cmd, w, func(ctx context.Context, _ config.Config, db database, since, until time.Time) ([]query.Judged, error) {
			alarms, err := query.AchievedRates(ctx, db, since, until)
			if err != nil {
				return nil, err
			}
			holds, err := query.HoldRates(ctx, db, since, until)
			return append(alarms, holds...), err
		}, func(out io.Writer, list []query.Judged) error {
			return report.Table(out, "LEVEL | RULE | RUNS THAT CAME TO IT | TRUE | BENIGN | TEST | UNJUDGED | OF RUNS | FALSE IN 1,000 | IF THE UNJUDGED ARE | HELD IN 1,000", func(row func(...any)) {
				for _, j := range list {
					held := ""
					if j.Rule != "" {
						held = fmt.Sprintf("%.2f", j.HeldPer1000)
					}
					row(j.Level, j.Rule, j.Findings, j.True, j.Benign, j.Test, j.Unjudged, j.Runs, fmt.Sprintf("%.2f", j.FalsePer1000), fmt.Sprintf("%.2f", j.High), held)
				}
			})
		})
	}}
	w.flags(cmd, "720h")
	return cmd
}
