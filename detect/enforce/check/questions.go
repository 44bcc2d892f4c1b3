package check

import (
	"sync"
	"time"

	"flyball/detect/enforce/point"
	"flyball/schema"
)

// questionLimits keep this point from writing the same question twice, and from writing
// more questions than the log should carry, whatever callers invent. Callers of each
// standing have a memory and a rate of their own.
type questionLimits struct{ pools [point.Standings]questionPool }

type questionPool struct {
	mu      sync.Mutex
	last    map[string]time.Time // when the question of a place was written
	started time.Time            // of the second that is counted
	n       int
}

// maxPlaces is how many places are remembered of each standing.
const maxPlaces = 10_000

// maxQuestionsPerSecond is how many questions a point writes.
var maxQuestionsPerSecond = [point.Standings]int{schema.StandingClaimed: 10, schema.StandingProven: 50, schema.StandingEstablished: 50}

// questionLimit says whether a question may be written now.
type questionLimit int

const (
	mayAsk           questionLimit = iota
	askedBefore                    // the same question was written a moment ago
	tooManyQuestions               // too many were written this second
)

func newQuestionLimits() *questionLimits {
	m := &questionLimits{}
	for i := range m.pools {
		m.pools[i].last = map[string]time.Time{}
	}
	return m
}

// allow reports whether the question of a place (holder and route) may be written now:
// not within again of the last time, and not beyond the rate.
func (m *questionLimits) allow(place string, standing schema.Standing, now time.Time, again time.Duration) questionLimit {
	p := &m.pools[standing]
	p.mu.Lock()
	defer p.mu.Unlock()
	// A clock that was set back does not make either of the two wait.
	if last, ok := p.last[place]; ok && now.Sub(last) < again && !now.Before(last) {
		return askedBefore
	}
	if now.Sub(p.started) >= time.Second || now.Before(p.started) {
		p.started, p.n = now, 0
	}
	if p.n++; p.n > maxQuestionsPerSecond[standing] {
		return tooManyQuestions
	}
	if len(p.last) >= maxPlaces {
		clear(p.last)
	}
	p.last[place] = now
	return mayAsk
}
