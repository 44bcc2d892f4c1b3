package app

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/schema/clickhouse"
)

const (
	probeEvery   = 2 * time.Second
	probeTimeout = 3 * time.Second
	// slowProbes is how many probes in a row must time out before ClickHouse counts as not answering: a
	// loaded server can miss one.
	slowProbes = 2
)

// databaseProbe asks ClickHouse at short intervals whether it answers: a server that hangs accepts
// connections and reports no error. It is safe for concurrent use.
type databaseProbe struct {
	check func(context.Context) error
	every time.Duration
	now   func() time.Time
	log   *slog.Logger
	up    prometheus.Gauge

	mu    sync.Mutex
	slow  int // probes in a row that timed out
	err   error
	since time.Time // since when err holds
}

func newDatabaseProbe(check func(context.Context) error, now func() time.Time, log *slog.Logger, reg prometheus.Registerer) *databaseProbe {
	p := &databaseProbe{check: check, every: probeEvery, now: now, log: log,
		up: prometheus.NewGauge(prometheus.GaugeOpts{Name: "flyball_clickhouse_up", Help: "1 if ClickHouse answers this process, else 0."})}
	reg.MustRegister(p.up)
	return p
}

// run probes until ctx ends.
func (p *databaseProbe) run(ctx context.Context) error {
	tick := time.NewTicker(p.every)
	defer tick.Stop()
	for {
		probe, cancel := context.WithTimeout(ctx, probeTimeout)
		err := p.check(probe)
		cancel()
		if ctx.Err() != nil {
			return nil
		}
		p.observe(err)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// observe takes over the result of one probe, and logs the begin and the end of an outage.
func (p *databaseProbe) observe(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var failure *clickhouse.Error
	if errors.As(err, &failure) && failure.Code != 0 && failure.Reason != clickhouse.WrongLogin {
		err = nil // it answers, although it is busy
	}
	if err != nil && errors.As(err, &failure) && failure.Reason == clickhouse.NoAnswer {
		if p.slow++; p.slow < slowProbes && p.err == nil {
			return
		}
	} else {
		p.slow = 0
	}
	switch {
	case err != nil && p.err == nil:
		p.since = p.now()
		p.log.Error("ClickHouse does not answer; records wait in Kafka, and detection and enforcement go on", "error", err)
	case err == nil && p.err != nil:
		p.log.Info("ClickHouse answers again", "outage", p.now().Sub(p.since).Round(time.Second))
	}
	p.err = err
	p.up.Set(map[bool]float64{true: 1}[err == nil])
}

// failure returns why ClickHouse does not answer; nil: it does.
func (p *databaseProbe) failure() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// startDatabaseProbe starts the probe in a process whose roles use ClickHouse. Without ClickHouse only
// the store is not ready.
func (p *process) startDatabaseProbe() {
	if !p.has("store", "learn", "control") {
		return
	}
	probe := newDatabaseProbe(p.database.CheckConnection, time.Now, p.log.With("component", "clickhouse"), p.metrics)
	connection := part{name: "clickhouse", run: probe.run, warning: probe.failure}
	if p.has("store") {
		connection.ready, connection.warning = probe.failure, nil
	}
	p.parts.start(connection)
}
