package query

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/schema"
)

// HeldRunsOfPrincipal returns the ids of runs of a principal of which rows are copied.
func HeldRunsOfPrincipal(ctx context.Context, db DB, tenant, principal string) (map[string]bool, error) {
	out := map[string]bool{}
	err := each(ctx, db, "held runs of the principal", `SELECT DISTINCT toString(run_id) FROM (
SELECT run_id FROM held_run_states WHERE tenant = {tenant:String} AND run_id IN (SELECT run_id FROM held_runs WHERE principal_id = {name:String})
UNION ALL SELECT run_id FROM held_calls WHERE tenant = {tenant:String} AND principal_id = {name:String})`,
		[]any{named("tenant", tenant), named("name", principal)}, func(r driver.Rows) error {
			var id string
			err := r.Scan(&id)
			out[id] = true
			return err
		})
	if isNoTable(err) {
		return out, nil
	}
	return out, err
}

// OpenRunsOfPrincipal returns the number of runs of a principal that are open by what is stored.
func OpenRunsOfPrincipal(ctx context.Context, db DB, tenant, principal string) (n uint64, err error) {
	err = each(ctx, db, "open runs of the principal", `SELECT count() FROM runs WHERE tenant = {tenant:String} AND principal_id = {name:String}
AND state = 'open' AND `+actorsPosted("actor_hash", "principal_id", "name", Window{}), []any{named("tenant", tenant), named("name", principal)},
		func(r driver.Rows) error { return r.Scan(&n) })
	return n, err
}

// AuditAbout returns the entries of the audit trail about a subject before a time, the oldest first.
func AuditAbout(ctx context.Context, db DB, tenant, subject string, before time.Time) (out []schema.AuditEntry, err error) {
	err = each(ctx, db, "audit entries", "SELECT "+auditColumns+" FROM audit WHERE tenant = {tenant:String} AND subject = {subject:String} "+
		"AND at < fromUnixTimestamp64Nano({before:Int64}, 'UTC') ORDER BY seq", []any{named("tenant", tenant), named("subject", subject),
		named("before", fmt.Sprint(before.UnixNano()))}, func(r driver.Rows) error {
		e, err := auditEntry(r)
		out = append(out, e)
		return err
	})
	return out, err
}
