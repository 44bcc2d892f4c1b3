package query

import (
	"context"
	"fmt"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/schema"
)

const auditColumns = `seq, tenant, toUnixTimestamp64Nano(at), commands_offset, kind, by, role, subject, reason, outcome, digest, prev, hash`

// auditBatch is the number of entries that are in memory at a time.
const auditBatch = 10_000

// AuditTrail passes the whole trail to take, in batches and in the order of sequence
// numbers, until take returns false. Equal entries appear once; two different entries
// with one number appear both.
func AuditTrail(ctx context.Context, db DB, take func([]schema.AuditEntry) bool) error {
	var batch []schema.AuditEntry
	stopped := false
	ctx = WithBounds(ctx, Bounds{}) // the trail is checked as a whole, however long it is
	err := each(ctx, db, "audit trail", `SELECT `+auditColumns+` FROM audit ORDER BY seq, hash`, nil, func(r driver.Rows) error {
		e, err := auditEntry(r)
		if err != nil || stopped {
			return err
		}
		if batch = append(batch, e); len(batch) == auditBatch {
			stopped = !take(batch)
			batch = batch[:0]
		}
		return nil
	})
	if err == nil && !stopped && len(batch) > 0 {
		take(batch)
	}
	return err
}

// AuditLatest returns the last entries of a window, the latest first.
func AuditLatest(ctx context.Context, db DB, win Window, limit int) ([]schema.AuditEntry, error) {
	out := []schema.AuditEntry{}
	var w where
	w.between("at", "at", win.Since, win.Until)
	sql := fmt.Sprintf(`SELECT %s FROM audit %s ORDER BY seq DESC, hash LIMIT %d`, auditColumns, w.String(), limit)
	err := each(ctx, db, "audit trail", sql, w.params,
		func(r driver.Rows) error {
			e, err := auditEntry(r)
			out = append(out, e)
			return err
		})
	return out, err
}

func auditEntry(r driver.Rows) (e schema.AuditEntry, err error) {
	err = r.Scan(&e.Seq, &e.Tenant, &e.At, &e.Offset, &e.Kind, &e.By, &e.Role, &e.Subject, &e.Reason, &e.Outcome, &e.Digest, &e.Prev, &e.Hash)
	return e, err
}
