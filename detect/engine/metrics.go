package engine

import (
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/detector"
)

type metrics struct {
	calls      prometheus.Counter
	duplicates prometheus.Counter
	replayed   prometheus.Counter
	late       prometheus.Counter
	malformed  prometheus.Counter
	unreadable prometheus.Counter
	refusals   *prometheus.CounterVec
	closed     prometheus.Counter
	byRule     *prometheus.CounterVec
	openRuns   *prometheus.GaugeVec
	actors     *prometheus.GaugeVec
	lag        *prometheus.GaugeVec
	lagSeconds *prometheus.GaugeVec
	checkpoint *prometheus.GaugeVec
	watermark  *prometheus.GaugeVec
	restore    prometheus.Histogram

	stateBytes  *prometheus.GaugeVec
	stateLog    *prometheus.GaugeVec
	stateWrites stateWrites

	findings         *prometheus.CounterVec
	trips            prometheus.Counter
	closedRuns       prometheus.Counter
	proven           prometheus.Counter
	missingBaselines prometheus.Counter
	refusedBaselines prometheus.Counter
	detectors        *detector.Metrics
}

// stateWrites counts what is written to flyball.state for actors.
type stateWrites struct{ entries, bytes, deleted prometheus.Counter }

func newMetrics(r prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{Name: name, Help: help})
		r.MustRegister(c)
		return c
	}
	gauge := func(name, help string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: name, Help: help}, []string{"partition"})
		r.MustRegister(g)
		return g
	}
	m := &metrics{
		calls:      counter("flyball_detect_calls_total", "Calls bound to a run."),
		duplicates: counter("flyball_detect_duplicates_total", "Calls dropped because their position had been seen."),
		replayed:   counter("flyball_detect_replayed_total", "Calls skipped after a restart because their actor's entry includes them."),
		late:       counter("flyball_detect_late_total", "Calls that came after the watermark had passed them."),
		malformed:  counter("flyball_detect_malformed_total", "Records of flyball.calls that could not be read."),
		unreadable: counter("flyball_detect_unreadable_state_total",
			"Actors and runs whose stored state could not be read at a restart: they began anew."),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "flyball_detect_refusals_total",
			Help: "Runs and actors that found no room and went to overflow, by the standing of the caller."}, []string{"standing"}),
		closed: counter("flyball_detect_closed_early_total",
			"Idle runs that were closed before silence would have closed them, to make room for a new one."),
		openRuns: gauge("flyball_detect_open_runs", "Open runs."),
		actors:   gauge("flyball_detect_actors", "Actors remembered."),
		lag: gauge("flyball_detect_unfetched_records",
			"Records that this member has not read, as of its last fetch; flyball_lag_records counts all partitions."),
		lagSeconds: gauge("flyball_detect_event_age_seconds",
			"Age of the newest record read, by its own timestamp, while there is lag; else 0."),
		checkpoint: gauge("flyball_detect_checkpoint_age_seconds", "Time since the partition's record was written or found up to date."),
		watermark:  gauge("flyball_detect_watermark_seconds", "Watermark, Unix seconds of event time."),
		restore: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "flyball_detect_restore_seconds",
			Help: "Time to restore a partition.", Buckets: prometheus.ExponentialBuckets(0.01, 2, 12)}),
		byRule: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "flyball_detect_calls_by_rule_total",
			Help: "Calls by the rule that bound them."}, []string{"rule"}),
	}
	m.findings = prometheus.NewCounterVec(prometheus.CounterOpts{Name: "flyball_detect_findings_total",
		Help: "Versions of findings written."}, []string{"family", "level"})
	m.trips = counter("flyball_detect_trips_total", "Findings that reached level trip, each once, without those of learned scopes.")
	m.closedRuns = counter("flyball_detect_closed_runs_total", "Runs that silence has closed.")
	m.missingBaselines = counter("flyball_detect_missing_baselines_total", "Activations of a baseline that could not be found.")
	m.refusedBaselines = counter("flyball_detect_refused_baselines_total",
		"Activations of a baseline that is newer than this binary, malformed or unsound.")
	m.proven = counter("flyball_detect_proven_credentials_total",
		"Credentials reported to the points as accepted by the API, each at most once a day.")
	m.stateBytes = gauge("flyball_detect_state_bytes",
		"Bytes of the newest stored entries of the actors in memory: what a restart reads. The heap that they take is several times this.")
	m.stateLog = gauge("flyball_detect_state_log_bytes",
		"Bytes of the records of flyball.state that detect has not deleted, of which a restart needs flyball_detect_state_bytes. "+
			"0: the broker compacts the topic itself.")
	m.stateWrites = stateWrites{
		entries: counter("flyball_detect_state_entries_total", "Entries of actors written to flyball.state."),
		bytes:   counter("flyball_detect_state_written_bytes_total", "Bytes of the entries written to flyball.state, before compression."),
		deleted: counter("flyball_detect_state_deleted_bytes_total", "Bytes at the beginning of flyball.state that detect deleted."),
	}
	r.MustRegister(m.refusals, m.restore, m.byRule, m.findings)
	m.detectors = detector.NewMetrics(r)
	return m
}

// setLag sets a partition's lag after a poll that read records of it.
func (m *metrics) setLag(p *kgo.FetchTopicPartition, now time.Time) {
	last := p.Records[len(p.Records)-1]
	lag := p.HighWatermark - last.Offset - 1
	age := 0.0
	if lag > 0 {
		age = now.Sub(last.Timestamp).Seconds()
	}
	label := strconv.Itoa(int(p.Partition))
	m.lag.WithLabelValues(label).Set(float64(lag))
	m.lagSeconds.WithLabelValues(label).Set(age)
}
