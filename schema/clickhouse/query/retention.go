package query

import (
	"context"
	"strings"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// KeptSince returns the times from which all calls and all runs are kept: older ones have expired, or may have. A zero time says
// that nothing has expired. The tables know it: who asks needs no configuration.
func KeptSince(ctx context.Context, db DB) (calls, runs time.Time, err error) {
	sql := `SELECT name, if(first + days <= today(), today() - days + 1, toDate(0)) FROM (
SELECT name, toUInt32OrZero(extract(engine_full, ' TTL .*toIntervalDay\\((\\d+)\\)')) AS days,
    toDateOrZero(extract(engine_full, ' TTL .*toDate\\([^0-9]{1,2}(\\d+-\\d+-\\d+)[^0-9]{1,2}\\)\\)')) AS first
FROM system.tables WHERE database = currentDatabase() AND match(name, '^(calls|runs)_v5(_local)?$')) WHERE days > 0`
	err = each(ctx, db, "the retention", sql, nil, func(r driver.Rows) error {
		var name string
		var since time.Time
		if err := r.Scan(&name, &since); err != nil || since.Unix() == 0 {
			return err
		}
		if strings.HasPrefix(name, "calls") {
			calls = since
		} else {
			runs = since
		}
		return nil
	})
	return calls, runs, err
}

// checkRetention adds a caveat if the report's period begins before the oldest calls that are kept.
func (t *Touched) checkRetention(ctx context.Context, db DB, win Window) error {
	since := win.Since
	if since.IsZero() && t.Run != nil {
		since = t.Run.StartedAt.Time
	}
	if since.IsZero() {
		return nil // stored_since says how far back all goes that is stored
	}
	kept, _, err := KeptSince(ctx, db)
	if err == nil && since.Before(kept) {
		t.caveat("expired: calls of before %s are no longer kept (clickhouse.retention), and the report asks for calls since %s", Time{kept},
			Time{since})
	}
	return err
}
