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
		Short: "What is called, what it does and who says so; what looks unsafe and is undeclared comes first"}
	w.flags(cmd, "720h")
	cmd.Flags().IntVar(&limit, "limit", limit, limitHelp)
	return cmd
}
