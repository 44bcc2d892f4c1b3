package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/detect/enforce/ledger"
	"flyball/detect/enforce/point"
	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
	"flyball/schema/wire"
)

// auditCheck verifies the stored audit trail from its beginning at an interval, and compares it with what this point has folded.
// `flyball audit verify` does the same, and also finds entries that are missing at the end.
type auditCheck struct {
	db    *clickhouse.Conn
	point *point.Point
	every time.Duration
	log   *slog.Logger

	broken   prometheus.Gauge
	verified prometheus.Gauge

	mu    sync.Mutex
	fault error
}

const (
	auditCheckEvery   = time.Hour
	auditCheckTimeout = 10 * time.Minute
)

func newAuditCheck(db *clickhouse.Conn, p *point.Point, reg prometheus.Registerer, log *slog.Logger) *auditCheck {
	a := &auditCheck{db: db, point: p, every: auditCheckEvery, log: log,
		broken: prometheus.NewGauge(prometheus.GaugeOpts{Name: "flyball_audit_broken",
			Help: "1 if the last check of the stored audit trail found an entry that was changed, removed or inserted, else 0. Alarm on 1."}),
		verified: prometheus.NewGauge(prometheus.GaugeOpts{Name: "flyball_audit_verified_seconds",
			Help: "Time of the last check that read the whole stored audit trail, Unix seconds; 0: none did."})}
	reg.MustRegister(a.broken, a.verified)
	return a
}

// run checks a minute after the start, and then at the interval, until ctx ends.
func (a *auditCheck) run(ctx context.Context) error {
	for wait := time.Minute; ; wait = a.every {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(wait):
		}
		checking, cancel := context.WithTimeout(ctx, auditCheckTimeout)
		fault, err := a.check(checking)
		cancel()
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			a.log.Warn("the audit trail could not be checked", "again_in", a.every, "error", err)
			continue
		}
		a.note(fault)
	}
}

// note records the result of a check.
func (a *auditCheck) note(fault *ledger.ChainFault) {
	a.verified.SetToCurrentTime()
	a.broken.Set(map[bool]float64{true: 1}[fault != nil])
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fault = nil
	if fault != nil {
		a.fault = fmt.Errorf("the audit trail does not hold: entry %d %s; flyball audit verify says more", fault.Seq, fault.Why)
		a.log.Error("THE AUDIT TRAIL DOES NOT HOLD", "entry", fault.Seq, "why", fault.Why)
	}
}

// problem returns why the trail does not hold.
func (a *auditCheck) problem() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.fault
}

// check verifies the stored trail. The fault is nil if it holds.
func (a *auditCheck) check(ctx context.Context) (*ledger.ChainFault, error) {
	v := a.point.Acquire()
	live, loaded := v.Audit, v.Loaded() && !v.Stale()
	v.Release()
	if !loaded {
		return nil, errors.New("this point has not folded the whole log")
	}
	losses, err := query.LogLosses(ctx, a.db, wire.CommandsTopic)
	if err != nil {
		return nil, err
	}
	tail := ledger.NewLostTail(losses, math.MaxUint64)
	var end ledger.Chain
	var fault *ledger.ChainFault
	verify := func(batch []schema.AuditEntry) bool {
		for len(batch) > 0 && fault == nil { // entry by entry up to that of this point, which is compared
			n := len(batch)
			if first := batch[0].Seq; live.Seq >= first && live.Seq-first < uint64(n) {
				n = int(live.Seq-first) + 1
			}
			end, fault = ledger.Verify(end, batch[:n])
			if fault == nil && len(losses) == 0 && end.Seq == live.Seq && end.Hash != live.Hash {
				fault = &ledger.ChainFault{Seq: end.Seq, Why: "is not the one that the enforcement point holds: the trail was written anew"}
			}
			batch = batch[n:]
		}
		return fault == nil
	}
	if err := query.AuditTrail(ctx, a.db, func(batch []schema.AuditEntry) bool { return verify(tail.Chain(batch)) }); err != nil {
		return nil, err
	}
	if fault == nil {
		verify(tail.End())
	}
	return fault, nil
}
