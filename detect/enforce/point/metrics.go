package point

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/detect/enforce/breaker"
)

type metrics struct {
	malformed      *prometheus.CounterVec
	faults         *prometheus.CounterVec
	lost           *prometheus.CounterVec
	open           prometheus.Gauge
	poolLeft       *prometheus.GaugeVec
	waiting        prometheus.Gauge
	oldest         prometheus.Gauge
	budgetLeft     prometheus.Gauge
	stale          prometheus.Gauge
	settingsDiffer prometheus.Gauge
}

func newMetrics(r prometheus.Registerer) *metrics {
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: name, Help: help})
	}
	m := &metrics{
		malformed: counters("flyball_control_malformed_total",
			"Commands and snapshots that could not be read and were skipped, by what was wrong.", "why"),
		faults: counters("flyball_control_log_errors_total", "Errors of reading from and writing to the log.", "doing", "what"),
		lost: counters("flyball_control_log_lost_records_total",
			"Records that the command log had lost at the start: its tail after they were folded, its head before.", "part"),
		open: gauge("flyball_breakers_open", "Breakers that are not closed."),
		poolLeft: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "flyball_trip_budget_pool_left",
			Help: "Automatic trips and approvals that each pool of the budget still allows this hour."}, []string{"pool"}),
		waiting:    gauge("flyball_gates_waiting", "Calls that wait for a person's approval."),
		oldest:     gauge("flyball_gates_oldest_seconds", "How long the oldest of them has waited."),
		budgetLeft: gauge("flyball_trip_budget_left", "Automatic trips that the budget still allows this hour."),
		stale:      gauge("flyball_control_stale", "1 while the command log is silent: the last state holds."),
		settingsDiffer: gauge("flyball_settings_differ",
			"1 while the settings in this point's file are not those in the log, which hold."),
	}
	for _, why := range []string{"malformed", "unknown_kind", "snapshot"} { // present from the start, so that the first fault is an increase
		m.malformed.WithLabelValues(why)
	}
	for _, part := range []string{"tail", "head"} {
		m.lost.WithLabelValues(part)
	}
	if r != nil {
		r.MustRegister(m.malformed, m.faults, m.lost, m.open, m.poolLeft, m.waiting, m.oldest, m.budgetLeft, m.stale, m.settingsDiffer)
	}
	return m
}

// updateGauges sets the gauges of the folded state, and logs when the state becomes stale or is no
// longer stale: a client that cannot connect reports no error. It returns whether the state is
// stale; before is the previous return value.
func (p ticker) updateGauges(before bool) bool {
	v := p.Acquire()
	n, oldest := v.Approvals.Pending()
	clock := v.Position.Time
	used := v.Breakers.BudgetUsage(p.o.Tenant, clock)
	stale, loaded, silent := v.Stale(), v.Loaded(), v.r.silentFor()
	v.Release()
	age := 0.0
	if n > 0 {
		age = float64(clock-oldest) / 1e9
	}
	p.m.waiting.Set(float64(n))
	p.m.oldest.Set(age)
	p.m.budgetLeft.Set(float64(max(used.Of-used.Trips, 0)))
	for pool, s := range map[string]breaker.PoolUsage{"trips": {Trips: used.Trips, Of: used.Of}, "gates": used.Gates,
		"claimed_trips": used.Claimed, "claimed_gates": used.ClaimedGates} {
		p.m.poolLeft.WithLabelValues(pool).Set(float64(max(s.Of-s.Trips, 0)))
	}
	p.m.stale.Set(map[bool]float64{true: 1}[stale])
	switch {
	case !loaded:
		return false
	case stale && !before:
		p.o.Logger.Warn("the command log is silent: the last state holds, and failure modes decide", "silent_for", silent.Round(time.Second))
	case before && !stale:
		p.o.Logger.Info("the command log answers again, and this point has caught up with it")
	}
	return stale
}
