package app

import (
	"runtime/metrics"

	"github.com/prometheus/client_golang/prometheus"
)

// heapMetrics exports what flyball_memory_limit_bytes is to be compared with: live heap, and the
// share of CPU time that the collector takes.
type heapMetrics struct {
	live, collector, used *prometheus.Desc
}

func newHeapMetrics() heapMetrics {
	return heapMetrics{
		live: prometheus.NewDesc("flyball_heap_live_bytes",
			"Live heap after the last collection. Near flyball_memory_limit_bytes the collector takes more and more CPU.", nil, nil),
		collector: prometheus.NewDesc("flyball_collector_cpu_seconds_total",
			"CPU time of the collector, estimated by the Go runtime; divide its rate by that of flyball_runtime_cpu_seconds_total.", nil, nil),
		used: prometheus.NewDesc("flyball_runtime_cpu_seconds_total",
			"CPU time of the process with its collector, estimated by the Go runtime as of the last collection.", nil, nil),
	}
}

// Describe sends the descriptions of the metrics.
func (h heapMetrics) Describe(out chan<- *prometheus.Desc) {
	out <- h.live
	out <- h.collector
	out <- h.used
}

// Collect reads the figures from the Go runtime.
func (h heapMetrics) Collect(out chan<- prometheus.Metric) {
	s := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/cpu/classes/gc/total:cpu-seconds"},
		{Name: "/cpu/classes/total:cpu-seconds"}, {Name: "/cpu/classes/idle:cpu-seconds"}}
	metrics.Read(s)
	out <- prometheus.MustNewConstMetric(h.live, prometheus.GaugeValue, float64(s[0].Value.Uint64()))
	out <- prometheus.MustNewConstMetric(h.collector, prometheus.CounterValue, s[1].Value.Float64())
	out <- prometheus.MustNewConstMetric(h.used, prometheus.CounterValue, s[2].Value.Float64()-s[3].Value.Float64())
}
