package query

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// maxRouteExamples is the maximum number of example paths of one route.
const maxRouteExamples = 3

// MaxExampleRoutes is the maximum number of routes whose paths are read.
const MaxExampleRoutes = 5000

// RouteExamples returns for each learned or pinned route with calls since a time at most three of the paths that were
// called, by "METHOD /template". Paths are stored without secrets that have a known form. more reports that there are more routes than
// MaxExampleRoutes, of which the first by method and template are read.
func RouteExamples(ctx context.Context, db DB, since time.Time) (out map[string][]string, more bool, err error) {
	var w where
	w.between("start_time", "start_time", since, time.Time{})
	w.add("route_source = 'overflow'")
	w.add("counted")
	out = map[string][]string{}
	limit := fmt.Sprintf(" GROUP BY method, route ORDER BY method, route LIMIT %d", MaxExampleRoutes+1)
	err = each(ctx, db, "paths of learned routes", "SELECT concat(method, ' ', route), arraySort(groupUniqArray(3)(path)) FROM calls "+
		w.String()+limit, w.params, func(r driver.Rows) error {
		var name string
		var paths []string
		err := r.Scan(&name, &paths)
		if more = len(out) == MaxExampleRoutes; !more {
			out[name] = paths[:min(len(paths), maxRouteExamples)]
		}
		return err
	})
	return out, more, err
}
