package store

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"flyball/schema/kafka"
)

// slowAfter is how long a request to ClickHouse may have no answer before the store counts as not ready.
const slowAfter = 30 * time.Second

// health is the state that Ready reports. Each reader has its own outage: rows of events may be accepted while those of calls are not.
type health struct {
	mu        sync.Mutex
	started   bool // the progress in ClickHouse was read
	outages   map[string]outage
	requests  map[*request]struct{}
	refused   map[int32]error // journal partitions with a record of a newer version
	consumers []*kafka.Consumer
}

// outage is a series of failed attempts of one reader.
type outage struct {
	err   error
	doing string // the operation that failed last
	since time.Time
}

// request is an operation that has no result yet, with all its attempts.
type request struct {
	reader, doing string
	since         time.Time
}

func newHealth() health {
	return health{refused: map[int32]error{}, outages: map[string]outage{}, requests: map[*request]struct{}{}}
}

// beginRequest records that an operation begins. The returned function records its end.
func (h *health) beginRequest(reader, doing string, now time.Time) (done func()) {
	r := &request{reader, doing, now}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests[r] = struct{}{}
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		delete(h.requests, r)
	}
}

// setFailing records a failed attempt of a reader. first reports whether an outage begins with it.
func (h *health) setFailing(reader, doing string, err error, now time.Time) (first bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	o, known := h.outages[reader]
	if !known {
		o.since = now
	}
	o.err, o.doing = err, doing
	h.outages[reader] = o
	return !known
}

// setWorking records a success of a reader. was reports whether an outage ends with it, and since when that outage began.
func (h *health) setWorking(reader string) (was bool, since time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	o, was := h.outages[reader]
	delete(h.outages, reader)
	return was, o.since
}

// longestOutage returns the outage that began first.
func (h *health) longestOutage() (first outage, ok bool) {
	for _, o := range h.outages {
		if !ok || o.since.Before(first.since) {
			first, ok = o, true
		}
	}
	return first, ok
}

// oldestRequest returns the operation that has had no result for the longest time.
func (h *health) oldestRequest() (oldest *request) {
	for r := range h.requests {
		if oldest == nil || r.since.Before(oldest.since) {
			oldest = r
		}
	}
	return oldest
}

// begin records that the progress in ClickHouse was read.
func (h *health) begin() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.started = true
}

// refuse records why a journal partition waits for a newer binary, and returns how many do.
func (h *health) refuse(part int32, why error) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refused[part] = why
	return len(h.refused)
}

// readAgain records that partitions no longer wait for a newer binary, and returns how many others do.
func (h *health) readAgain(parts []int32) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range parts {
		delete(h.refused, p)
	}
	return len(h.refused)
}

func (h *health) isRefused(part int32) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.refused[part] != nil
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
	if o, ok := h.longestOutage(); ok {
		return fmt.Errorf("store: %s has failed since %s: %w", o.doing, o.since.UTC().Format(time.RFC3339), o.err)
	}
	if r := h.oldestRequest(); r != nil && s.o.Now().Sub(r.since) > slowAfter {
		return fmt.Errorf("store: %s has had no answer for %s", r.doing, s.o.Now().Sub(r.since).Round(time.Second))
	}
	if !h.started {
		return errors.New("store: starting: the progress in ClickHouse was not read yet")
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
