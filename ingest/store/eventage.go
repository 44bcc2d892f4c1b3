package store

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// eventAges is a metric: the age of the latest event that is stored, by partition, while records wait. It is calculated when it is read,
// so that it grows while ClickHouse is away. It is safe for concurrent use.
type eventAges struct {
	desc *prometheus.Desc
	now  func() time.Time

	mu    sync.Mutex
	parts map[int32]eventAge
}

type eventAge struct {
	latest  time.Time // of the events that are stored; zero: none was, or it is not known
	waiting bool      // records were read and are not stored
}

func newEventAges(now func() time.Time) *eventAges {
	return &eventAges{now: now, parts: map[int32]eventAge{}, desc: prometheus.NewDesc("flyball_store_event_age_seconds",
		"Age of the latest event stored, while records wait; 0 when none does.", []string{"partition"}, nil)}
}

// reading records that a record of a partition waits. latest is up to which event the partition was stored when its reading began.
func (e *eventAges) reading(part int32, latest time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	a := e.parts[part]
	a.waiting = true
	if a.latest.IsZero() {
		a.latest = latest
	}
	e.parts[part] = a
}

// stored records up to which event a partition is stored, and whether more records wait. latest is zero if no event was stored.
func (e *eventAges) stored(part int32, latest time.Time, waiting bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if latest.IsZero() {
		latest = e.parts[part].latest
	}
	e.parts[part] = eventAge{latest, waiting}
}

// forget removes a partition, which another member of the group stores.
func (e *eventAges) forget(part int32) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.parts, part)
}

func (a eventAge) seconds(now time.Time) float64 {
	if !a.waiting || a.latest.IsZero() {
		return 0
	}
	return max(0, now.Sub(a.latest).Seconds())
}

// Describe sends the description of the metric.
func (e *eventAges) Describe(out chan<- *prometheus.Desc) { out <- e.desc }

// Collect sends a value for each partition.
func (e *eventAges) Collect(out chan<- prometheus.Metric) {
	e.mu.Lock()
	defer e.mu.Unlock()
	now := e.now()
	for part, a := range e.parts {
		out <- prometheus.MustNewConstMetric(e.desc, prometheus.GaugeValue, a.seconds(now), partitionLabel(part))
	}
}
