package pager

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/alerts/incident"
)

// Metrics are shared by the pagers of a process; receivers are configured, so
// their label is bounded.
type Metrics struct {
	pages       *prometheus.CounterVec
	failures    *prometheus.CounterVec
	undelivered *prometheus.CounterVec
	waiting     *prometheus.GaugeVec
	took        *prometheus.HistogramVec
}

// NewMetrics registers.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		pages:       prometheus.NewCounterVec(prometheus.CounterOpts{Name: "flyball_alert_pages_total", Help: "Pages that a receiver acknowledged."}, []string{"receiver", "kind"}),
		failures:    prometheus.NewCounterVec(prometheus.CounterOpts{Name: "flyball_alert_failures_total", Help: "Attempts that failed and are made again."}, []string{"receiver"}),
		undelivered: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "flyball_alert_undelivered_total", Help: "Pages that a receiver refused for good. Alarm on any increase."}, []string{"receiver"}),
		waiting:     prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "flyball_alert_waiting_seconds", Help: "How long the page at hand has waited for its receiver; 0 when nothing waits."}, []string{"receiver"}),
		took:        prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "flyball_alert_delivery_seconds", Help: "From the first attempt to the acknowledgement.", Buckets: prometheus.ExponentialBuckets(.001, 4, 10)}, []string{"receiver"}),
	}
	if reg != nil {
		reg.MustRegister(m.pages, m.failures, m.undelivered, m.waiting, m.took)
	}
	return m
}

func (m *Metrics) delivered(receiver string, p *incident.Page, took time.Duration) {
	m.pages.WithLabelValues(receiver, string(p.Kind)).Inc()
	m.took.WithLabelValues(receiver).Observe(took.Seconds())
	m.waiting.WithLabelValues(receiver).Set(0)
}
