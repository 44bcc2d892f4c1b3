package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// pointGone is after how long without a heartbeat an enforcement point counts as stopped.
const pointGone = 10 * time.Minute

// heartbeats are the newest ones of enforcement points, for roles that write commands
// and are no point themselves.
type heartbeats struct {
	kafka kafka.Config
	log   *slog.Logger
	now   func() time.Time

	mu sync.Mutex
	by map[string]heartbeat
}

type heartbeat struct {
	at    time.Time
	reads int
}

const maxHeartbeats = 1000

func newHeartbeats(cfg kafka.Config, log *slog.Logger) *heartbeats {
	return &heartbeats{kafka: cfg, log: log, now: time.Now, by: map[string]heartbeat{}}
}

// fold takes a record of flyball.points in.
func (h *heartbeats) fold(r *kgo.Record) {
	p, err := wire.DecodeDocument[schema.PointState](r.Value, wire.PointVersion)
	if err != nil || p.Point == "" {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, known := h.by[p.Point]; known || len(h.by) < maxHeartbeats {
		h.by[p.Point] = heartbeat{r.Timestamp, max(p.Reads, 1)}
	}
}

// allRead reports whether there is a live point, and every live one folds commands of a
// kind. A kind that a point does not know would end it.
func (h *heartbeats) allRead(kind schema.CommandKind) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	live := false
	for _, p := range h.by {
		if h.now().Sub(p.at) > pointGone {
			continue
		}
		if p.reads < kind.Feature() {
			return false
		}
		live = true
	}
	return live
}

// run reads heartbeats until ctx ends.
func (h *heartbeats) run(ctx context.Context) error {
	client, err := h.kafka.NewClient("heartbeats",
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{wire.PointsTopic: {0: kgo.NewOffset().AtStart()}}))
	if err != nil {
		return fmt.Errorf("%s: %w", wire.PointsTopic, err)
	}
	defer client.Close()
	var warned time.Time
	for {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err := fetches.Err(); err != nil && !errors.Is(err, context.Canceled) {
			if now := h.now(); now.Sub(warned) > time.Minute {
				warned = now
				h.log.Warn("heartbeats of enforcement points cannot be read", "topic", wire.PointsTopic, "error", err)
			}
			select {
			case <-ctx.Done():
				return nil
			case <-time.After(time.Second):
			}
		}
		fetches.EachRecord(h.fold)
	}
}
