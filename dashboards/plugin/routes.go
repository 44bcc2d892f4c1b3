package plugin

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/schema/clickhouse/query"
)

// answerRoutes returns the routes that an agent or a run called, the most dangerous first: what the credentials were used for.
func answerRoutes(ctx context.Context, q *question) (data.Frames, error) {
	caller := query.Caller{Agent: q.Agent}
	if q.Run != "" {
		run, err := newestRun(ctx, q)
		if err != nil {
			return nil, err
		}
		caller = query.Caller{Run: run.RunID}
	}
	if caller == (query.Caller{}) {
		return emptyFrame(q.Type, "Neither an agent nor a run is chosen."), nil
	}
	rows, err := query.Usage(ctx, q.db, caller, q.from, q.to)
	return data.Frames{routesFrame(rows, q.Limit)}, err
}

func routesFrame(rows []query.UsageRow, limit int) *data.Frame {
	type row = query.UsageRow
	return table("routes", rows, limit, "No call in this time range.",
		text("reversibility", func(u *row) string { return u.Reversibility }),
		text("effect", func(u *row) string { return u.Effect }),
		text("route", func(u *row) string { return joined(u.Method, cmp.Or(u.Route, u.Tool)) }),
		number("calls", func(u *row) uint64 { return u.Calls }).describedAs("asked for; some may have been denied"),
		number("runs", func(u *row) uint64 { return u.Runs }),
		number("busiest hour", func(u *row) uint64 { return u.PeakHour }).describedAs("calls in the hour with the most"),
		text("resources", func(u *row) string { return strings.Join(u.ResourceTypes, ", ") }).describedAs("types of resources"),
		moment("last", func(u *row) time.Time { return u.LastAt.Time }),
	)
}
