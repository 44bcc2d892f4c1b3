package source

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/ingest/decode"
)

type metrics struct {
	records prometheus.Counter
	calls   prometheus.Counter
	empty   prometheus.Counter
	dead    *prometheus.CounterVec
	waited  prometheus.Counter
	lag     *prometheus.GaugeVec
	lagTime *prometheus.GaugeVec
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		records: prometheus.NewCounter(prometheus.CounterOpts{Name: "flyball_ingest_records_total",
			Help: "Kafka records read from input topics."}),
		calls: prometheus.NewCounter(prometheus.CounterOpts{Name: "flyball_ingest_calls_total",
			Help: "Calls decoded, without those of the canary."}),
		empty: prometheus.NewCounter(prometheus.CounterOpts{Name: "flyball_ingest_empty_total",
			Help: "Records that hold no call and are no error: tombstones, empty exports, control messages."}),
		dead: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "flyball_ingest_dead_letters_total",
			Help: "Items that could not be read, by reason."}, []string{"reason"}),
		waited: prometheus.NewCounter(prometheus.CounterOpts{Name: "flyball_ingest_waited_seconds_total",
			Help: "Time for which reading waited because detect in the same process was far behind; then the calls wait in the input."}),
		lag: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "flyball_ingest_unfetched_records",
			Help: "Records that this member has not read yet of an input partition that it owns; " +
				"flyball_lag_records counts all partitions."}, []string{"topic", "partition"}),
		lagTime: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "flyball_ingest_event_age_seconds",
			Help: "Age of the newest event read while there is lag, else 0."}, []string{"topic", "partition"}),
	}
	for _, reason := range decode.Reasons() { // present from the start, so that the first one is an increase
		m.dead.WithLabelValues(string(reason))
	}
	r.MustRegister(m.records, m.calls, m.empty, m.dead, m.waited, m.lag, m.lagTime)
	return m
}

func partitionLabel(p int32) string { return strconv.Itoa(int(p)) }
