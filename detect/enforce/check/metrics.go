package check

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	checks   *prometheus.CounterVec
	would    *prometheus.CounterVec
	took     prometheus.Histogram
	panics   prometheus.Counter
	claims   *prometheus.CounterVec
	dropped  prometheus.Counter
	full     *prometheus.CounterVec
	plain    prometheus.Counter
	unsigned prometheus.Counter
}

func newMetrics(r prometheus.Registerer) *metrics {
	counters := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
	}
	m := &metrics{
		checks: counters("flyball_checks_total", "Requests checked, by named reason of the answer.", "why"),
		would: counters("flyball_checks_would_total",
			"Requests that a rule in mode observe would have held or denied, by named reason.", "why"),
		took: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "flyball_check_seconds",
			Help:    "Seconds from the request to its answer, without the network; claims through the log included.",
			Buckets: []float64{5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, .1, .2, .5}}),
		panics: counter("flyball_check_panics_total", "Checks that failed with a panic; their requests were denied."),
		claims: counters("flyball_claims_total", "Claims through the log that answers waited for, by kind and outcome.", "kind", "outcome"),
		dropped: counter("flyball_observations_dropped_total",
			"Checked requests that were not written to flyball.calls, because the queue was full."),
		full: counters("flyball_pool_full_total",
			"Refusals because the share of the callers was full, by their standing and by the share: questions, claims, leases, observations, work.",
			"standing", "what"),
		plain: counter("flyball_check_plain_total",
			"Requests to /check without a dialect: an old gateway file, refused by the next release."),
		unsigned: counter("flyball_check_unsigned_total", "Answers without a receipt, since the caller's ids are too long for one."),
	}
	if r != nil {
		r.MustRegister(m.checks, m.would, m.took, m.panics, m.claims, m.dropped, m.full, m.plain, m.unsigned)
	}
	return m
}
