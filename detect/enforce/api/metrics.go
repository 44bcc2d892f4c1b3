package api

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	checks     *prometheus.CounterVec
	would      *prometheus.CounterVec
	took       prometheus.Histogram
	panics     prometheus.Counter
	claims     *prometheus.CounterVec
	refusals   *prometheus.CounterVec
	malformed  *prometheus.CounterVec
	faults     *prometheus.CounterVec
	lost       *prometheus.CounterVec
	open       prometheus.Gauge
	dropped    prometheus.Counter
	full       *prometheus.CounterVec
	poolLeft   *prometheus.GaugeVec
	waiting    prometheus.Gauge
	oldest     prometheus.Gauge
	budgetLeft prometheus.Gauge
	stale      prometheus.Gauge
	plain      prometheus.Counter
	unsigned   prometheus.Counter

	settingsDiffer prometheus.Gauge

	checked, refused atomic.Uint64
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		checks: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "flyball_checks_total", Help: "Requests checked, by named reason of the answer."}, []string{"why"}),
		took: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "flyball_check_seconds", Help: "From the request to its answer, without the network; claims through the log included.",
			Buckets: []float64{5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, .1, .2, .5}}),
		would:      prometheus.NewCounterVec(prometheus.CounterOpts{Name: "flyball_checks_would_total", Help: "Requests that something not armed would have held or denied, by named reason."}, []string{"why"}),
		panics:     prometheus.NewCounter(prometheus.CounterOpts{Name: "flyball_check_panics_total", Help: "Checks that went wrong inside; their requests were denied."}),
		claims:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "flyball_claims_total", Help: "What answers had to claim through the log, by kind and outcome."}, []string{"kind", "outcome"}),
		refusals:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "flyball_control_refused_total", Help: "Requests to the control API that were refused, by named reason."}, []string{"why"}),
		malformed:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "flyball_control_malformed_total", Help: "Commands and snapshots that could not be read and were passed over, by what was wrong."}, []string{"why"}),
		faults:     prometheus.NewCounterVec(prometheus.CounterOpts{Name: "flyball_control_log_errors_total", Help: "Errors of reading from and writing to the log."}, []string{"doing", "what"}),
		lost:       prometheus.NewCounterVec(prometheus.CounterOpts{Name: "flyball_control_log_lost_records_total", Help: "Records that the command log had lost at the start: its tail after they were folded, its head before."}, []string{"part"}),
		open:       prometheus.NewGauge(prometheus.GaugeOpts{Name: "flyball_breakers_open", Help: "Breakers that are not closed."}),
		dropped:    prometheus.NewCounter(prometheus.CounterOpts{Name: "flyball_observations_dropped_total", Help: "Checked requests that found no room on their way to flyball.calls."}),
		full:       prometheus.NewCounterVec(prometheus.CounterOpts{Name: "flyball_pool_full_total", Help: "What found no room in the share of its callers, by their standing and by what was full: questions, claims, leases, observations, work."}, []string{"standing", "what"}),
		poolLeft:   prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "flyball_trip_budget_pool_left", Help: "Automatic trips and gates that each pool of the budget still has this hour."}, []string{"pool"}),
		waiting:    prometheus.NewGauge(prometheus.GaugeOpts{Name: "flyball_gates_waiting", Help: "Questions that wait for a person's yes or no."}),
		oldest:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "flyball_gates_oldest_seconds", Help: "How long the oldest of them has waited."}),
		budgetLeft: prometheus.NewGauge(prometheus.GaugeOpts{Name: "flyball_trip_budget_left", Help: "Automatic trips that the budget still has this hour."}),
		stale:      prometheus.NewGauge(prometheus.GaugeOpts{Name: "flyball_control_stale", Help: "1 while the command log does not speak: the last state stands."}),
		plain:      prometheus.NewCounter(prometheus.CounterOpts{Name: "flyball_check_plain_total", Help: "Requests to /check without a dialect: an old gateway file, refused by the next release."}),
		unsigned:   prometheus.NewCounter(prometheus.CounterOpts{Name: "flyball_check_unsigned_total", Help: "Answers without a receipt, since the caller's ids are too long for one."}),

		settingsDiffer: prometheus.NewGauge(prometheus.GaugeOpts{Name: "flyball_settings_differ", Help: "1 while the settings in this point's file are not those in the log, which hold."}),
	}
	for _, why := range []string{"malformed", "unknown_kind", "snapshot"} { // there from the start, so that a first one is an increase
		m.malformed.WithLabelValues(why)
	}
	for _, part := range []string{"tail", "head"} {
		m.lost.WithLabelValues(part)
	}
	if r != nil {
		r.MustRegister(m.panics, m.checks, m.would, m.took, m.claims, m.refusals, m.malformed, m.open, m.dropped, m.full, m.poolLeft, m.waiting, m.oldest, m.budgetLeft, m.stale,
			m.faults, m.lost, m.settingsDiffer, m.plain, m.unsigned)
	}
	return m
}
