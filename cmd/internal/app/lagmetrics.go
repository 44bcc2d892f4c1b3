package app

import (
	"context"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// Describe sends nothing: the series depend on Kafka's topics.
func (*lagReader) Describe(chan<- *prometheus.Desc) {}

// lagDescs describe the metrics of the lag.
type lagDescs struct{ records, seconds, deleted, known, retention *prometheus.Desc }

func newLagDescs() lagDescs {
	labels := []string{"group", "topic", "partition"}
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc(name, help, labels, nil)
	}
	return lagDescs{
		records: desc("flyball_lag_records", "Records that a consumer group has not handled and committed, from Kafka's offsets; "+
			"absent if not known. Each process exports all groups; the one that runs detect knows best about its group: use the minimum.",
			labels...),
		seconds: desc("flyball_lag_seconds",
			"How long the oldest record that a consumer group has not handled has waited, as far as this process has seen.", labels...),
		deleted: desc("flyball_lag_deleted_records",
			"Records that retention deleted before a consumer group handled them: they are lost to it.", labels...),
		known: desc("flyball_lag_known", "1 if Kafka answers for its offsets, 0 if the lag is not known."),
		retention: desc("flyball_topic_retention_seconds",
			"For how long a topic that Flyball reads keeps records; absent: without an end, or not known.", "topic"),
	}
}

// Collect reads the lag and sends it as metrics. If it is not known, there are no series of lag.
func (l *lagReader) Collect(out chan<- prometheus.Metric) {
	parts, err := l.read(context.Background())
	l.mu.Lock()
	for topic, kept := range l.retention {
		out <- prometheus.MustNewConstMetric(l.descs.retention, prometheus.GaugeValue, kept.Seconds(), topic)
	}
	l.mu.Unlock()
	known := 1.0
	if err != nil {
		known = 0
	}
	out <- prometheus.MustNewConstMetric(l.descs.known, prometheus.GaugeValue, known)
	for i := range parts {
		p := &parts[i]
		if p.Err != nil {
			continue
		}
		labels := []string{p.Group, p.Topic, strconv.Itoa(int(p.Partition))}
		out <- prometheus.MustNewConstMetric(l.descs.records, prometheus.GaugeValue, float64(p.Records), labels...)
		out <- prometheus.MustNewConstMetric(l.descs.seconds, prometheus.GaugeValue, l.seconds(p), labels...)
		out <- prometheus.MustNewConstMetric(l.descs.deleted, prometheus.GaugeValue, float64(p.Deleted), labels...)
	}
}
