package main

import (
	"context"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/schema/clickhouse/query"
)

func routesCommand(o *options) *cobra.Command {
	var w window
	limit := 200
	a := answer[[]query.RouteRow]{window: &w, table: report.Routes,
		query: fromDatabase(func(ctx context.Context, db database, r *request) ([]query.RouteRow, error) {
			return query.Routes(ctx, db, r.since, r.until, limit)
		})}
	cmd := &cobra.Command{Use: "routes", Args: cobra.NoArgs, RunE: a.run(o),
		Short: "List the routes that are called, their effect and its source; undeclared routes that look unsafe are first"}
	w.allCallsFlags(cmd)
	cmd.Flags().IntVar(&limit, "limit", limit, limitHelp)
	return cmd
}
