package query

import (
	"context"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// checkDamage adds a caveat for each table of which rows were lost that Kafka did not hold any more, if the report's period began before
// the loss was noticed. schema/clickhouse.NoteDamage wrote the notes that are read here.
func (t *Touched) checkDamage(ctx context.Context, db DB, win Window) error {
	since, _ := t.bounds(win)
	var w where
	w.add("startsWith(name, 'damage ') AND why = 'rows may be missing'")
	if !since.IsZero() {
		w.between("applied_at", "applied_at", since, time.Time{})
	}
	err := each(ctx, db, "losses of rows", `SELECT splitByChar('/', substring(name, 8))[1] AS lost_table, max(applied_at) FROM migrations `+
		w.String()+` GROUP BY lost_table ORDER BY lost_table`, w.params,
		func(r driver.Rows) error {
			var table string
			var at time.Time
			if err := r.Scan(&table, &at); err != nil {
				return err
			}
			t.caveat("rows_lost: rows of the table %s were lost (noticed %s), and Kafka did not hold all of them any more; calls may be missing",
				table, Time{at})
			return nil
		})
	if isNoTable(err) {
		return nil // no Flyball migrated this database
	}
	return err
}
