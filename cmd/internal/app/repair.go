package app

import (
	"context"
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/ingest/store"
	"flyball/schema/clickhouse"
)

// repair looks for tables and parts that ClickHouse lost, before migrations recreate missing tables.
// It logs each one, records it for reports, and sets the store back so that it reads again what Kafka
// still holds. After an error it can be called again.
func (m *migrator) repair(ctx context.Context, target clickhouse.Target) error {
	known, err := clickhouse.KnownDamage(ctx, m.database, target)
	if err != nil {
		return err
	}
	damage, err := clickhouse.FindDamage(ctx, m.database, target, known)
	if err != nil || len(damage) == 0 {
		return err
	}
	rewound := map[store.Origin]rewind{}
	for i := range damage {
		d := &damage[i]
		r := m.readAgain(ctx, target, d, rewound)
		m.log.Warn("rows of ClickHouse were lost", "damage", d.String(), "table", d.Table, "parts", len(d.Parts), "bytes", d.Bytes,
			"records_read_again", r.records, "kafka_holds_all", r.whole, "error", r.err)
		m.damaged(d.Table)
		if err := clickhouse.NoteDamage(ctx, m.database, target, d, r.whole); err != nil {
			return err
		}
	}
	return nil
}

// damaged counts a table of which rows were lost.
func (m *migrator) damaged(table string) {
	count := prometheus.NewCounterVec(prometheus.CounterOpts{Name: "flyball_store_damaged_tables_total",
		Help: "Tables and sets of parts that ClickHouse had lost when the store started."}, []string{"table"})
	var known prometheus.AlreadyRegisteredError
	if err := m.metrics.Register(count); errors.As(err, &known) {
		count = known.ExistingCollector.(*prometheus.CounterVec)
	}
	count.WithLabelValues(table).Inc()
}

// rewind is the result of setting the store back in a topic.
type rewind struct {
	records int64
	whole   bool // the topic holds all that was ever written to it
	err     error
}

// readAgain sets the store back in the topic that a table comes from, once for all tables.
func (m *migrator) readAgain(ctx context.Context, target clickhouse.Target, d *clickhouse.Damage, done map[store.Origin]rewind) rewind {
	origin, ok := store.OriginOf(d.Table)
	if !ok {
		return rewind{err: errors.New("its rows are written by learn: the next baseline is stored")}
	}
	if target.Cluster != "" {
		return rewind{err: errors.New("a replica of the cluster may hold the rows: restore the table, nothing is read again")}
	}
	if r, ok := done[origin]; ok {
		return r
	}
	var r rewind
	if r.err = clickhouse.ForgetProgress(ctx, m.database, target); r.err == nil {
		r.records, r.whole, r.err = store.Rewind(ctx, m.kafka, origin)
	}
	done[origin] = r
	return r
}
