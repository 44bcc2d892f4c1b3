package learn

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/baselinestore"
	"flyball/schema/route"
	"flyball/schema/wire"
)

// dayOfRoutes selects the route templates that the heuristic made of a day's calls that did not fail, with the number of
// these calls. Words that no call succeeded with teach nothing: anybody can invent them, and the template would hide the
// operations that exist.
const dayOfRoutes = `SELECT method, route, countIf(counted) AS n FROM calls
WHERE tenant = {tenant:String} AND route_source = 'heuristic' AND route != '' AND outcome IN ('unknown', 'ok')
AND start_time > fromUnixTimestamp64Nano({since:Int64}, 'UTC')
GROUP BY method, route ORDER BY n DESC, method, route LIMIT 200000`

// collapseRoutes looks in the routes of the last day for positions with too many different values, and publishes a new
// version of the learned routes when it finds more. What was found before is kept. It returns the version that is now
// active.
func (l *Learner) collapseRoutes(ctx context.Context) (route.Learned, error) {
	before := l.learned
	rows, err := Quietly(l.o.DB).Query(ctx, dayOfRoutes, clickhouse.Named("tenant", l.o.Tenant),
		clickhouse.Named("since", fmt.Sprint(l.o.Now().Add(-24*time.Hour).UnixNano())))
	if err != nil {
		return before, fmt.Errorf("read the routes of a day: %w", err)
	}
	defer rows.Close()
	var seen []route.Seen
	for rows.Next() {
		var s route.Seen
		if err := rows.Scan(&s.Method, &s.Route, &s.Calls); err != nil {
			return before, fmt.Errorf("read the routes of a day: %w", err)
		}
		seen = append(seen, s)
	}
	if err := rows.Err(); err != nil {
		return before, fmt.Errorf("read the routes of a day: %w", err)
	}
	after, more := route.Collapse(before, seen)
	if after.IsFull() {
		l.o.Logger.Warn("the table of learned routes is full: no more places of paths become parameters; declare routes, or pin templates",
			"learned", len(after.Collapsed))
	}
	if !more {
		return before, nil
	}
	now := l.o.Now()
	after.Version = now.UTC().Format("20060102T150405.000000000Z")
	after.Date(now.UnixNano())
	if err := l.publishLearned(ctx, &after); err != nil {
		return before, err
	}
	l.learned = after
	return after, nil
}

// publishLearned publishes learned routes. A full table of long templates has more text than a batch has by default.
func (l *Learner) publishLearned(ctx context.Context, learned *route.Learned) error {
	value, err := wire.EncodeDocument(wire.RoutesVersion, learned)
	if err != nil {
		return err
	}
	client, err := l.o.Kafka.NewClient(producerName, baselinestore.WriterOptions()...)
	if err != nil {
		return err
	}
	defer client.Close()
	if err := client.ProduceSync(ctx, &kgo.Record{Topic: wire.BaselinesTopic, Key: []byte(wire.RoutesKey(l.o.Tenant)),
		Value: value}).FirstErr(); err != nil {
		return fmt.Errorf("publish routes %s (%d bytes): %w", learned.Version, len(value), err)
	}
	return nil
}

// readRenaming returns what gives stored calls their present routes: a baseline must know the routes that calls have from
// now on, not those that calls had before something was learned or ordered about routes.
func (l *Learner) readRenaming(ctx context.Context) (*route.Renaming, error) {
	routes, err := baselinestore.LatestRoutes(ctx, l.o.Kafka, l.o.Tenant)
	if err != nil && !errors.Is(err, baselinestore.ErrNotPublished) {
		return nil, err
	}
	orders, err := baselinestore.LatestRouteOrders(ctx, l.o.Kafka, l.o.Tenant)
	if err != nil && !errors.Is(err, baselinestore.ErrNotPublished) {
		return nil, err
	}
	return route.NewRenaming(routes, orders), nil
}
