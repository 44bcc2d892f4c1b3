package control

import (
	"sync"
	"time"

	"flyball/schema"
)

// askMemory keeps this point from writing the same question twice, and from
// writing more of them than the log should carry, whatever callers invent.
type askMemory struct {
	mu      sync.Mutex
	last    map[string]time.Time
	started time.Time // of the second that is counted
	n       int
}

const (
	mostAsked      = 10_000
	mostAsksSecond = 50
)

func newAskMemory() *askMemory { return &askMemory{last: map[string]time.Time{}} }

// first reports whether a question may be written now: not one that was written
// less than a while ago, and not too many a second.
func (m *askMemory) first(place string, now time.Time, again time.Duration) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	// A clock that was set back makes neither of the two wait for it to come round again.
	if last, ok := m.last[place]; ok && now.Sub(last) < again && !now.Before(last) {
		return false
	}
	if now.Sub(m.started) >= time.Second || now.Before(m.started) {
		m.started, m.n = now, 0
	}
	if m.n++; m.n > mostAsksSecond {
		return false
	}
	if len(m.last) >= mostAsked {
		clear(m.last)
	}
	m.last[place] = now
	return true
}

// submitLater writes a command and does not wait for what becomes of it.
func (c *Control) submitLater(command *schema.Command) {
	c.send(command, c.faults.written(command.Kind.String()))
}
