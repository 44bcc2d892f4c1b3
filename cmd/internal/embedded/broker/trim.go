package broker

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kfake"
)

// clean deletes records that all readers of a topic have committed. It does not change a partition for which a reader has committed
// nothing.
func (b *Broker) clean() {
	committed := map[string]map[string]map[int32]int64{}
	for topic, groups := range b.opt.Readers {
		info := b.cluster.TopicInfo(topic)
		if info == nil {
			continue
		}
		kept := int64(0)
		for _, p := range b.cluster.PartitionInfos(topic) {
			low, ok := int64(-1), true
			for _, g := range groups {
				if committed[g] == nil {
					committed[g] = offsetsOf(b.cluster.GroupInfo(g))
				}
				at, has := committed[g][topic][p.Partition]
				if ok = ok && has && at != b.void[reading{g, topic, p.Partition}]; !ok {
					break
				}
				if low < 0 || at < low {
					low = at
				}
			}
			// The last record is kept: after kill -9 the broker needs it to know the next offset. An empty partition would start at 0 again.
			low = min(low, p.HighWatermark-1)
			if ok && low > p.LogStartOffset {
				if err := b.cluster.DeleteRecords(topic, p.Partition, low); err != nil {
					b.log.Warn("records that every reader has read could not be deleted", "topic", topic,
						"partition", p.Partition, "below", low, "error", err)
				} else {
					b.m.deleted.Add(float64(low - p.LogStartOffset))
				}
			}
			kept += p.HighWatermark - max(low, p.LogStartOffset)
		}
		b.m.unread.WithLabelValues(topic).Set(float64(kept))
	}
}

// reading is the reading of a partition by a group.
type reading struct {
	group, topic string
	partition    int32
}

// voidCommits returns the committed offsets that are after the end of their log: the log has lost its end. Until their groups commit
// others, new records that get these offsets are unread.
func (b *Broker) voidCommits() map[reading]int64 {
	out := map[reading]int64{}
	for topic, groups := range b.opt.Readers {
		if b.cluster.TopicInfo(topic) == nil {
			continue
		}
		for _, g := range groups {
			committed := offsetsOf(b.cluster.GroupInfo(g))[topic]
			for _, p := range b.cluster.PartitionInfos(topic) {
				if at, has := committed[p.Partition]; has && at > p.HighWatermark {
					out[reading{g, topic, p.Partition}] = at
				}
			}
		}
	}
	return out
}

func offsetsOf(g *kfake.GroupInfo) map[string]map[int32]int64 {
	out := map[string]map[int32]int64{}
	if g == nil {
		return out
	}
	for t, parts := range g.Commits {
		out[t] = map[int32]int64{}
		for p, c := range parts {
			out[t][p] = c.Offset
		}
	}
	return out
}

type metrics struct {
	opened  prometheus.Gauge
	deleted prometheus.Counter
	unread  *prometheus.GaugeVec
	refused *prometheus.CounterVec
	free    prometheus.Gauge
	kept    prometheus.Gauge
	noRoom  prometheus.Counter

	compaction prometheus.Histogram
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		opened: prometheus.NewGauge(prometheus.GaugeOpts{Name: "flyball_broker_open_seconds",
			Help: "Time the embedded broker took to open its directory."}),
		deleted: prometheus.NewCounter(prometheus.CounterOpts{Name: "flyball_broker_deleted_records_total",
			Help: "Records deleted after every reader had committed them."}),
		unread: prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "flyball_broker_unread_records",
			Help: "Records that some reader has not committed, by topic of Flyball's and its inputs."}, []string{"topic"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "flyball_broker_refused_connections_total",
			Help: "Connections that the embedded broker closed: connections (too many), size or kind of a request, slow (it did not arrive)."},
			[]string{"reason"}),
		free: prometheus.NewGauge(prometheus.GaugeOpts{Name: "flyball_disk_free_bytes",
			Help: "Free bytes of the file system with the embedded broker's data."}),
		kept: prometheus.NewGauge(prometheus.GaugeOpts{Name: "flyball_disk_kept_free_bytes",
			Help: "Free bytes below which the embedded broker refuses new input: kafka.min_free_mib, or the share of a small file system."}),
		noRoom: prometheus.NewCounter(prometheus.CounterOpts{Name: "flyball_broker_refused_for_space_total",
			Help: "Requests whose records the embedded broker refused because the disk is full."}),
		compaction: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "flyball_broker_compaction_seconds",
			Help:    "Time of compactions of the embedded broker, which answers no request meanwhile.",
			Buckets: []float64{.05, .1, .25, .5, 1, 2, 4, 8, 16}}),
	}
	r.MustRegister(m.opened, m.deleted, m.unread, m.refused, m.free, m.kept, m.noRoom, m.compaction)
	return m
}
