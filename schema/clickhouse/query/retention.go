package query

import (
	"context"
	"fmt"
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

// expiry is what has expired of the rows by which a subject is found.
type expiry struct {
	calls time.Time // all calls since then are kept; zero: none has expired
	found time.Time // all rows by which the subject is found are kept since then; zero: none has expired
	what  string    // what these rows are: calls or runs
}

// String is a further reason why a subject is not found; empty: nothing has expired.
func (e expiry) String() string {
	if e.found.IsZero() {
		return ""
	}
	return fmt.Sprintf(", or they are older than the %s that are kept (since %s, clickhouse.retention)", e.what, Time{e.found})
}

// keptSinceOf returns what has expired of the rows by which a kind of subject is found: a resource by its calls, all others by runs.
// Without a kind, it is found by any field of a call.
func keptSinceOf(ctx context.Context, db DB, kind string) (e expiry, err error) {
	calls, runs, err := KeptSince(ctx, db)
	if kind == "resource" || kind == "" {
		return expiry{calls, calls, "calls"}, err
	}
	return expiry{calls, runs, "runs"}, err
}

// ExplainUnknown returns why a term of a kind of subject may not be found, beside that it is not stored; without a kind, any term.
func ExplainUnknown(ctx context.Context, db DB, kind string) (string, error) {
	kept, err := keptSinceOf(ctx, db, kind)
	return "it may be misspelt, or its calls never arrived" + kept.String(), err
}
