package pager

import (
	"errors"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/alerts/incident"
	"flyball/alerts/notify"
)

// Metrics are shared by the pagers of a process. The label receiver is bounded, because receivers are configured.
type Metrics struct {
	pages       *prometheus.CounterVec
	failures    *prometheus.CounterVec
	undelivered *prometheus.CounterVec
	refusing    *prometheus.GaugeVec
	waiting     *prometheus.GaugeVec
	took        *prometheus.HistogramVec
	lag         *prometheus.GaugeVec
}

// NewMetrics registers the metrics with reg, unless reg is nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		pages: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "flyball_alert_pages_total",
			Help: "Pages that a receiver acknowledged."}, []string{"receiver", "kind"}),
		failures: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "flyball_alert_failures_total",
			Help: "Attempts to deliver that failed and are repeated."}, []string{"receiver"}),
		undelivered: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "flyball_alert_undelivered_total",
			Help: "Pages that a receiver refused and that are not sent again. Alarm on any increase."}, []string{"receiver"}),
		refusing: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "flyball_alert_refusing",
			Help: "1 while a receiver refuses every page (HTTP 401, 403, 404, 410 and the like), else 0. Alarm on 1."}, []string{"receiver"}),
		waiting: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "flyball_alert_waiting_seconds",
			Help: "How long the next page has waited for its receiver; 0 when none waits."}, []string{"receiver"}),
		took: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "flyball_alert_delivery_seconds",
			Help: "From the first attempt to the acknowledgement.", Buckets: prometheus.ExponentialBuckets(.001, 4, 10)}, []string{"receiver"}),
		lag: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "flyball_alert_unhandled_records",
			Help: "Events that this pager has not handled, as of its last fetch; " +
				"flyball_lag_records counts all partitions."}, []string{"receiver", "partition"}),
	}
	if reg != nil {
		reg.MustRegister(m.pages, m.failures, m.undelivered, m.refusing, m.waiting, m.took, m.lag)
	}
	return m
}

// expect makes the series of a receiver present, so that its first refusal is an increase.
func (m *Metrics) expect(receiver string) {
	m.failures.WithLabelValues(receiver)
	m.undelivered.WithLabelValues(receiver)
	m.refusing.WithLabelValues(receiver)
	m.waiting.WithLabelValues(receiver)
}

func (m *Metrics) delivered(receiver string, p *incident.Page, took time.Duration) {
	m.pages.WithLabelValues(receiver, string(p.Kind)).Inc()
	m.took.WithLabelValues(receiver).Observe(took.Seconds())
	m.refusing.WithLabelValues(receiver).Set(0)
}

// refused counts a page that a receiver has refused.
func (m *Metrics) refused(receiver string, err error) {
	m.undelivered.WithLabelValues(receiver).Inc()
	var refusal *notify.Refused
	if errors.As(err, &refusal) && refusal.RefusesAllPages() {
		m.refusing.WithLabelValues(receiver).Set(1)
	}
}

func partitionLabel(p int32) string { return strconv.Itoa(int(p)) }
