package score

import (
	"math"

	"flyball/detect/baseline"
	"flyball/detect/feature"
)

// steps are what each trial adds to each CUSUM, for one agent on one route:
// [statistic][cell within the event][0 miss, 1 hit]. A pair of zeroes is a
// CUSUM that cannot tell the alternative from the usual rate.
type steps [Cusums][4][2]float64

func makeSteps(rate func(feature.Event, feature.Cell) float64) *steps {
	out := new(steps)
	for st := range Cusums {
		sp := &specs[st]
		from, to := sp.event.Range()
		for c := from; c < to; c++ {
			p := rate(sp.event, c)
			out[st][c-from] = [2]float64{step(p, sp.p1, false), step(p, sp.p1, true)}
		}
	}
	return out
}

// step is the log-likelihood ratio of one trial, Bernoulli(p1) against
// Bernoulli(p) (Page 1954, Reynolds and Stoumbos 1999). An alternative that the
// usual rate has overtaken moves above it.
func step(p, p1 float64, hit bool) float64 {
	if hit || p1 < .5 {
		p1 = max(p1, min(.99, 1.5*p))
	}
	switch {
	case p1 <= p:
		return 0
	case hit:
		return math.Log(p1 / p)
	}
	return math.Log((1 - p1) / (1 - p))
}

// Model is a published baseline made ready for scoring. It is immutable but
// for its caches, and so for one goroutine: each partition makes its own.
type Model struct {
	Body   *baseline.Body
	agents map[string]*agent
	routes map[string]map[uint64]string // group, route hash: the route's name
}

// agent is one agent's, or one peer group's, view of the model.
type agent struct {
	key, group string
	counts     *baseline.Counts // nil: nothing of its own is known
	length     baseline.LogNormal
	bytes      baseline.LogNormal
	writes     baseline.LogNormal
	onRoute    map[uint64]baseline.LogNormal
	follows    map[[2]uint64]float64
	steps      map[uint64]*steps
	unseen     *steps // on a route that the peers never used
}

// mostStrangers bounds the agents that the baseline does not know: a caller can
// invent names.
const mostStrangers = 10_000

// NewModel prepares a body.
func NewModel(b *baseline.Body) *Model {
	m := &Model{Body: b, agents: map[string]*agent{}, routes: make(map[string]map[uint64]string, len(b.Routes))}
	for group, routes := range b.Routes {
		names := make(map[uint64]string, len(routes))
		for name := range routes {
			names[feature.RouteHash(name)] = name
		}
		m.routes[group] = names
	}
	return m
}

// Least standard deviations of log amounts.
const (
	leastLengthSD = .35
	leastBytesSD  = .6
)

func (m *Model) agent(key, group string) *agent {
	if a := m.agents[key]; a != nil && a.group == group {
		return a
	}
	a := &agent{key: key, group: group, length: m.Body.Lengths.Of(key, group, leastLengthSD), bytes: m.Body.Bytes.Of(key, group, leastBytesSD),
		writes: m.Body.Writes.Of(key, group, leastLengthSD), onRoute: map[uint64]baseline.LogNormal{}, follows: map[[2]uint64]float64{}, steps: map[uint64]*steps{}}
	if c, known := m.Body.Agents[key]; known {
		a.counts = &c
	} else {
		// All strangers of a group are alike.
		key = "\x00" + group
		if have := m.agents[key]; have != nil {
			return have
		}
		a.key = ""
	}
	if len(m.agents) > len(m.Body.Agents)+mostStrangers {
		clear(m.agents)
	}
	m.agents[key] = a
	return a
}

// onRoute is how often a run of the agent calls a route that it uses. All routes
// that the peers never used are alike.
func (m *Model) onRoute(a *agent, route uint64) baseline.LogNormal {
	name, known := m.routes[a.group][route]
	if !known {
		route = 0
	}
	of, ok := a.onRoute[route]
	if !ok {
		of = m.Body.Counts.Of(a.key, a.group, name)
		a.onRoute[route] = of
	}
	return of
}

// mostPairs of routes are remembered of an agent.
const mostPairs = 4096

// follows is what a route after another adds to the CUSUM of the order: the
// log-likelihood ratio of "the peers' routes in any order" against the usual next
// one. 2 % of calls may come from anywhere, so that no call is impossible.
func (m *Model) follows(a *agent, before, route uint64) float64 {
	pair := [2]uint64{before, route}
	if v, ok := a.follows[pair]; ok {
		return v
	}
	names := m.routes[a.group]
	first := names[before]
	if before != 0 && first == "" {
		first = unknownRoute
	}
	next, share := m.Body.Sequence.Next(a.key, a.group, first, named(names, route))
	v := math.Log(.02 + .98*share/next)
	if next < share {
		v = math.Log(.02 + .98*max(share, 1e-4)/max(next, 1e-6))
	}
	if len(a.follows) >= mostPairs {
		clear(a.follows)
	}
	a.follows[pair] = v
	return v
}

// unknownRoute is no route's name.
const unknownRoute = "\x00"

func named(names map[uint64]string, route uint64) string {
	if name, known := names[route]; known {
		return name
	}
	return unknownRoute
}

func (m *Model) steps(a *agent, route uint64) *steps {
	if s := a.steps[route]; s != nil {
		return s
	}
	if _, known := m.routes[a.group][route]; !known {
		if a.unseen == nil {
			a.unseen = makeSteps(m.rates(a, route, true))
		}
		return a.unseen
	}
	s := makeSteps(m.rates(a, route, true))
	a.steps[route] = s
	return s
}

// rates of an agent on a route, its own or its peers'.
func (m *Model) rates(a *agent, route uint64, own bool) func(feature.Event, feature.Cell) float64 {
	group := m.Body.Groups[a.group]
	onRoute := m.Body.Routes[a.group][m.routes[a.group][route]]
	var counts *baseline.Counts
	if own {
		counts = a.counts
		if counts == nil {
			counts = &baseline.Counts{}
		}
	}
	return func(e feature.Event, c feature.Cell) float64 {
		return baseline.Rate(e, c, &m.Body.All, &group, &onRoute, counts)
	}
}
