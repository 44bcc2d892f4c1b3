package main

import (
	"context"
	"io"
	"time"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/config"
	"flyball/cmd/internal/report"
	"flyball/schema/clickhouse/query"
)

func coverageCommand(o *options) *cobra.Command {
	var w window
	cmd := &cobra.Command{Use: "coverage", Short: "Of the logged calls, which were asked of the check, by agent and gateway", Args: cobra.NoArgs,
		Long: `Of the logged calls, which were asked of the check, by agent and gateway.

A logged call was asked if its row, or another observer's row of it, carries the
check's decision, or if the check noted the same request id, method and path; where
the log has no request ids, the same run, method and path. Calls of which neither
can be said are counted as "cannot be told", and what their gateway would have to
log is printed.

Exit status: 0 the answer is whole, whether calls were never asked or not, and also
when no call was logged in that time (it says so); 3 of some calls it cannot be told.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var whole *query.Coverage
			err := ask(o, cmd, w, func(ctx context.Context, _ config.Config, db database, since, until time.Time) (*query.Coverage, error) {
				c, err := query.ReadCoverage(ctx, db, since, until)
				whole = c
				return c, err
			}, func(w io.Writer, c *query.Coverage) error { return report.Coverage(w, c) })
			if err == nil && len(whole.Caveats) > 0 {
				return errIncomplete
			}
			return err
		}}
	w.flags(cmd, "24h")
	return cmd
}
