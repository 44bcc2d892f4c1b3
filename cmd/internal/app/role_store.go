package app

import (
	"context"
	"errors"
	"time"

	"flyball/cmd/internal/config"
	"flyball/ingest/hold"
	"flyball/ingest/store"
	"flyball/schema/clickhouse"
	"flyball/schema/kafka"
)

// startStore starts the store, which migrates the schema and then inserts the journal into
// ClickHouse.
func (p *process) startStore() error {
	o := store.DefaultOptions()
	o.Stage = func(s string) {
		if s == "stored" {
			p.stage("store.inserted|committed")
		}
	}
	unreadable, err := p.kafka.NewClient("store-produce")
	if err != nil {
		return err
	}
	p.closers = append(p.closers, unreadable.Close)
	o.DeadLetters = store.KafkaSink{Out: unreadable}
	o.MakeTable = func(ctx context.Context, table string) error {
		migration := MigrationOf(p.config.ClickHouse)
		migration.Make = table
		_, err := clickhouse.Migrate(ctx, p.database, migration)
		return err
	}
	s, err := store.New(o, p.kafka, p.database, p.log, p.metrics)
	if err != nil {
		return err
	}
	p.parts.start(part{name: "store", ready: s.Ready, stopTimeout: 20 * time.Second, run: func(ctx context.Context) error {
		if err := p.migrate(ctx); err != nil {
			return err
		}
		return p.storeAndKeep(ctx, s)
	}})
	if c := p.config.ClickHouse; c.Retention.CallsBytes.Bytes > 0 {
		b := newTableBytes(p.database, c, time.Now, p.log.With("component", "retention"), p.metrics)
		p.parts.start(part{name: "retention", run: b.run, warning: b.problem})
	}
	return nil
}

// storeAndKeep runs the store, and beside it the keeper of held runs.
func (p *process) storeAndKeep(ctx context.Context, s *store.Store) error {
	keeping, stop := context.WithCancel(ctx)
	keeper := hold.NewKeeper(hold.Stored{Conn: p.database, Target: MigrationOf(p.config.ClickHouse).Target}, time.Now,
		p.log.With("component", "hold"), p.metrics)
	done := make(chan error, 1)
	go func() { done <- keeper.Run(keeping) }()
	err := s.Run(ctx)
	stop()
	return errors.Join(err, <-done)
}

// MigrationOf returns what the schema is migrated to.
func MigrationOf(c config.ClickHouse) clickhouse.MigrateOptions {
	days := c.Retention.Days()
	return clickhouse.MigrateOptions{Target: clickhouse.Target{Database: c.Database, Cluster: c.Cluster}, Retention: &days, Unset: c.Unset}
}

// keepShorter leaves the days of calls that a bound in bytes has shortened: more days would promise what is gone.
func (p *process) keepShorter(ctx context.Context, o *clickhouse.MigrateOptions) error {
	if p.config.ClickHouse.Retention.CallsBytes.Bytes == 0 {
		return nil
	}
	live, err := clickhouse.LiveRetention(ctx, p.database, o.Target)
	if err == nil && live.Calls > 0 && (o.Retention.Calls == 0 || live.Calls < o.Retention.Calls) {
		o.Retention.Calls = live.Calls
	}
	return err
}

// migrate migrates ClickHouse's schema to that of this binary. It retries while ClickHouse is
// not reachable; no other role waits for it.
func (p *process) migrate(ctx context.Context) error {
	migration := MigrationOf(p.config.ClickHouse)
	log := p.log.With("component", "store")
	attempts := kafka.Backoff{First: 200 * time.Millisecond, Max: 5 * time.Second, Timeout: time.Minute}
	return kafka.Retry(ctx, attempts, func(ctx context.Context) error {
		if err := p.repair(ctx, migration.Target); err != nil {
			return err
		}
		if err := p.keepShorter(ctx, &migration); err != nil {
			return err
		}
		steps, err := clickhouse.Migrate(ctx, p.database, migration)
		switch {
		case clickhouse.IsPermanent(err):
			return kafka.Permanent(err)
		case err == nil && len(steps) > 0:
			log.Info("schema migrated", "steps", len(steps))
		}
		if err != nil {
			return err
		}
		kept, err := clickhouse.LiveRetention(ctx, p.database, migration.Target)
		if err == nil && (len(steps) > 0 || kept != *migration.Retention) {
			log.Info("retention: "+kept.String()+" (clickhouse.retention), counted at the earliest from the day on which the "+
				"database got this schema", "calls_days", kept.Calls, "runs_days", kept.Runs, "calls_unset", migration.Unset.Calls,
				"runs_unset", migration.Unset.Runs)
		}
		return err
	}, func(err error, wait time.Duration) {
		log.Warn("schema of ClickHouse not migrated yet, trying again", "error", err, "in", wait)
	})
}
