package query

import (
	"context"
	"strings"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// ofTenant is a database that shows the rows of one tenant only.
type ofTenant struct {
	DB
	tenant string
	head   string // the names that questions read, each bound to the tenant
}

// namesWithTenant are the views and tables that questions read by name and that have a column tenant.
var namesWithTenant = []string{"calls", "runs", "run_states", "touches", "findings", "decisions", "breakers", "baselines", "stitching",
	"scores", "gates", "verdicts", "verdict_history", "minute_counts", "hour_counts", "audit", "postings", "call_ids", "log_losses",
	storedTouches}

// OfTenant returns a database in which every question sees the rows of one tenant only: a statement reads a name as the rows of the
// tenant under it. An empty tenant returns the database unchanged. Rows of no tenant (dead letters, the time of the oldest call) are
// as before.
func OfTenant(db DB, tenant string) DB {
	if tenant == "" {
		return db
	}
	parts := make([]string, len(namesWithTenant))
	for i, n := range namesWithTenant {
		parts[i] = n + " AS (SELECT * FROM " + n + " WHERE tenant = {of_tenant:String})"
	}
	return &ofTenant{db, tenant, "WITH " + strings.Join(parts, ", ")}
}

// Query executes a statement on the rows of the tenant.
func (o *ofTenant) Query(ctx context.Context, sql string, args ...any) (driver.Rows, error) {
	return o.DB.Query(ctx, afterNames(o.head, sql), append(args[:len(args):len(args)], named("of_tenant", o.tenant))...)
}

// boundTenant returns the tenant that a database is bound to; empty: none.
func boundTenant(db DB) string {
	if o, ok := db.(*ofTenant); ok {
		return o.tenant
	}
	return ""
}
