package store

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	rows     *prometheus.CounterVec
	bytes    prometheus.Counter
	batches  prometheus.Counter
	seconds  prometheus.Histogram
	retries  prometheus.Counter
	skipped  *prometheus.CounterVec
	refused  prometheus.Gauge
	lag      *prometheus.GaugeVec
	eventAge *eventAges
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		rows: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "flyball_store_rows_total",
			Help: "Rows inserted into ClickHouse, repeats included."}, []string{"table"}),
		bytes: prometheus.NewCounter(prometheus.CounterOpts{Name: "flyball_store_bytes_total",
			Help: "Bytes of column blocks inserted."}),
		batches: prometheus.NewCounter(prometheus.CounterOpts{Name: "flyball_store_batches_total",
			Help: "Batches stored and committed."}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "flyball_store_batch_seconds",
			Help:    "Time from the first insert of a batch to its commit, retries included.",
			Buckets: prometheus.ExponentialBuckets(0.01, 2.5, 10)}),
		retries: prometheus.NewCounter(prometheus.CounterOpts{Name: "flyball_store_retries_total",
			Help: "Requests to ClickHouse or to the dead letters that failed and were repeated."}),
		skipped: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "flyball_store_skipped_total",
			Help: "Journal records not inserted: stored already, malformed, or one block of theirs unreadable."}, []string{"why"}),
		refused: prometheus.NewGauge(prometheus.GaugeOpts{Name: "flyball_store_refused_partitions",
			Help: "Journal partitions that wait for a newer binary."}),
		lag: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "flyball_store_unfetched_records",
			Help: "Journal records that this member has not read, as of its last fetch; " +
				"flyball_lag_records counts what is not stored."}, []string{"partition"}),
		eventAge: newEventAges(time.Now),
	}
	if r != nil {
		r.MustRegister(m.rows, m.bytes, m.batches, m.seconds, m.retries, m.skipped, m.refused, m.lag, m.eventAge)
	}
	for _, why := range []string{skippedStored, skippedMalformed, skippedBlock} {
		m.skipped.WithLabelValues(why)
	}
	return m
}

// Reasons why a record was skipped: values of the label why.
const (
	skippedStored    = "stored"
	skippedMalformed = "malformed"
	skippedBlock     = "block"
)

func partitionLabel(p int32) string { return strconv.Itoa(int(p)) }
