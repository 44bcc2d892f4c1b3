package query

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2"
	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/schema"
)

// CallsAfterTrip returns the calls of a run that passed after the call that caused its
// trip.
func CallsAfterTrip(ctx context.Context, db DB, run string, after time.Time) (e schema.Exposure, err error) {
	var w where
	w.between("start_time", "start_time", after.Add(1), time.Time{})
	w.add("run_id = toUUIDOrZero({run:String})", clickhouse.Named("run", run))
	w.add("counted AND outcome != 'denied'")
	err = each(ctx, db, "calls that slipped through", `SELECT count(), countIf(reversibility = 'irreversible') FROM calls `+w.String(),
		w.params, func(r driver.Rows) error {
			return r.Scan(&e.Calls, &e.Irreversible)
		})
	return e, err
}
