package check

import (
	"sync"
	"time"

	"flyball/detect/enforce/point"
	"flyball/schema"
)

// questionLimits prevents that this point writes the same question twice, or more questions than
// the log should contain, whatever requests callers make. Callers of each standing have a separate
// memory and rate.
type questionLimits struct{ pools [point.Standings]questionPool }

type questionPool struct {
	mu      sync.Mutex
	last    map[string]time.Time // when the question of a holder and route was written
	started time.Time            // of the second that is counted
	n       int
}

// maxPlaces bounds the pairs of holder and route that are kept for each standing.
const maxPlaces = 10_000

// maxQuestionsPerSecond bounds the questions that a point writes for each standing.
var maxQuestionsPerSecond = [point.Standings]int{schema.StandingClaimed: 10, schema.StandingProven: 50, schema.StandingEstablished: 50}

// questionLimit is the answer whether a question may be written now, and if not, why.
type questionLimit int

const (
	mayAsk           questionLimit = iota
	askedBefore                    // the same question was written shortly before
	tooManyQuestions               // too many were written this second
)

func newQuestionLimits() *questionLimits {
	m := &questionLimits{}
	for i := range m.pools {
		m.pools[i].last = map[string]time.Time{}
	}
	return m
}

// allow reports whether the question of a place (holder and route) may be written now: the same
// question was not written within the time again, and the rate is not exceeded.
func (m *questionLimits) allow(place string, standing schema.Standing, now time.Time, again time.Duration) questionLimit {
	p := &m.pools[standing]
	p.mu.Lock()
	defer p.mu.Unlock()
	// A clock that was set back does not extend either limit.
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
