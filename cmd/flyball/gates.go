package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
	"flyball/schema"
	"flyball/schema/clickhouse/query"
)

// listing prints what a path of the control API lists.
func listing[T any](o *options, use, short, path, head string, row func(*tabwriter.Writer, *T)) *cobra.Command {
	return &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		format, err := o.outputIs("table", "json")
		if err != nil {
			return err
		}
		list, err := get[[]T](o, path)
		if err != nil {
			return err
		}
		if format == "json" {
			return report.JSON(cmd.OutOrStdout(), list)
		}
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, head)
		for i := range list {
			row(w, &list[i])
		}
		return w.Flush()
	}}
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// second cuts what an operator does not need of a time.
func second(stamp string) string {
	t, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil {
		return orDash(stamp)
	}
	return t.UTC().Format(time.DateTime)
}

func gatesCommand(o *options) *cobra.Command {
	return listing(o, "gates", "Calls that wait for a person's yes, and what was answered, latest first", "/v1/grants", "GATE\tSTATE\tASKED (UTC)\tAGENT\tCALL\tRESOURCE\tAMOUNT\tWHY\tBY",
		func(w *tabwriter.Writer, g *api.GateLine) {
			amount := "-"
			if g.Amount != "" {
				amount = g.Amount + " " + g.Currency
			}
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", g.ID, g.State, second(g.Asked), orDash(g.AgentID), g.Route, orDash(g.Resource), amount, g.Why, orDash(g.By))
		})
}

func grantCommand(o *options) *cobra.Command {
	var a api.GrantRequest
	var length string
	cmd := answerCommand(o, "grant", "Say yes to a call that waits: once, for 15 minutes, to what was asked", "granted", &a.Reason, func() (any, error) {
		var err error
		a.Seconds, err = seconds("--for", length)
		a.By = whoami()
		return a, err
	})
	cmd.Flags().StringVar(&length, "for", "", "how long the yes can be used (default 15m, at most 24h)")
	cmd.Flags().IntVar(&a.Uses, "uses", 0, "how often (default once)")
	cmd.Flags().StringVar(&a.Resource, "resource", "", "to what: a name or a pattern as order:* (default what was asked about)")
	return cmd
}

func refuseCommand(o *options) *cobra.Command {
	var a api.RefuseRequest
	return answerCommand(o, "refuse", "Say no to a call that waits", "refused", &a.Reason, func() (any, error) { a.By = whoami(); return a, nil })
}

func answerCommand(o *options, use, short, done string, reason *string, body func() (any, error)) *cobra.Command {
	cmd := &cobra.Command{Use: use + " GATE", Short: short, Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		if *reason == "" {
			return usage(errors.New("--reason: empty; say why, it goes into the history"))
		}
		ask, err := body()
		if err != nil {
			return err
		}
		if _, err := o.ask(http.MethodPost, "/v1/grants/"+url.PathEscape(args[0])+"/"+use, ask); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", args[0], done)
		return nil
	}}
	cmd.Flags().StringVar(reason, "reason", "", "why; it goes into the history")
	return cmd
}

// receiptLine is a receipt with what the stored calls say of it.
type receiptLine struct {
	api.Receipt
	// Slipped are the run's calls that passed after the one that it was stopped for;
	// absent where the database does not answer.
	Slipped *schema.Exposure `json:"slipped,omitempty"`
}

func receiptsCommand(o *options) *cobra.Command {
	return &cobra.Command{Use: "receipts", Short: "What each opening did: found, commanded, applied and first denied per point, and what slipped through", Args: cobra.NoArgs, RunE: func(cmd *cobra.Command, _ []string) error {
		format, err := o.outputIs("table", "json")
		if err != nil {
			return err
		}
		list, err := get[[]receiptLine](o, "/v1/receipts")
		if err != nil {
			return err
		}
		away := o.slipped(cmd.Context(), list)
		if format == "json" {
			return report.JSON(cmd.OutOrStdout(), list)
		}
		if away != nil {
			fmt.Fprintf(cmd.ErrOrStderr(), "what slipped through is not known: %v\n", away)
		}
		w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
		fmt.Fprintln(w, "GENERATION\tSCOPE\tACTION\tCALL (UTC)\tCOMMANDED\tPOINT\tAPPLIED\tFIRST DENIED\tDENIED\tPASSED BEFORE\tSLIPPED THROUGH")
		for _, r := range list {
			points := r.Points
			if len(points) == 0 {
				points = []api.ReceiptPoint{{Point: "-"}}
			}
			slipped := "-"
			if r.Slipped != nil {
				slipped = exposure(*r.Slipped)
			}
			for _, p := range points {
				fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", r.Generation, r.Scope, r.Action, hop(r.Call), hop(r.Commanded), p.Point, hop(p.Applied), hop(p.FirstDenied), p.Denied, exposure(r.Exposure), slipped)
			}
		}
		return w.Flush()
	}}
}

func exposure(e schema.Exposure) string {
	return fmt.Sprintf("%d (%d irreversible)", e.Calls, e.Irreversible)
}

// mostReceipts are looked up in the database.
const mostReceipts = 100

func (o *options) slipped(ctx context.Context, list []receiptLine) error {
	_, db, err := o.database()
	if err != nil {
		return err
	}
	defer db.Close()
	for i := range list[:min(len(list), mostReceipts)] {
		r := &list[i]
		found, err := time.Parse(time.RFC3339Nano, r.Call)
		if err != nil || r.RunID.IsZero() {
			continue // by hand: no call led to it
		}
		e, err := query.CallsAfterTrip(ctx, db, r.RunID.String(), found)
		if err != nil {
			return err
		}
		r.Slipped = &e
	}
	return nil
}

// hop is a time to the millisecond: receipts are about less than a second.
func hop(stamp string) string {
	t, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil {
		return orDash(stamp)
	}
	return t.UTC().Format("15:04:05.000")
}

func taskCommand(o *options) *cobra.Command {
	cmd := &cobra.Command{Use: "task", Short: "Declare what a run is for, before it begins; an orchestrator's command"}
	var d api.DeclareTaskRequest
	var length string
	declare := &cobra.Command{Use: "declare AGENT RUN_KEY", Short: "Declare a task: what its run may write, until when", Args: cobra.ExactArgs(2), RunE: func(cmd *cobra.Command, args []string) error {
		d.Agent, d.RunKey, d.By = args[0], args[1], whoami()
		if length == "" {
			return usage(errors.New("--for: empty; a task ends by itself, as in 30m"))
		}
		var err error
		if d.Seconds, err = seconds("--for", length); err != nil {
			return err
		}
		raw, err := o.ask(http.MethodPost, "/v1/runs", d)
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s\n", refOf(raw))
		return nil
	}}
	declare.Flags().StringVar(&d.TaskType, "type", "", "one of task_types in the agent's manifest")
	declare.Flags().StringSliceVar(&d.Targets, "target", nil, "what it may write: order:123, order:* (repeat, or separate by commas)")
	declare.Flags().StringVar(&length, "for", "", "how long")
	declare.Flags().StringVar(&d.Reason, "reason", "", "why; it goes into the history")
	end := &cobra.Command{Use: "end TASK", Short: "End a task: its scope and its grants end with it", Args: cobra.ExactArgs(1), RunE: func(cmd *cobra.Command, args []string) error {
		if _, err := o.ask(http.MethodPost, "/v1/runs/"+url.PathEscape(args[0])+"/end", api.EndTaskRequest{By: whoami()}); err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "%s ended\n", args[0])
		return nil
	}}
	cmd.AddCommand(declare, end, listing(o, "list", "Tasks, latest first", "/v1/runs", "TASK\tAGENT\tRUN KEY\tTYPE\tTARGETS\tDECLARED (UTC)\tEXPIRES\tENDED\tBY", func(w *tabwriter.Writer, t *api.TaskLine) {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\n", t.ID, t.AgentID, t.RunKey, orDash(t.Type), len(t.Targets), second(t.At), second(t.Expires), second(t.Ended), t.By)
	}))
	return cmd
}
