package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/schema/clickhouse/query"
)

func routesCommand(o *options) *cobra.Command {
	var w window
	limit, after := 200, ""
	l := pages[query.RouteRow]{listing: listing[query.RouteRow]{window: &w, table: report.Routes, newest: newestCall}}
	l.page = func(r *request) (none query.Page[query.RouteRow], err error) {
		if limit <= 0 {
			return none, usage(fmt.Errorf("--limit: %d, want 1 or more", limit))
		}
		db, err := r.database()
		if err != nil {
			return none, err
		}
		return query.RoutesPage(r.ctx, db, query.Window{Since: r.since, Until: r.until}, limit, after)
	}
	cmd := &cobra.Command{Use: "routes", Args: cobra.NoArgs, RunE: l.run(o),
		Short: "List the routes that are called, their effect and its source; undeclared routes that look unsafe are first",
		Long: `List the routes that are called, their effect and its source; undeclared routes that look unsafe are first.

A page after --after counts the calls of the period of the first page.`}
	w.listFlags(cmd, "Calls")
	cmd.Flags().IntVar(&limit, "limit", limit, limitHelp)
	l.flag(cmd, &after)
	return cmd
}
