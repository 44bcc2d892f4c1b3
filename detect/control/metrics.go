package control

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	checks    *prometheus.CounterVec
	malformed prometheus.Counter
	open      prometheus.Gauge
	dropped   prometheus.Counter

	checked, refused atomic.Uint64
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		checks:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "flyball_checks_total", Help: "Requests checked, by named reason of the answer."}, []string{"why"}),
		malformed: prometheus.NewCounter(prometheus.CounterOpts{Name: "flyball_control_malformed_total", Help: "Commands that could not be read."}),
		open:      prometheus.NewGauge(prometheus.GaugeOpts{Name: "flyball_breakers_open", Help: "Breakers that are not closed."}),
		dropped:   prometheus.NewCounter(prometheus.CounterOpts{Name: "flyball_observations_dropped_total", Help: "Checked requests that found no room on their way to flyball.calls."}),
	}
	if r != nil {
		r.MustRegister(m.checks, m.malformed, m.open, m.dropped)
	}
	return m
}
