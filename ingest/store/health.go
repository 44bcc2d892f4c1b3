package store

import (
	"fmt"
	"sync"
	"time"

	"flyball/schema/kafka"
)

// health is what Ready answers from.
type health struct {
	mu        sync.Mutex
	started   bool // the progress was read
	outage    error
	doing     string // what has failed since the outage began
	since     time.Time
	refused   map[int32]error // journal partitions that wait for a newer binary
	consumers []*kafka.Consumer
}

// setFailing notes a failed attempt; first reports whether an outage begins with it.
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

// setWorking notes a success; was reports whether an outage ends with it.
func (h *health) setWorking() (was bool, since time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	was, since = h.outage != nil, h.since
	h.outage = nil
	return was, since
}

// addConsumer has Ready answer for a consumer too.
func (h *health) addConsumer(c *kafka.Consumer) *kafka.Consumer {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.consumers = append(h.consumers, c)
	return c
}

// Ready says why the store is not storing, nil when it is.
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
