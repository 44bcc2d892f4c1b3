package main

import (
	"context"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/schema/clickhouse/query"
)

func coverageCommand(o *options) *cobra.Command {
	var w window
	a := answer[*query.Coverage]{window: &w, table: report.Coverage,
		query: fromDatabase(func(ctx context.Context, db database, r *request) (*query.Coverage, error) {
			return query.ReadCoverage(ctx, db, r.since, r.until)
		}), exit: func(c *query.Coverage) error {
			if len(c.Caveats) > 0 {
				return errIncomplete
			}
			return nil
		}}
	cmd := &cobra.Command{Use: "coverage", Args: cobra.NoArgs, RunE: a.run(o),
		Short: "Of the logged calls, which were asked of the check, by agent and gateway",
		Long: `Of the logged calls, which were asked of the check, by agent and gateway.

A logged call was asked if its row, or another observer's row of it, carries the
check's decision, or if the check noted the same request id, method and path; where
the log has no request ids, the same run, method and path. Calls of which neither
can be said are counted as "cannot be told", and what their gateway would have to
log is printed.

Exit status: 0 the answer is whole, whether calls were never asked or not, and also
when no call was logged in that time (it says so); 3 of some calls it cannot be told.`}
	w.flags(cmd, "24h")
	return cmd
}
