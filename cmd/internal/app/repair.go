package app

import (
	"context"
	"errors"
	"time"

	"flyball/ingest/store"
	"flyball/schema"
	"flyball/schema/clickhouse"
)

// repair looks for tables and parts that ClickHouse lost, before missing tables are made anew. It
// names each, marks reports, and has the store read again what Kafka still holds. A second call
// after an error does the same again.
func (p *process) repair(ctx context.Context, target clickhouse.Target) error {
	known, err := clickhouse.KnownDamage(ctx, p.database, target)
	if err != nil {
		return err
	}
	damage, err := clickhouse.FindDamage(ctx, p.database, target, known)
	if err != nil || len(damage) == 0 {
		return err
	}
	rewound := map[store.Origin]rewind{}
	var losses []*schema.LogLoss
	now := time.Now()
	for i := range damage {
		d := &damage[i]
		r := p.readAgain(ctx, target, d, rewound)
		log := p.log.With("component", "store")
		log.Warn("rows of ClickHouse were lost: "+d.String(), "table", d.Table, "parts", len(d.Parts), "bytes", d.Bytes,
			"records_read_again", r.records, "kafka_holds_all", r.whole, "error", r.err)
		loss := &schema.LogLoss{Tenant: p.config.Tenant, Topic: schema.LossTablePrefix + d.Table, Kind: schema.LossTable, Records: 1,
			Epoch: now.Unix()}
		if r.whole {
			loss.Read = 1
		}
		losses = append(losses, loss)
	}
	p.kafka.ReportLosses(ctx, "store", now, losses)
	for i := range damage {
		if err := clickhouse.NoteDamage(ctx, p.database, target, &damage[i]); err != nil {
			return err
		}
	}
	return nil
}

// rewind is what came of reading a topic again.
type rewind struct {
	records int64
	whole   bool // the topic holds all that was ever written to it
	err     error
}

// readAgain has the store read again the topic that a table comes from, once for all tables.
func (p *process) readAgain(ctx context.Context, target clickhouse.Target, d *clickhouse.Damage, done map[store.Origin]rewind) rewind {
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
	if r.err = clickhouse.ForgetProgress(ctx, p.database, target); r.err == nil {
		r.records, r.whole, r.err = store.Rewind(ctx, p.kafka, origin)
	}
	done[origin] = r
	return r
}
