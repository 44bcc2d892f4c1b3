package sharedcredential

import "math"

// Moments holds the number, mean and standard deviation of a quantity over people's sessions.
type Moments struct {
	N    int     `json:"n"`
	Mean float64 `json:"mean"`
	SD   float64 `json:"sd"`
}

const minPaceSD = .3 // minimum standard deviation of the logarithm of a gap: people always differ

func moments(x []float64) (m Moments) {
	for _, v := range x {
		m.Mean += v / float64(len(x))
	}
	for _, v := range x {
		m.SD += (v - m.Mean) * (v - m.Mean) / float64(len(x))
	}
	m.N, m.SD = len(x), max(math.Sqrt(m.SD), minPaceSD)
	return m
}

// TenantPeople describes the sessions of a tenant's own people. The zero value has no sessions.
type TenantPeople struct {
	Model    string  `json:"model"`    // version of the model of the tail
	Sessions int     `json:"sessions"` // with enough calls in areas of enough sessions
	Pace     Moments `json:"pace"`     // of the mean ln s between a session's calls
	Assets   float64 `json:"assets"`   // share of sessions that load assets
	Tail     Tail    `json:"tail"`
	// Areas is the number of sessions by area: those in which people's sessions are known.
	Areas map[string]int `json:"areas,omitempty"`
	// Usual holds the medians of the features; a feature that too few sessions have is absent.
	Usual map[string]float64 `json:"usual,omitempty"`
}

// MinTenantSessions is the number of sessions from which a tenant's own people are used: with fewer, a share of 1 % cannot
// be estimated.
const MinTenantSessions = 99

// usableWith reports whether stored people can be used with a model: they were calibrated with it, and
// their numbers are consistent.
func (o *TenantPeople) usableWith(m *Model) bool {
	p := o.Pace
	return o.Model == m.Version && o.Sessions >= MinTenantSessions && o.Tail.consistent() && len(o.Areas) > 0 &&
		(p.N == 0 || p.SD >= minPaceSD && !math.IsInf(p.Mean+p.SD, 0) && !math.IsNaN(p.Mean+p.SD))
}

func (o *TenantPeople) loads() bool { return o.Assets >= .5 }

// LearnTenantPeople learns from the calls of a tenant's human sessions, and calibrates a model on them. It returns nil
// when there are too few sessions. A session is scored by a pace and a share of assets to which it contributed; with a
// hundred sessions this has no visible effect (TestOwnPeopleKeepTheRate). Calls in areas that too few sessions used are
// left out of everything that is learned, as they are where sessions are judged.
func LearnTenantPeople(m *Model, sessions [][]Input) *TenantPeople {
	o := observePeople(sessions)
	o.Model = m.Version
	if o.Sessions < MinTenantSessions {
		return nil
	}
	by := m.scale(o) // the scale's own tail is not used for scores
	var judged []Session
	for _, calls := range sessions {
		if s, ok := ScoreSession(by, calls); ok {
			o.Tail.add(s.Highest)
			judged = append(judged, s)
		}
	}
	if o.Tail.Sessions < MinTenantSessions {
		return nil
	}
	o.Usual = o.usualOf(judged)
	return o
}

// observePeople learns areas, and pace and assets from the calls in areas of enough sessions: only these are judged. The
// result has no tail.
func observePeople(sessions [][]Input) *TenantPeople {
	o := &TenantPeople{}
	for _, calls := range sessions {
		if len(calls) >= MinSessionCalls {
			o.countAreas(calls)
		}
	}
	o.keepAreas()
	var gaps []float64
	for _, calls := range sessions {
		var s Session
		n := 0
		for i := range calls {
			if o.Areas[calls[i].Area] > 0 {
				s.Add(calls[i])
				n++
			}
		}
		if n < MinSessionCalls {
			continue
		}
		o.Sessions++
		if s.assets > 0 {
			o.Assets++
		}
		if g := s.gap(); !math.IsNaN(g) {
			gaps = append(gaps, math.Log(g))
		}
	}
	o.Assets /= float64(max(o.Sessions, 1))
	if len(gaps) >= minHumanSessions {
		o.Pace = moments(gaps)
	}
	return o
}

// ScoreSession scores the calls of a session. By a scale with a tenant's own people, those on which it abstains are left
// out. ok is false when too few calls are left to be judged.
func ScoreSession(by *Scale, calls []Input) (s Session, ok bool) {
	for i := range calls {
		if by.own != nil && by.Abstains(calls[i].Area) != "" {
			continue
		}
		s.Add(calls[i])
		_, ok = s.Judge(by)
	}
	return s, ok
}
