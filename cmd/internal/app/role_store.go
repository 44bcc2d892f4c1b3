package app

import (
	"context"
	"errors"
	"time"

	"flyball/ingest/hold"
	"flyball/ingest/store"
	"flyball/schema/clickhouse"
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
		m := &migrator{options: MigrationOf(p.config.ClickHouse), callsBytes: p.config.ClickHouse.Retention.CallsBytes.Bytes,
			database: p.database, kafka: p.kafka, log: p.log.With("component", "store"), metrics: p.metrics}
		if err := m.migrate(ctx); err != nil {
			return err
		}
		keeper := hold.NewKeeper(hold.Stored{Conn: p.database, Target: m.options.Target}, time.Now, p.log.With("component", "hold"), p.metrics)
		return storeAndKeep(ctx, s, keeper)
	}})
	if c := p.config.ClickHouse; c.Retention.CallsBytes.Bytes > 0 {
		b := newTableBytes(p.database, c, time.Now, p.log.With("component", "retention"), p.metrics)
		p.parts.start(part{name: "retention", run: b.run, warning: b.problem})
	}
	return nil
}

// storeAndKeep runs the store, and beside it the keeper of held runs.
func storeAndKeep(ctx context.Context, s *store.Store, keeper *hold.Keeper) error {
	keeping, stop := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- keeper.Run(keeping) }()
	err := s.Run(ctx)
	stop()
	return errors.Join(err, <-done)
}
