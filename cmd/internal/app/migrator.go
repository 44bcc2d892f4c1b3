package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/cmd/internal/config"
	"flyball/schema/clickhouse"
	"flyball/schema/kafka"
)

// MigrationOf returns what the schema is migrated to.
func MigrationOf(c config.ClickHouse) clickhouse.MigrateOptions {
	days := c.Retention.Days()
	return clickhouse.MigrateOptions{Target: clickhouse.Target{Database: c.Database, Cluster: c.Cluster}, Retention: &days, Unset: c.Unset}
}

// migrator brings ClickHouse's tables to the form of this binary before the store writes to them.
type migrator struct {
	options    clickhouse.MigrateOptions
	callsBytes int64 // clickhouse.retention.calls_bytes; 0: no bound
	database   *clickhouse.Conn
	kafka      kafka.Config
	log        *slog.Logger
	metrics    prometheus.Registerer
}

// keepShorter leaves the days of calls that a bound in bytes has shortened: more days would promise what is gone.
func (m *migrator) keepShorter(ctx context.Context, o *clickhouse.MigrateOptions) error {
	if m.callsBytes == 0 {
		return nil
	}
	live, err := clickhouse.LiveRetention(ctx, m.database, o.Target)
	if err == nil && live.Calls > 0 && (o.Retention.Calls == 0 || live.Calls < o.Retention.Calls) {
		o.Retention.Calls = live.Calls
	}
	return err
}

// migrate migrates ClickHouse's schema to that of this binary. It retries while ClickHouse is
// not reachable; no other role waits for it.
func (m *migrator) migrate(ctx context.Context) error {
	migration := m.options
	attempts := kafka.Backoff{First: 200 * time.Millisecond, Max: 5 * time.Second, Timeout: time.Minute}
	return kafka.Retry(ctx, attempts, func(ctx context.Context) error {
		if err := m.repair(ctx, migration.Target); err != nil {
			return err
		}
		if err := m.keepShorter(ctx, &migration); err != nil {
			return err
		}
		steps, err := clickhouse.Migrate(ctx, m.database, migration)
		switch {
		case clickhouse.IsPermanent(err):
			return kafka.Permanent(err)
		case err == nil && len(steps) > 0:
			m.log.Info("schema migrated", "steps", len(steps))
		}
		if err != nil {
			return err
		}
		kept, err := clickhouse.LiveRetention(ctx, m.database, migration.Target)
		if err == nil && (len(steps) > 0 || kept != *migration.Retention) {
			m.log.Info("retention of ClickHouse, counted at the earliest from the day on which the database got this schema",
				"clickhouse.retention", kept.String(), "calls_days", kept.Calls, "runs_days", kept.Runs, "calls_unset", migration.Unset.Calls,
				"runs_unset", migration.Unset.Runs)
		}
		return err
	}, func(err error, wait time.Duration) {
		m.log.Warn("schema of ClickHouse not migrated yet, trying again", "error", err, "in", wait)
	})
}
