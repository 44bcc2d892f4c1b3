package query

import (
	"context"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// SchemaVersion returns the version of the schema that a database was migrated to last, to compare with clickhouse.Version of schema.
func SchemaVersion(ctx context.Context, db DB) (version uint32, err error) {
	err = each(ctx, db, "the version of the schema", "SELECT max(version) FROM migrations", nil,
		func(r driver.Rows) error { return r.Scan(&version) })
	return version, err
}
