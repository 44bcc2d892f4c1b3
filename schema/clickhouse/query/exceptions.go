package query

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// ExceptionUse is the number of stored findings that an exception covers.
type ExceptionUse struct {
	Findings uint64
	LastAt   time.Time // event time of the last call that changed one of them
}

// ExceptionUses returns the use of each exception, by its name.
func ExceptionUses(ctx context.Context, db DB) (map[string]ExceptionUse, error) {
	out := map[string]ExceptionUse{}
	return out, each(ctx, db, "exceptions", "SELECT exception, count(), max(updated_at) FROM findings "+
		"WHERE exception != '' GROUP BY exception", nil, func(row driver.Rows) error {
		var name string
		var u ExceptionUse
		err := row.Scan(&name, &u.Findings, &u.LastAt)
		out[name] = u
		return err
	})
}
