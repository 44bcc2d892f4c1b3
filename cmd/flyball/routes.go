package main

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/detect/enforce/api"
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
		page, err := query.RoutesPage(r.ctx, db, query.Window{Since: r.since, Until: r.until}, limit, after)
		if err == nil {
			setNamedBy(r, page.Rows)
		}
		return page, err
	}
	cmd := &cobra.Command{Use: "routes", Args: cobra.NoArgs, RunE: l.run(o),
		Short: "List the routes that are called, their effect and its source; undeclared routes that look unsafe are first",
		Long: `List the routes that are called, their effect and its source; undeclared routes that look unsafe are first.

A page after --after counts the calls of the period of the first page.`}
	w.listFlags(cmd, "Calls")
	cmd.Flags().IntVar(&limit, "limit", limit, limitHelp)
	l.flag(cmd, &after)
	cmd.AddCommand(learnedRoutesCommand(o), routeOrderCommand(o, pinRoute), routeOrderCommand(o, undoRoute), routeOrderCommand(o, clearRoute))
	return cmd
}

// setNamedBy sets for learned and pinned routes which of both they are, if the control API answers.
func setNamedBy(r *request, rows []query.RouteRow) {
	const overflow = "overflow"
	if !slices.ContainsFunc(rows, func(v query.RouteRow) bool { return v.RouteSource == overflow }) {
		return
	}
	lines, err := fromControl[[]api.RouteLine]("/v1/routes")(r)
	if err != nil {
		return
	}
	for i := range rows {
		for _, l := range lines {
			if rows[i].RouteSource == overflow && l.Route == rows[i].Method+" "+rows[i].Route {
				rows[i].NamedBy = l.State
			}
		}
	}
}
