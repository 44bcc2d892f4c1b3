package point

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

const (
	// pointTTL is the time without a heartbeat after which a point counts as stopped.
	pointTTL = 10 * time.Minute
	// maxPoints is how many points are kept.
	maxPoints = 1000
)

// Heartbeats holds the newest heartbeats of enforcement points (flyball.points). It is safe for
// concurrent use.
type Heartbeats struct {
	mu sync.Mutex
	by map[string]heartbeat
	// complete: all heartbeats that were in the topic when the point started have been read.
	complete atomic.Bool
}

type heartbeat struct {
	schema.PointState
	written time.Time // by the broker's clock
}

// NewHeartbeats returns an empty Heartbeats.
func NewHeartbeats() *Heartbeats { return &Heartbeats{by: map[string]heartbeat{}} }

// Add adds a record of flyball.points. A record that cannot be read is skipped.
func (h *Heartbeats) Add(r *kgo.Record) {
	state, err := wire.DecodeDocument[schema.PointState](r.Value, wire.PointVersion)
	if err != nil || state.Point == "" {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, known := h.by[state.Point]; known || len(h.by) < maxPoints {
		h.by[state.Point] = heartbeat{state, r.Timestamp}
	}
}

// others returns the heartbeats of the other points that are not older than pointTTL at a time of
// the log's clock in Unix ns.
func (h *Heartbeats) others(name string, clock int64) (out []schema.PointState) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.by {
		if p.Point != name && clock-p.At < int64(pointTTL) {
			out = append(out, p.PointState)
		}
	}
	return out
}

// Live returns the newest heartbeats of the points that have written one in the last ten minutes, by their names.
func (h *Heartbeats) Live(now time.Time) (out []schema.PointState) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(h.by)) {
		if p := h.by[name]; now.Sub(p.written) <= pointTTL {
			out = append(out, p.PointState)
		}
	}
	return out
}

// AllRead reports whether there is a live point, and every live point can fold commands of a kind:
// an unknown kind would end the fold of a point. A point is live if it has written a heartbeat in
// the last ten minutes.
func (h *Heartbeats) AllRead(kind schema.CommandKind, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	live := false
	for _, p := range h.by {
		if now.Sub(p.written) > pointTTL {
			continue
		}
		if max(p.Reads, 1) < kind.Feature() {
			return false
		}
		live = true
	}
	return live
}

// Run reads the heartbeats of all points until ctx ends, for roles that write commands and have no
// point. It returns a permanent error of reading.
func (h *Heartbeats) Run(ctx context.Context, cfg kafka.Config) error {
	const name = "heartbeats"
	client, err := cfg.NewClient(name, kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{
		wire.PointsTopic: {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		return fmt.Errorf("%s: %w", wire.PointsTopic, err)
	}
	defer client.Close()
	consumer := kafka.Consumer{Config: cfg, Client: client, Name: name, Handle: func(_ context.Context, b kafka.Batch) error {
		b.EachRecord(h.Add)
		return nil
	}}
	return consumer.Run(ctx)
}
