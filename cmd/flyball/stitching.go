package main

import (
	"context"

	"github.com/spf13/cobra"

	"flyball/cmd/internal/report"
	"flyball/schema/clickhouse/query"
)

func stitchingCommand(o *options) *cobra.Command {
	var w window
	var by string
	a := answer[[]query.StitchingRow]{window: &w, table: report.Stitching, rows: itself[[]query.StitchingRow], newest: newestCall,
		isEmpty: isNone[query.StitchingRow],
		query: fromDatabase(func(ctx context.Context, db database, r *request) ([]query.StitchingRow, error) {
			if err := wordFlag("--by", by, "hour", "day"); err != nil {
				return nil, err
			}
			rows, err := query.Stitching(ctx, db, r.since, r.until, by)
			rows = cut(r, "producers with fewer calls", rows, query.MaxStitching)
			report.Advise(rows)
			return rows, err
		})}
	cmd := &cobra.Command{Use: "stitching", Args: cobra.NoArgs, RunE: a.run(o),
		Short: "Show how calls were bound to runs: share of each rule by producer, and what would make the binding exact"}
	w.listFlags(cmd, "Calls")
	cmd.Flags().StringVar(&by, "by", "", "show the shares over time, by hour or day")
	return cmd
}
