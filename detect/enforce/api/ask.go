package api

import (
	"sync"
	"time"

	"flyball/schema"
)

// askMemory keeps this point from writing the same question twice, and from
// writing more of them than the log should carry, whatever callers invent: callers
// of each standing have a memory and a rate of their own.
type askMemory struct{ pools [standings]askPool }

type askPool struct {
	mu      sync.Mutex
	last    map[string]time.Time
	started time.Time // of the second that is counted
	n       int
}

// mostAsked places are remembered of each standing.
const mostAsked = 10_000

// mostAsksSecond is how many questions a point writes in a second.
var mostAsksSecond = [standings]int{schema.StandingClaimed: 10, schema.StandingProven: 50, schema.StandingEstablished: 50}

// mayAsk says whether a question may be written now.
type mayAsk int

const (
	askNow      mayAsk = iota
	askedBefore        // the same question was written a moment ago
	askFull            // too many were written this second
)

func newAskMemory() *askMemory {
	m := &askMemory{}
	for i := range m.pools {
		m.pools[i].last = map[string]time.Time{}
	}
	return m
}

// first reports whether a question may be written now: not one that was written
// less than a while ago, and not too many a second.
func (m *askMemory) first(place string, of schema.Standing, now time.Time, again time.Duration) mayAsk {
	p := &m.pools[of]
	p.mu.Lock()
	defer p.mu.Unlock()
	// A clock that was set back makes neither of the two wait for it to come round again.
	if last, ok := p.last[place]; ok && now.Sub(last) < again && !now.Before(last) {
		return askedBefore
	}
	if now.Sub(p.started) >= time.Second || now.Before(p.started) {
		p.started, p.n = now, 0
	}
	if p.n++; p.n > mostAsksSecond[of] {
		return askFull
	}
	if len(p.last) >= mostAsked {
		clear(p.last)
	}
	p.last[place] = now
	return askNow
}

// submitLater writes a command and does not wait for what becomes of it.
func (c *Control) submitLater(command *schema.Command) {
	c.send(command, c.faults.written(command.Kind.String()))
}
