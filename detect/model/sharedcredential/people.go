package sharedcredential

import "math"

// Moments of a quantity over people's sessions.
type Moments struct {
	N    int     `json:"n"`
	Mean float64 `json:"mean"`
	SD   float64 `json:"sd"`
}

const minPaceSD = .3 // of the logarithm of a gap: people whose pace is all alike do not exist

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

// TenantPeople is what is known of a tenant's own people. The zero value knows nothing.
type TenantPeople struct {
	Model    string  `json:"model"` // version that the tail belongs to
	Sessions int     `json:"sessions"`
	Pace     Moments `json:"pace"`   // of the mean ln s between a session's calls
	Assets   float64 `json:"assets"` // share of sessions that load any
	Tail     Tail    `json:"tail"`
}

// minTenantSessions sessions from which a tenant's own people count: fewer cannot show
// that one in a hundred comes as far.
const minTenantSessions = 99

// usableWith reports whether what was stored can be judged by: it is of the model, and
// its numbers mean something.
func (o *TenantPeople) usableWith(m *Model) bool {
	p := o.Pace
	return o.Model == m.Version && o.Sessions >= minTenantSessions && o.Tail.consistent() &&
		(p.N == 0 || p.SD >= minPaceSD && !math.IsInf(p.Mean+p.SD, 0) && !math.IsNaN(p.Mean+p.SD))
}

func (o *TenantPeople) loads() bool { return o.Assets >= .5 }

// LearnTenantPeople learns what a tenant's people are like from the calls of their sessions
// and calibrates a model on them. It is nil when there are too few. The two numbers
// that a session is compared with rest on it too; with a hundred sessions that
// does not show (TestOwnPeopleKeepTheRate).
func LearnTenantPeople(m *Model, sessions [][]Input) *TenantPeople {
	o := observePeople(sessions)
	o.Model = m.Version
	if o.Sessions < minTenantSessions {
		return nil
	}
	by := m.scale(o) // its tail is what is being counted
	for _, calls := range sessions {
		if s, ok := ScoreSession(by, calls); ok {
			o.Tail.add(s.Highest)
		}
	}
	return o
}

// observePeople is what people are like, without a tail.
func observePeople(sessions [][]Input) *TenantPeople {
	o := &TenantPeople{}
	var gaps []float64
	for _, calls := range sessions {
		if len(calls) < MinSessionCalls {
			continue
		}
		var s Session
		for _, c := range calls {
			s.Add(c)
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

// ScoreSession takes a whole session in; ok is false when it is too short to be judged.
func ScoreSession(by *Scale, calls []Input) (s Session, ok bool) {
	for _, c := range calls {
		s.Add(c)
		_, ok = s.Judge(by)
	}
	return s, ok
}
