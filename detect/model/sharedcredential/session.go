package sharedcredential

import (
	"math"
	"slices"
	"time"

	"flyball/schema/wire"
)

// Minimum number of calls of a session that is judged, and minimum number of samples of
// a feature.
const (
	MinSessionCalls   = 5
	minFeatureSamples = 4
)

// Session holds the counts of a run in a person's name. The zero value has no calls.
type Session struct {
	calls, repeats, answered, failed, assets uint32
	answers, requests                        sizes
	gaps                                     uint32
	sumLog                                   float64 // sum of the logarithms of the gaps, in ln s
	last                                     int64   // event time of the latest call, Unix s; 0: none

	// Highest is the highest score of the session so far.
	Highest float64
	judged  bool
}

// Add counts the next call of the session.
func (s *Session) Add(c Input) {
	s.calls++
	if c.Repeat {
		s.repeats++
	}
	if c.Answered {
		s.answered++
	}
	if c.Failed {
		s.failed++
	}
	if c.Asset {
		s.assets++
	}
	if c.Given > 0 && !c.Failed {
		s.answers.add(c.Given)
	}
	if c.Sent > 0 && c.Write {
		s.requests.add(c.Sent)
	}
	s.addInterval(c.At)
}

// addInterval counts the gap before a call at an event time, in whole seconds: half of all logs have no finer time, and the
// pace must not depend on the precision of the log. A call that is older than the latest one adds no gap.
func (s *Session) addInterval(at int64) {
	if at == 0 {
		return
	}
	second := at / int64(time.Second)
	if s.last != 0 && second >= s.last {
		s.gaps++
		s.sumLog += math.Log(float64(max(second-s.last, 1)))
	}
	s.last = max(s.last, second)
}

// values returns the features of the session so far. own is nil when the tenant's people are not known; then pace is
// unknown.
func (s *Session) values(own *TenantPeople) (v Values) {
	for f := range v {
		v[f] = math.NaN()
	}
	if s.calls < MinSessionCalls {
		return v
	}
	n := float64(s.calls)
	v[Repeats] = float64(s.repeats) / n
	if s.answers.n >= minFeatureSamples {
		v[Answers] = s.answers.different()
	}
	if s.requests.n >= minFeatureSamples {
		v[Requests] = s.requests.different()
	}
	if s.answered >= MinSessionCalls {
		v[Errors] = float64(s.failed) / float64(s.answered)
	}
	// Where no session loads assets, their absence is no evidence.
	if s.assets > 0 || own != nil && own.loads() {
		v[Assets] = float64(s.assets) / n
	}
	if own != nil && own.Pace.N > 0 && s.gaps >= minFeatureSamples {
		v[Pace] = (s.sumLog/float64(s.gaps) - own.Pace.Mean) / own.Pace.SD
	}
	return v
}

// gap returns the geometric mean of the time between calls in seconds, or NaN when there are too few gaps.
func (s *Session) gap() float64 {
	if s.gaps < minFeatureSamples {
		return math.NaN()
	}
	return math.Exp(s.sumLog / float64(s.gaps))
}

// Judge returns the score of the session after its last call and updates Highest. ok is
// false while the session has too few calls.
func (s *Session) Judge(by *Scale) (score float64, ok bool) {
	if s.calls < MinSessionCalls {
		return 0, false
	}
	v := s.values(by.own)
	score = by.score(&v)
	if !s.judged || score > s.Highest {
		s.Highest, s.judged = score, true
	}
	return score, true
}

// Code encodes or decodes the session.
func (s *Session) Code(c *wire.Coder) {
	for _, v := range [...]*uint32{&s.calls, &s.repeats, &s.answered, &s.failed, &s.assets, &s.gaps} {
		wire.Num(c, v)
	}
	s.answers.code(c)
	s.requests.code(c)
	c.Float(&s.sumLog)
	c.Int(&s.last)
	c.Float(&s.Highest)
	c.Bool(&s.judged)
}

// sizes counts sizes, and how many of them were not among the last maxSizes different ones.
type sizes struct {
	n, fresh uint32
	recent   []uint64
	next     uint8
}

const maxSizes = 32

func (s *sizes) add(size uint64) {
	s.n++
	if slices.Contains(s.recent, size) {
		return
	}
	s.fresh++
	if len(s.recent) < maxSizes {
		s.recent = append(s.recent, size)
		return
	}
	s.recent[s.next] = size
	s.next = (s.next + 1) % maxSizes
}

func (s *sizes) different() float64 { return float64(s.fresh) / float64(s.n) }

func (s *sizes) code(c *wire.Coder) {
	wire.Num(c, &s.n)
	wire.Num(c, &s.fresh)
	wire.Small(c, &s.next)
	n := len(s.recent)
	c.Len(&n, 1)
	if !c.Encoding {
		if n > maxSizes || s.next >= maxSizes {
			c.Refuse("a session's memory that is larger than its bound")
			return
		}
		s.recent = make([]uint64, n)
	}
	for i := range s.recent {
		c.Uint(&s.recent[i])
	}
}
