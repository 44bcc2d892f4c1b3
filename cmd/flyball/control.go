package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/answer"
	"flyball/cmd/internal/app"
	"flyball/detect/control"
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
			var lines []control.BreakerLine
			if err := json.Unmarshal(raw, &lines); err != nil {
				return err
			}
			if format == "json" {
				return answer.JSON(cmd.OutOrStdout(), lines)
			}
			w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
			fmt.Fprintln(w, "SCOPE\tSTATE\tMODE\tORIGIN\tGENERATION\tSINCE\tEXPIRES\tREASON")
			for _, l := range lines {
				fmt.Fprintf(w, "%s %s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", l.Scope.Kind, l.Scope.Value, l.State, l.Mode, l.Origin, l.Generation, l.Since, l.Expires, l.Reason)
			}
			return w.Flush()
		}}
	}
	var a control.Ask
	change := func(use, short, path string) *cobra.Command {
		c := &cobra.Command{Use: use + " KIND VALUE", Short: short, Args: cobra.ExactArgs(2), RunE: func(cmd *cobra.Command, args []string) error {
			a.Scope = &schema.Scope{Value: args[1]}
			if err := a.Scope.Kind.UnmarshalText([]byte(args[0])); err != nil {
				return usage(fmt.Errorf("scope: %w", err))
			}
			if a.Reason == "" {
				return usage(errors.New("--reason: empty; say why, it goes into the history"))
			}
			a.By = whoami()
			if _, err := o.ask(http.MethodPost, path, a); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s %s %s: done\n", use, args[0], args[1])
			return nil
		}}
		c.Flags().StringVar(&a.Reason, "reason", "", "why; it goes into the history")
		return c
	}
	trip := change("trip", "Open a breaker by hand: run, agent, credential, principal, address, route or tenant; only a reset or its time closes it", "/v1/breakers/trip")
	trip.Flags().StringVar(&a.TTL, "for", "", "close by itself after this long (default: never)")
	reset := change("reset", "Close a breaker", "/v1/breakers/reset")
	reset.Flags().Uint64Var(&a.IfMatch, "if-match", 0, "only this generation")
	cmd.AddCommand(list("list", "Breakers that are not closed", "/v1/breakers"), list("history", "What breakers did, newest first", "/v1/breakers/history"), trip, reset,
		gatesCommand(o), answerCommand(o, "grant", "Say yes to a call that waits: once, for 15 minutes, to what was asked", "granted", true), answerCommand(o, "refuse", "Say no to a call that waits", "refused", false), receiptsCommand(o))
	return cmd
}

func bypassCommand(o *options) *cobra.Command {
	var a control.Ask
	cmd := &cobra.Command{Use: "bypass", Short: "Put the tenant to observe at every point, for a time: nothing is denied", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		a.By = whoami()
		if a.For == "" || a.Reason == "" {
			return usage(errors.New("--for and --reason are both needed: a bypass ends by itself and says why"))
		}
		if _, err := o.ask(http.MethodPost, "/v1/bypass", a); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "bypassed for %s\n", a.For)
		return nil
	}}
	cmd.Flags().StringVar(&a.For, "for", "", "how long, as in 30m")
	cmd.Flags().StringVar(&a.Reason, "reason", "", "why")
	return cmd
}

func findingsCommand(o *options) *cobra.Command {
	var limit int
	cmd := &cobra.Command{Use: "findings [list]", Short: "List findings, latest first", Args: cobra.MaximumNArgs(1), ValidArgs: []string{"list"}, RunE: func(cmd *cobra.Command, _ []string) error {
		format, err := o.outputIs("table", "json")
		if err != nil {
			return err
		}
		_, db, err := o.database()
		if err != nil {
			return err
		}
		defer db.Close()
		out, err := query.Findings(cmd.Context(), db, limit)
		if err != nil {
			return err
		}
		if format == "json" {
			return answer.JSON(cmd.OutOrStdout(), out)
		}
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "UPDATED\tLEVEL\tSTATE\tFAMILY\tRUN\tRATE\tWHAT")
		for _, f := range out {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%.2g\t%s\n", f.UpdatedAt.UTC().Format(time.DateTime), f.Level, f.State, strings.TrimPrefix(f.Family, "runaway."), f.RunID, f.ExpectedRate, f.Summary)
		}
		return w.Flush()
	}}
	cmd.Flags().IntVar(&limit, "limit", 100, "at most this many")
	return cmd
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
			if err := c.Validate("learn"); err != nil {
				return usage(err)
			}
			return app.Run(cmd.Context(), c, []string{"learn"}, log, nil)
		}
		if err := c.Validate(); err != nil {
			return usage(err)
		}
		kafka, err := app.KafkaOpts(c)
		if err != nil {
			return err
		}
		db, err := app.Database(c)
		if err != nil {
			return err
		}
		defer db.Close()
		body, err := app.Learner(c, kafka, db, log).Once(cmd.Context())
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "baseline %s: %d runs, %d calls, %d agents; 1 %% of clean runs score above %.2f\n", body.Version, body.Runs, body.Calls, len(body.Agents), body.Calibration.T1)
		return nil
	}}
	cmd.Flags().BoolVar(&once, "once", false, "make and activate one baseline, beside a process that is running")
	return cmd
}
