package score

import (
	"flyball/detect/feature"
	"flyball/detect/model/baseline"
)

// Model is a published baseline made ready for scoring. It is immutable but
// for its caches, and so for one goroutine: each partition makes its own.
type Model struct {
	Body   *baseline.Body
	agents map[string]*agent
	groups map[string]*peers
	gained [NFamilies]float32 // what the call that was added last gave each family of its run
}

// peers are a group's view of the model.
type peers struct {
	routes map[uint64]string // route hash: its name
	fresh  map[uint64]freshTails
	// manyResources: the peers name ever new ones, and a new one says nothing.
	manyResources bool
}

// freshTails are of new calls on a route: in a run, and among an actor's latest calls.
type freshTails struct{ run, across *tails }

// agent is one agent's, or one peer group's, view of the model.
type agent struct {
	key, group                                         string
	peers                                              *peers
	counts                                             *baseline.Counts // nil: nothing of its own is known
	length, bytes, writes                              baseline.LogNormal
	identical, distinct, switches, irreversible, inRow *tails
	tokens, money                                      baseline.LogNormal
	across                                             struct{ identical, deletions, retries *tails }
	routes                                             map[uint64]*onRoute
	unseen                                             *onRoute // a route that the peers never used
}

// mostStrangers bounds the agents that the baseline does not know: a caller can
// invent names.
const mostStrangers = 10_000

// NewModel prepares a body.
func NewModel(b *baseline.Body) *Model {
	return &Model{Body: b, agents: map[string]*agent{}, groups: map[string]*peers{}}
}

// Least standard deviations of log amounts.
const (
	leastLengthSD = .35
	leastBytesSD  = .6
)

// LengthTail is ln P(a run of the agent has at least so many calls).
func LengthTail(b *baseline.Body, agent, group string, calls int) float64 {
	return -tail(float64(calls), b.Lengths.Of(agent, group, leastLengthSD))
}

func (m *Model) agent(key, group string) *agent {
	if a := m.agents[key]; a != nil && a.group == group {
		return a
	}
	counts, known := m.Body.Agents[key]
	place := key
	if !known { // all strangers of a group are alike
		key, place = "", "\x00"+group
		if a := m.agents[place]; a != nil {
			return a
		}
	}
	b := m.Body
	a := &agent{key: key, group: group, peers: m.peers(group),
		length: b.Lengths.Of(key, group, leastLengthSD), bytes: b.Bytes.Of(key, group, leastBytesSD), writes: b.Writes.Of(key, group, leastLengthSD),
		identical: newTails(&b.Repeated, group, key), distinct: newTails(&b.Distinct, group, key), switches: newTails(&b.Switches, group, key),
		irreversible: newTails(&b.Irreversible, group, key), inRow: newTails(&b.InRow, group, key),
		tokens: b.Tokens.Of(key, group, leastBytesSD), money: b.Money.Of(key, group, leastBytesSD),
		routes: map[uint64]*onRoute{}}
	a.across.identical, a.across.deletions, a.across.retries = newTails(&b.Across.Identical, group, key), newTails(&b.Across.Deletions, group, key), newTails(&b.Across.Retries, group, key)
	if known {
		a.counts = &counts
	}
	if len(m.agents) > len(b.Agents)+mostStrangers {
		clear(m.agents)
	}
	m.agents[place] = a
	return a
}

func (m *Model) peers(group string) *peers {
	p := m.groups[group]
	if p == nil {
		p = &peers{routes: make(map[uint64]string, len(m.Body.Routes[group])), fresh: map[uint64]freshTails{}, manyResources: m.Body.Known.Saturated(group)}
		for name := range m.Body.Routes[group] {
			p.routes[feature.RouteHash(name)] = name
		}
		if len(m.groups) > len(m.Body.Groups)+mostStrangers {
			clear(m.groups)
		}
		m.groups[group] = p
	}
	return p
}

// fresh are the tails of new calls on a route, of the peers: of an agent alone they
// would be few.
func (m *Model) fresh(a *agent, route uint64) freshTails {
	name, known := a.peers.routes[route]
	if !known {
		route = 0
	}
	t, made := a.peers.fresh[route]
	if !made {
		t = freshTails{newTails(&m.Body.Fresh, a.group, name), newTails(&m.Body.Across.Fresh, a.group, name)}
		a.peers.fresh[route] = t
	}
	return t
}
