package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
	"flyball/schema"
	"flyball/schema/clickhouse/query"
	"flyball/schema/wording"
)

// holdWait is how long `hold` waits until the store has copied the rows, by default.
const holdWait = 30 * time.Second

// holdReport is what `hold` and `hold release` print with -o json.
type holdReport struct {
	api.ChangeResult
	RunID      string         `json:"run_id"`
	Deployment string         `json:"deployment"`
	Hold       *query.HeldRun `json:"hold,omitempty"` // what is copied; absent: released
	Copied     bool           `json:"copied"`         // everything that was stored is copied; of a release: nothing is held any more
	Linked     []string       `json:"linked_runs_not_held,omitempty"`
	Undo       string         `json:"undo,omitempty"`
}

func holdCommand(o *options) *cobra.Command {
	var why string
	wait := holdWait
	cmd := &cobra.Command{Use: "hold RUN", Args: cobra.ExactArgs(1),
		Short: "Keep the rows of a run beyond their retention, until the hold is released",
		Long: `Keep the rows of a run beyond their retention, until the hold is released.

The store copies the calls, touches, scores, findings and decisions of the run into
tables that no retention reaches. It looks again a minute later, and as long as
new rows come; then ever more rarely, at least every hour: rows that come late are
held, too. Other runs in the traces of the run are not held: they are listed.
run, touched and evidence read the copies when the rows themselves have expired.

Exit status: 3 if the store has not copied everything before --wait is over. The
hold is in force all the same.`}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkReason(why); err != nil {
			return err
		}
		return changeHold(cmd, o, args[0], wait, func(ctx context.Context, c *controlClient, run schema.RunID) (api.ChangeResult, error) {
			return post[api.ChangeResult](ctx, c, "/v1/holds", api.HoldRequest{Run: run, Reason: why, By: currentUser()})
		}, false)
	}
	reasonFlag(cmd, &why)
	cmd.Flags().Var((*durationValue)(&wait), "wait", "wait at most this long until the rows are copied")
	cmd.AddCommand(heldRunsCommand(o), releaseHoldCommand(o))
	return cmd
}

func releaseHoldCommand(o *options) *cobra.Command {
	var why string
	wait := holdWait
	cmd := &cobra.Command{Use: "release RUN", Args: cobra.ExactArgs(1),
		Short: "Release the hold on a run: the copies of its rows are deleted"}
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := checkReason(why); err != nil {
			return err
		}
		return changeHold(cmd, o, args[0], wait, func(ctx context.Context, c *controlClient, run schema.RunID) (api.ChangeResult, error) {
			return post[api.ChangeResult](ctx, c, "/v1/holds/"+url.PathEscape(run.String())+"/release",
				api.ReleaseHoldRequest{Reason: why, By: currentUser()})
		}, true)
	}
	reasonFlag(cmd, &why)
	cmd.Flags().Var((*durationValue)(&wait), "wait", "wait at most this long until the copies are deleted")
	return cmd
}

func heldRunsCommand(o *options) *cobra.Command {
	l := listing[query.HeldRun]{columns: heldColumns, empty: "No run is held: flyball hold RUN --reason '…' holds one.",
		query: fromDatabase(func(ctx context.Context, db database, _ *request) ([]query.HeldRun, error) {
			return query.HeldRuns(ctx, db)
		}), below: func(w io.Writer, held []query.HeldRun) error {
			left := 0
			for i := range held {
				if held[i].NotRead {
					left++
				}
			}
			if left == 0 {
				return nil
			}
			return report.Printf(w, "reports read the copies of %d runs with expired rows, the latest holds: those of %d older ones only in a "+
				"report on the run by its id\n", query.MaxHeldRuns, left)
		}}
	return &cobra.Command{Use: "list", Args: cobra.NoArgs, RunE: l.run(o), Short: "List the runs that are held, the latest hold first"}
}

var heldColumns = []report.Column[query.HeldRun]{
	{Head: "RUN", Cell: func(h *query.HeldRun) any { return report.ID(h.RunID) }},
	{Head: "HELD (UTC)", Cell: func(h *query.HeldRun) any { return report.When(h.HeldAt.Time) }},
	{Head: "BY", Cell: func(h *query.HeldRun) any { return report.Dash(h.By) }},
	{Head: "AGENT", Cell: func(h *query.HeldRun) any { return report.Dash(h.AgentID) }},
	{Head: "ROWS?", Cell: func(h *query.HeldRun) any { return h.Held }},
	{Head: "NOT EXPIRED??", Cell: func(h *query.HeldRun) any { return h.Live }},
	{Head: "WHY", Cell: func(h *query.HeldRun) any { return h.Why }},
}

// changeHold holds a run or releases it, waits until the store has done what follows, and prints it.
func changeHold(cmd *cobra.Command, o *options, term string, wait time.Duration,
	change func(context.Context, *controlClient, schema.RunID) (api.ChangeResult, error), release bool) error {
	p, err := o.printer(cmd, formTable, formJSON)
	if err != nil {
		return err
	}
	r := newRequest(cmd, o, nil)
	defer r.close()
	run, err := runToHold(r, term)
	if err != nil {
		return err
	}
	id, err := schema.ParseRunID(run.RunID)
	if err != nil {
		return err
	}
	c, err := o.control()
	if err != nil {
		return err
	}
	if !release && run.Tenant != "" {
		if err := c.checkTenant(cmd.Context(), run.Tenant); err != nil {
			return err
		}
	}
	done, err := change(cmd.Context(), c, id)
	if err != nil {
		return err
	}
	h := &holdReport{ChangeResult: done, RunID: run.RunID, Deployment: c.deployment(done.Tenant)}
	if h.Hold, h.Copied, err = awaitHold(r, run, done.Generation, wait, release); err != nil {
		return err
	}
	if !release {
		h.Undo = o.programName() + " hold release " + shellWord(run.RunID) + " --reason '…'"
		if h.Linked, err = query.RunsOfItsTraces(r.ctx, r.db, &run); err != nil {
			r.unknown("linked runs", err)
		}
	}
	if err := p.print(h, h.print); err != nil {
		return err
	}
	if !h.Copied {
		return errIncomplete
	}
	return nil
}

// runToHold finds the run, also one whose rows have expired.
func runToHold(r *request, term string) (query.Run, error) {
	if api.LooksLikeSecret(term) {
		return query.Run{}, usage(errors.New(masked(term) + ": " + secretAdvice))
	}
	db, err := r.database()
	if err != nil {
		return query.Run{}, err
	}
	held, err := query.WithHolds(r.ctx, db, term)
	if err != nil {
		return query.Run{}, err
	}
	run, err := resolveStored(r, held, term)
	if id, other := schema.ParseRunID(term); errors.Is(err, query.ErrNotFound) && other == nil {
		if h, other := heldRun(r, id.String()); other == nil && h != nil { // nothing of it was stored when it was held
			return query.Run{RunID: id.String(), Tenant: h.Tenant}, nil
		}
	}
	if errors.Is(err, query.ErrNotFound) {
		return run, fmt.Errorf("no run has the id or key %q: flyball runs lists them, flyball hold list those that are held", report.Text(term))
	}
	return run, err
}

func heldRun(r *request, id string) (*query.HeldRun, error) {
	list, err := query.HeldRuns(r.ctx, r.db)
	for i := range list {
		if list[i].RunID == id {
			return &list[i], nil
		}
	}
	return nil, err
}

// awaitHold waits until the store has stored a hold or a release, and copied or deleted the rows.
func awaitHold(r *request, run query.Run, generation uint64, wait time.Duration, release bool) (*query.HeldRun, bool, error) {
	end := time.Now().Add(wait)
	for {
		h, err := heldRun(r, run.RunID)
		if err != nil {
			return nil, false, err
		}
		switch {
		case release && h == nil:
			n, err := query.CountHeldCalls(r.ctx, r.db, run.RunID)
			if err != nil || n == 0 {
				return nil, err == nil, err
			}
		case !release && h != nil && h.Generation >= generation && h.Held >= h.Live && h.Held > 0:
			stored, err := query.CountCallRows(r.ctx, r.db, &run)
			if err != nil || h.Held >= stored {
				return h, err == nil, err
			}
		}
		if time.Now().After(end) {
			return h, false, nil
		}
		select {
		case <-r.ctx.Done():
			return h, false, r.ctx.Err()
		case <-time.After(300 * time.Millisecond):
		}
	}
}

func (h *holdReport) print(w io.Writer) error {
	if h.Undo == "" {
		report.Printf(w, "run %s is released, in %s\n", h.RunID, h.Deployment)
		if !h.Copied {
			return report.Printf(w, "its copies are not deleted yet: the store has not stored the release, or ClickHouse is still at it\n")
		}
		return report.Printf(w, "its copies are deleted; what has expired is gone\n")
	}
	report.Printf(w, "run %s is held, in %s\n", h.RunID, h.Deployment)
	if h.Hold != nil && h.Hold.Held > 0 {
		report.Printf(w, "%d rows of calls are copied, of %s to %s UTC\n", h.Hold.Held, h.Hold.FirstAt.UTC().Format(time.DateTime),
			h.Hold.LastAt.UTC().Format(time.DateTime))
	}
	if !h.Copied {
		report.Printf(w, "NOT COPIED YET: the store copies when it runs (flyball status); flyball hold list shows it\n")
	}
	if len(h.Linked) > 0 {
		report.Printf(w, "not held: %s in its traces, which may have acted on its behalf: flyball hold ID holds one\n",
			wording.Count(len(h.Linked), "other run"))
		for i, id := range h.Linked {
			if i == maxNear {
				report.Printf(w, "  … and more (-o json)\n")
				break
			}
			report.Printf(w, "  %s\n", id)
		}
	}
	return report.Printf(w, "holds until it is released: %s\n", h.Undo)
}

// checkTenant returns an error if the control API that answers changes another tenant: nothing of the run would be met there.
func (c *controlClient) checkTenant(ctx context.Context, tenant string) error {
	if c.reached.tenant == "" {
		if _, err := get[api.CallerLine](ctx, c, "/v1/caller"); err != nil {
			return err
		}
	}
	if c.reached.tenant != "" && c.reached.tenant != tenant {
		return usage(fmt.Errorf("this is stored of tenant %s, and %s changes tenant %s: choose its deployment (--control, --profile)", tenant,
			c.target.where, c.reached.tenant))
	}
	return nil
}
