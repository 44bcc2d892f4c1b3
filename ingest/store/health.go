package store

import (
	"fmt"
	"sync"
	"time"

	"flyball/schema/kafka"
)

// health is the state that Ready reports.
type health struct {
	mu        sync.Mutex
	started   bool // the progress in ClickHouse was read
	outage    error
	doing     string // the operation that failed last in this outage
	since     time.Time
	refused   map[int32]error // journal partitions with a record of a newer version
	consumers []*kafka.Consumer
}

// setFailing records a failed attempt. first reports whether an outage begins with it.
func (h *health) setFailing(doing string, err error, now time.Time) (first bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	first = h.outage == nil
	if first {
		h.since = now
	}
	h.outage, h.doing = err, doing
	return first
}

// setWorking records a success. was reports whether an outage ends with it, and since when that outage began.
func (h *health) setWorking() (was bool, since time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	was, since = h.outage != nil, h.since
	h.outage = nil
	return was, since
}

// addConsumer adds a consumer whose state Ready includes, and returns it.
func (h *health) addConsumer(c *kafka.Consumer) *kafka.Consumer {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.consumers = append(h.consumers, c)
	return c
}

// Ready returns nil while the store works, otherwise the reason why it does not.
func (s *Store) Ready() error {
	h := &s.health
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.outage != nil:
		return fmt.Errorf("store: %s has failed since %s: %w", h.doing, h.since.UTC().Format(time.RFC3339), h.outage)
	case !h.started:
		return fmt.Errorf("store: starting: the progress in ClickHouse was not read yet")
	}
	for p, err := range h.refused {
		return fmt.Errorf("store: partition %d waits: %w", p, err)
	}
	for _, c := range h.consumers {
		if err := c.Ready(); err != nil {
			return err
		}
	}
	return nil
}
