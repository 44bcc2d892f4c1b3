package query

import (
	"context"
	"fmt"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
)

// lossMargin is how long after the end of a time window a loss of records may be noticed that
// concerns it: as long as Kafka keeps records of Flyball's own topics.
const lossMargin = 7 * 24 * time.Hour

// maxListedLosses is the number of partitions with losses that a report lists.
const maxListedLosses = 20

// partitionLoss is what one part noticed of the lost records of a partition.
type partitionLoss struct {
	topic, kind, component string
	partition              int32
	records, read          int64 // records is 0 if the number is unknown
	atLeast                bool  // there may be more records
	at                     time.Time
}

// caveat returns a sentence about the loss.
func (l *partitionLoss) caveat() string {
	return fmt.Sprintf("log_lost: %s of %s/%d were lost, %d of them read before (%s, noticed by %s at %s); calls may be among the others",
		l.lost(), l.topic, l.partition, l.read, l.kind, l.component, Time{l.at})
}

// lost returns a text with the number of lost records.
func (l *partitionLoss) lost() string {
	switch {
	case l.records == 0:
		return "an unknown number of records"
	case l.atLeast:
		return fmt.Sprintf("at least %d records", l.records)
	}
	return fmt.Sprintf("%d records", l.records)
}

// checkLosses adds a caveat for each partition that lost records, or may have. What a log held after
// the last note of its reader is not known, so that only for records that expired the number of
// those that were not read is exact.
func (c *completeness) checkLosses(ctx context.Context) error {
	var w where
	w.between("noticed_at", "noticed_at", c.since, shifted(c.until, lossMargin))
	w.add("component IN ('ingest', 'detect', 'store') AND topic NOT IN ('flyball.events', 'flyball.commands')")
	w.add("(records = 0 OR records > read OR toString(kind) != 'expired')")
	if c.run != nil {
		w.add("tenant IN ('', {tenant:String})", named("tenant", c.run.Tenant))
	}
	listed := 0
	err := each(ctx, c.db, "losses of records", `SELECT topic, partition, toString(kind), component,
toInt64(sum(records)), toInt64(sum(read)), max(records = 0 OR toString(kind) != 'expired'), max(noticed_at)
FROM log_losses `+w.String()+fmt.Sprintf(` GROUP BY topic, partition, kind, component ORDER BY topic, partition, kind, component LIMIT %d`,
		maxListedLosses+1), w.params,
		func(r driver.Rows) error {
			if listed++; listed > maxListedLosses {
				c.caveats.add("log_lost: more partitions lost records than the %d that are listed; flyball status counts the losses by topic "+
					"and kind", maxListedLosses)
				return nil
			}
			var l partitionLoss
			var atLeast uint8
			if err := r.Scan(&l.topic, &l.partition, &l.kind, &l.component, &l.records, &l.read, &atLeast, &l.at); err != nil {
				return err
			}
			l.atLeast = atLeast > 0
			c.caveats.add("%s", l.caveat())
			return nil
		})
	if isNoTable(err) {
		return nil // a schema without the view log_losses
	}
	return err
}

// checkDamage adds a caveat for each table of which rows were lost that Kafka did not hold any more, if the report's period began before
// the loss was noticed. schema/clickhouse.NoteDamage wrote the notes that are read here.
func (c *completeness) checkDamage(ctx context.Context) error {
	var w where
	w.add("startsWith(name, 'damage ') AND why = 'rows may be missing'")
	if !c.since.IsZero() {
		w.between("applied_at", "applied_at", c.since, time.Time{})
	}
	err := each(ctx, c.db, "losses of rows", `SELECT splitByChar('/', substring(name, 8))[1] AS lost_table, max(applied_at) FROM migrations `+
		w.String()+` GROUP BY lost_table ORDER BY lost_table`, w.params,
		func(r driver.Rows) error {
			var table string
			var at time.Time
			if err := r.Scan(&table, &at); err != nil {
				return err
			}
			c.caveats.add("rows_lost: rows of the table %s were lost (noticed %s), and Kafka did not hold all of them any more; calls may be "+
				"missing", table, Time{at})
			return nil
		})
	if isNoTable(err) {
		return nil // no Flyball migrated this database
	}
	return err
}
