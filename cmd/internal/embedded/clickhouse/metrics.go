package clickhouse

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	starts   prometheus.Counter
	restarts prometheus.Counter
	ready    prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		starts: prometheus.NewCounter(prometheus.CounterOpts{Name: "flyball_engine_starts_total",
			Help: "Starts of the embedded ClickHouse engine, the first one included."}),
		restarts: prometheus.NewCounter(prometheus.CounterOpts{Name: "flyball_engine_restarts_total",
			Help: "Ends of the embedded ClickHouse engine that were not requested; each is followed by a start."}),
		ready: prometheus.NewGauge(prometheus.GaugeOpts{Name: "flyball_engine_ready",
			Help: "1 while the embedded ClickHouse engine answers queries."}),
	}
	if reg != nil {
		reg.MustRegister(m.starts, m.restarts, m.ready)
	}
	return m
}
