package score

import (
	"flyball/detect/feature"
	"flyball/detect/model/baseline"
)

// Model is a published baseline made ready for scoring. It is immutable but
// for its caches, and so for one goroutine: each partition makes its own.
type Model struct {
	Baseline *baseline.Baseline
	agents   map[string]*agent
	groups   map[string]*peers
	gained   [NumFamilies]float32 // what the call that was added last gave each family of its run
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
func NewModel(b *baseline.Baseline) *Model {
	return &Model{Baseline: b, agents: map[string]*agent{}, groups: map[string]*peers{}}
}

// Least standard deviations of log amounts.
const (
	leastLengthSD = .35
	leastBytesSD  = .6
)

// LengthTail is ln P(a run of the agent has at least so many calls).
func LengthTail(b *baseline.Baseline, agent, group string, calls int) float64 {
	return -tail(float64(calls), b.Lengths.ForAgent(agent, group, leastLengthSD))
}

func (m *Model) agent(key, group string) *agent {
	if a := m.agents[key]; a != nil && a.group == group {
		return a
	}
	counts, known := m.Baseline.Agents[key]
	place := key
	if !known { // all strangers of a group are alike
		key, place = "", "\x00"+group
		if a := m.agents[place]; a != nil {
			return a
		}
	}
	b := m.Baseline
	a := &agent{key: key, group: group, peers: m.peers(group),
		length: b.Lengths.ForAgent(key, group, leastLengthSD), bytes: b.Bytes.ForAgent(key, group, leastBytesSD), writes: b.Writes.ForAgent(key, group, leastLengthSD),
		identical: newTails(&b.IdenticalCalls, group, key), distinct: newTails(&b.Distinct, group, key), switches: newTails(&b.Switches, group, key),
		irreversible: newTails(&b.Irreversible, group, key), inRow: newTails(&b.Parallel, group, key),
		tokens: b.Tokens.ForAgent(key, group, leastBytesSD), money: b.Money.ForAgent(key, group, leastBytesSD),
		routes: map[uint64]*onRoute{}}
	a.across.identical, a.across.deletions, a.across.retries = newTails(&b.AcrossRuns.Identical, group, key), newTails(&b.AcrossRuns.Deletions, group, key), newTails(&b.AcrossRuns.Retries, group, key)
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
		p = &peers{routes: make(map[uint64]string, len(m.Baseline.Routes[group])), fresh: map[uint64]freshTails{}, manyResources: m.Baseline.KnownResources.Saturated(group)}
		for name := range m.Baseline.Routes[group] {
			p.routes[feature.RouteHash(name)] = name
		}
		if len(m.groups) > len(m.Baseline.Groups)+mostStrangers {
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
		t = freshTails{newTails(&m.Baseline.NewOnRoute, a.group, name), newTails(&m.Baseline.AcrossRuns.NewOnRoute, a.group, name)}
		a.peers.fresh[route] = t
	}
	return t
}
