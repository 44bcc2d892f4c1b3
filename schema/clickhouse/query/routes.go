package query

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/schema"
)

// Routes returns the routes with calls in the window: first the undeclared ones that seem
// unsafe, then by traffic.
func Routes(ctx context.Context, db DB, since, until time.Time, limit int) ([]RouteRow, error) {
	page, err := RoutesPage(ctx, db, Window{since, until}, limit, "")
	return page.Rows, err
}

// routePlace is the last route of a page, and the window of the first page in nanoseconds, 0 if it has no limit: the pages count
// the calls of the same window.
type routePlace struct {
	Since, Until          int64
	Declared, Danger      int64
	Calls                 uint64
	Method, Route, Tool   string
	Effect, Reversibility string
}

// routesOrder is the order of routes, as a tuple.
var routesOrder = "(NOT undeclared, -toInt64(if(undeclared, indexOf(['" + strings.Join(schema.ReversibilityWords, "', '") +
	"'], undo), 0)), -toInt64(n), method, route, tool_name, did, undo)"

// RoutesPage returns a page of what Routes returns: the routes after the cursor of the page before, whose window it has. A route that
// calls were stored for between two pages may be on both.
func RoutesPage(ctx context.Context, db DB, win Window, limit int, after string) (page Page[RouteRow], err error) {
	page.Rows = []RouteRow{}
	question := pagedQuestion{list: "routes", win: win}
	var w where
	having := ""
	if after != "" {
		var p routePlace
		if err := question.parse(ctx, after, &p); err != nil {
			return page, err
		}
		win = Window{fromNanos(p.Since), fromNanos(p.Until)}
		having = fmt.Sprintf(" HAVING %s > (%d, %d, -%d, {p1:String}, {p2:String}, {p3:String}, {p4:String}, {p5:String})", routesOrder,
			p.Declared, p.Danger, p.Calls)
		for i, v := range []string{p.Method, p.Route, p.Tool, p.Effect, p.Reversibility} {
			w.params = append(w.params, named(fmt.Sprint("p", i+1), v))
		}
	} else if win.Until.IsZero() {
		if win.Until, err = newestStored(ctx, db); err != nil {
			return page, err
		}
	}
	w.between("start_time", "start_time", win.Since, win.Until)
	w.add("counted")
	err = each(ctx, db, "routes", `SELECT method, route, tool_name, any(api), toString(any(route_source)), toString(effect) AS did,
toString(any(effect_source)), toString(reversibility) AS undo, toString(argMax(reversibility_source, start_time)) AS rs,
uniqExact(agent_id), count() AS n, countIf(status >= 400 OR outcome IN ('tool_error', 'timeout', 'server_error')),
countIf(outcome = 'denied'), max(start_time),
reversibility IN ('irreversible', 'compensable', 'unknown') AND effect != 'read' AND rs NOT IN ('operator', 'openapi') AS undeclared
FROM calls `+w.String()+" GROUP BY method, route, tool_name, effect, reversibility"+having+" ORDER BY "+routesOrder+
		fmt.Sprintf(" LIMIT %d", limit+1), w.params, func(r driver.Rows) error {
		var v RouteRow
		err := r.Scan(&v.Method, &v.Route, &v.Tool, &v.API, &v.RouteSource, &v.Effect, &v.EffectSource, &v.Reversibility,
			&v.ReversibilitySource, &v.Agents, &v.Calls, &v.Errors, &v.Denied, &v.LastAt.Time, &v.Undeclared)
		page.Rows = append(page.Rows, v)
		return err
	})
	if err != nil || len(page.Rows) <= limit {
		return page, err
	}
	page.Rows = page.Rows[:limit]
	page.Next = question.cursor(ctx, placeOfRoute(&page.Rows[limit-1], win))
	return page, nil
}

func placeOfRoute(r *RouteRow, win Window) routePlace {
	p := routePlace{Since: nanosOf(win.Since), Until: nanosOf(win.Until), Declared: 1, Calls: r.Calls, Method: r.Method, Route: r.Route,
		Tool: r.Tool, Effect: r.Effect, Reversibility: r.Reversibility}
	if r.Undeclared {
		p.Declared, p.Danger = 0, -int64(slices.Index(schema.ReversibilityWords, r.Reversibility)+1)
	}
	return p
}
