package main

import (
	"context"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/schema/clickhouse/query"
)

func coverageCommand(o *options) *cobra.Command {
	var w window
	a := answer[*query.Coverage]{window: &w, table: report.Coverage, rows: func(c *query.Coverage) any { return c.Rows },
		newest: newestCall, isEmpty: func(c *query.Coverage) bool { return len(c.Rows) == 0 },
		query: fromDatabase(func(ctx context.Context, db database, r *request) (*query.Coverage, error) {
			return query.ReadCoverage(ctx, db, r.since, r.until)
		}), exit: func(c *query.Coverage) error {
			if len(c.Caveats) > 0 {
				return errIncomplete
			}
			return nil
		}}
	cmd := &cobra.Command{Use: "coverage", Args: cobra.NoArgs, RunE: a.run(o),
		Short: "Show how many logged calls went through the check, by agent and gateway",
		Long: `Show how many logged calls went through the check, by agent and gateway.

A logged call went through the check if its row, or another observer's row of it,
has the check's decision, or if the check recorded the same request id, method and
path; where the log has no request ids, the same run, method and path. A call for
which this is unknown is counted as "cannot be told", and the command prints what
its gateway would have to log.

Exit status: 0 if the result is known for every call, also when some calls never
went through the check and when no call was logged in that period (a message says
so); 3 if it is unknown for some calls.`}
	w.listFlags(cmd, "Calls")
	return cmd
}
