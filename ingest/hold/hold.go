// Package hold copies the rows of held runs into tables that no retention reaches, and deletes the copies when a hold
// is released. What is held follows from the stored events (the view holds); the package decides only when rows are copied.
package hold

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"
	"github.com/prometheus/client_golang/prometheus"

	"flyball/schema"
	"flyball/schema/clickhouse"
)

const (
	lookEvery  = 2 * time.Second
	againFirst = time.Minute // after a copy that found new rows
	againMax   = time.Hour   // after copies that found none: late rows can come as long as the run is held
)

// Database is the database with the runs and the held tables.
type Database interface {
	Query(ctx context.Context, sql string, args ...any) (driver.Rows, error)
	// Copy copies the rows of a run that are not held yet and returns their number.
	Copy(ctx context.Context, tenant string, run schema.RunID) (uint64, error)
	// Drop deletes the held rows of a run.
	Drop(ctx context.Context, tenant string, run schema.RunID) error
	// Count returns the number of held rows of a run.
	Count(ctx context.Context, tenant string, run schema.RunID) (uint64, error)
}

// Stored is a Database on a connection to ClickHouse.
type Stored struct {
	*clickhouse.Conn
	Target clickhouse.Target
}

// Copy implements Database.
func (s Stored) Copy(ctx context.Context, tenant string, run schema.RunID) (uint64, error) {
	return clickhouse.CopyHeld(ctx, s.Conn, tenant, run)
}

// Drop implements Database.
func (s Stored) Drop(ctx context.Context, tenant string, run schema.RunID) error {
	return clickhouse.DropHeld(ctx, s.Conn, s.Target, tenant, run)
}

// Count implements Database.
func (s Stored) Count(ctx context.Context, tenant string, run schema.RunID) (uint64, error) {
	return clickhouse.CountHeldRows(ctx, s.Conn, tenant, run)
}

type key struct {
	tenant string
	run    schema.RunID
}

// visit is when a run was last looked at, and when it is due.
type visit struct {
	generation uint64
	due        time.Time
	wait       time.Duration
	done       bool // released, and nothing of it is held
}

// Keeper copies and deletes the rows of held runs. Several may work at the same time: a copy that is repeated adds nothing.
type Keeper struct {
	db      Database
	now     func() time.Time
	log     *slog.Logger
	visits  map[key]visit
	held    prometheus.Gauge
	copied  prometheus.Counter
	failed  prometheus.Counter
	failure error
}

// NewKeeper returns a keeper. It reads the time from now.
func NewKeeper(db Database, now func() time.Time, log *slog.Logger, r prometheus.Registerer) *Keeper {
	k := &Keeper{db: db, now: now, log: log, visits: map[key]visit{},
		held:   prometheus.NewGauge(prometheus.GaugeOpts{Name: "flyball_hold_runs", Help: "Runs that are held."}),
		copied: prometheus.NewCounter(prometheus.CounterOpts{Name: "flyball_hold_rows_total", Help: "Rows of held runs that were copied."}),
		failed: prometheus.NewCounter(prometheus.CounterOpts{Name: "flyball_hold_failures_total",
			Help: "Copies and deletions of the rows of held runs that failed; they are repeated."})}
	r.MustRegister(k.held, k.copied, k.failed)
	return k
}

// Run keeps runs until ctx ends. Failures are logged and repeated.
func (k *Keeper) Run(ctx context.Context) error {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		err := k.Look(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			k.failed.Inc()
			if k.failure == nil {
				k.log.Warn("rows of held runs could not be copied or deleted, trying again", "error", err)
			}
		case k.failure != nil:
			k.log.Info("rows of held runs are copied again")
		}
		k.failure = err
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Look copies the rows of the held runs that are due, and deletes those of released ones. A failure with one run does not
// stop the others; the first error is returned.
func (k *Keeper) Look(ctx context.Context) error {
	holds, err := k.read(ctx)
	if err != nil {
		return err
	}
	var first error
	now := k.now()
	held := 0
	for _, h := range holds {
		if !h.Released {
			held++
		}
		id := key{h.Tenant, h.RunID}
		v := k.visits[id]
		if v.generation != h.Generation {
			v = visit{generation: h.Generation}
		}
		if v.done || now.Before(v.due) {
			continue
		}
		if err := k.visit(ctx, &h, &v); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if first == nil {
				first = err
			}
			v.wait = min(max(2*v.wait, lookEvery), againFirst)
		}
		v.due = now.Add(v.wait)
		k.visits[id] = v
	}
	k.held.Set(float64(held))
	return first
}

func (k *Keeper) visit(ctx context.Context, h *schema.Hold, v *visit) error {
	if h.Released {
		rows, err := k.db.Count(ctx, h.Tenant, h.RunID)
		if err == nil && rows > 0 {
			err = k.db.Drop(ctx, h.Tenant, h.RunID)
			if err == nil {
				k.log.Info("the held rows of a released run are deleted", "run", h.RunID, "tenant", h.Tenant, "rows", rows)
			}
		}
		v.done = err == nil
		return err
	}
	rows, err := k.db.Copy(ctx, h.Tenant, h.RunID)
	if err != nil {
		return err
	}
	k.copied.Add(float64(rows))
	if rows > 0 {
		k.log.Info("rows of a held run are copied", "run", h.RunID, "tenant", h.Tenant, "rows", rows)
		v.wait = againFirst
	} else {
		v.wait = min(max(2*v.wait, againFirst), againMax)
	}
	return nil
}

// read returns the holds and the releases in force.
func (k *Keeper) read(ctx context.Context) (out []schema.Hold, err error) {
	rows, err := k.db.Query(ctx, "SELECT tenant, toString(run_id), generation, released FROM holds ORDER BY generation")
	if err != nil {
		return nil, fmt.Errorf("holds: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var h schema.Hold
		var run string
		if err := rows.Scan(&h.Tenant, &run, &h.Generation, &h.Released); err != nil {
			return nil, fmt.Errorf("holds: %w", err)
		}
		if h.RunID, err = schema.ParseRunID(run); err != nil {
			return nil, fmt.Errorf("holds: %w", err)
		}
		out = append(out, h)
	}
	return out, rows.Err()
}
