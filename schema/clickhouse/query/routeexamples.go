package query

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// maxRouteExamples is the maximum number of example paths of one route.
const maxRouteExamples = 3

// RouteExamples returns for each learned or pinned route with calls since a time at most three of the paths that were
// called, by "METHOD /template". Paths are stored without secrets that have a known form.
func RouteExamples(ctx context.Context, db DB, since time.Time) (map[string][]string, error) {
	var w where
	w.between("start_time", "start_time", since, time.Time{})
	w.add("route_source = 'overflow'")
	w.add("counted")
	out := map[string][]string{}
	return out, each(ctx, db, "paths of learned routes", "SELECT concat(method, ' ', route), arraySort(groupUniqArray(3)(path)) FROM calls "+
		w.String()+" GROUP BY method, route LIMIT 5000", w.params, func(r driver.Rows) error {
		var name string
		var paths []string
		err := r.Scan(&name, &paths)
		out[name] = paths[:min(len(paths), maxRouteExamples)]
		return err
	})
}
