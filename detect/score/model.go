package score

import (
	"flyball/detect/feature"
	"flyball/detect/model/baseline"
	"flyball/detect/model/calibrate"
	"flyball/schema"
)

// Model prepares a published baseline for scoring. It has caches and is not safe for concurrent
// use: each partition makes its own.
type Model struct {
	Baseline *baseline.Baseline
	agents   map[string]*agent
	groups   map[string]*peers
	amounts  map[*baseline.Amount]baseline.LogNormal // of strangers: the same for all of them
	gained   [NumFamilies]float32                    // increase of each family's score by the call that was added last

	strangers   calibrate.Levels // thresholds of new populations, for the share strangersOf of trips
	strangersOf float64
	claimed     calibrate.Levels // the same for callers for whom nobody vouches
	claimedOf   float64
}

// peers holds the prepared data of a peer group.
type peers struct {
	routes     map[uint64]string // route name by hash
	newOnRoute map[uint64]newOnRouteTails
	// manyResources: the peers always name new resources, so that a new one is not evidence.
	manyResources bool
}

// newOnRouteTails holds the tails of new calls on a route: within a run, and among an actor's latest calls.
type newOnRouteTails struct{ run, across *countTails }

// agent holds the prepared data of one agent, or of all unknown agents of a peer group; then key is unknownKey.
type agent struct {
	key, group                                         string
	class                                              schema.Acquaintance
	specs                                              *[numStatistics]spec // by the class
	levels                                             calibrate.Levels     // for the share levelsOf of trips
	levelsOf                                           float64
	peers                                              *peers
	counts                                             *baseline.Counts // nil: the agent is unknown
	length, bytes, writes                              baseline.LogNormal
	identical, distinct, switches, irreversible, inRow *countTails
	tokens, money                                      baseline.LogNormal
	across                                             struct{ identical, deletions, retries *countTails }
	routes                                             map[uint64]*routeView
	unseen                                             *routeView // for routes that the peers never used
}

// maxStrangers limits the cached agents that the baseline does not know, because a caller can
// invent names.
const maxStrangers = 10_000

// NewModel prepares a baseline for scoring.
func NewModel(b *baseline.Baseline) *Model {
	return &Model{Baseline: b, agents: map[string]*agent{}, groups: map[string]*peers{}, amounts: map[*baseline.Amount]baseline.LogNormal{}}
}

// Minimum standard deviations of the logarithms of amounts.
const (
	minLengthSD = .35
	minBytesSD  = .6
)

// LengthTail returns ln P(a run of the agent has at least so many calls).
func LengthTail(b *baseline.Baseline, agent, group string, calls int) float64 {
	return -logNormalTail(float64(calls), b.Lengths.ForAgent(agent, group, minLengthSD))
}

// unknownKey is the key of agents that the baseline does not know. It is not the empty key, under which callers without a
// name are learned.
const unknownKey = "\x00"

func (m *Model) agent(key, group string) *agent {
	if a := m.agents[key]; a != nil && a.group == group {
		return a
	}
	counts, known := m.Baseline.Agents[key]
	class, place := m.Baseline.Acquaintance(key, group), key
	if !known { // all unknown agents of a group share one entry
		key, place = unknownKey, unknownKey+group
		if a := m.agents[place]; a != nil {
			return a
		}
	}
	a := m.newAgent(key, group, class)
	if known {
		a.counts = &counts
	}
	if len(m.agents) > len(m.Baseline.Agents)+maxStrangers {
		clear(m.agents)
	}
	m.agents[place] = a
	return a
}

func (m *Model) newAgent(key, group string, class schema.Acquaintance) *agent {
	b := m.Baseline
	amount := func(of *baseline.Amount, minSD float64) baseline.LogNormal {
		if m.scoresAsStranger(class) {
			return m.strangerAmount(of, minSD)
		}
		return of.ForAgent(key, group, minSD)
	}
	a := &agent{key: key, group: group, class: class, specs: &specs, peers: m.peers(group),
		length: amount(&b.Lengths, minLengthSD), bytes: amount(&b.Bytes, minBytesSD), writes: amount(&b.Writes, minLengthSD),
		identical: newCountTails(
			&b.IdenticalCalls,
			group,
			key,
		), distinct: newCountTails(&b.Distinct, group, key), switches: newCountTails(&b.Switches, group, key),
		irreversible: newCountTails(&b.Irreversible, group, key), inRow: newCountTails(&b.Parallel, group, key),
		tokens: amount(&b.Tokens, minBytesSD), money: amount(&b.Money, minBytesSD),
		routes: map[uint64]*routeView{}}
	a.across.identical, a.across.deletions, a.across.retries = newCountTails(&b.AcrossRuns.Identical, group, key),
		newCountTails(&b.AcrossRuns.Deletions,
			group, key), newCountTails(&b.AcrossRuns.Retries, group, key)
	if m.scoresAsStranger(class) {
		a.specs = &strangerSpecs
	}
	return a
}

// strangerAmount returns the distribution of an amount for strangers. It is calculated once: that takes a pass over all groups of
// the baseline, and anybody can invent strangers. An amount always has the same minSD.
func (m *Model) strangerAmount(of *baseline.Amount, minSD float64) baseline.LogNormal {
	d, ok := m.amounts[of]
	if !ok {
		d = of.ForStranger(minSD)
		m.amounts[of] = d
	}
	return d
}

func (m *Model) peers(group string) *peers {
	p := m.groups[group]
	if p == nil {
		p = &peers{
			routes:        make(map[uint64]string, len(m.Baseline.Routes[group])),
			newOnRoute:    map[uint64]newOnRouteTails{},
			manyResources: m.Baseline.KnownResources.Saturated(group),
		}
		for name := range m.Baseline.Routes[group] {
			p.routes[feature.RouteHash(name)] = name
		}
		if len(m.groups) > len(m.Baseline.Groups)+maxStrangers {
			clear(m.groups)
		}
		m.groups[group] = p
	}
	return p
}

// newOnRoute returns the tails of new calls on a route. They are those of the peers, because one agent has too few
// runs on a route.
func (m *Model) newOnRoute(a *agent, route uint64) newOnRouteTails {
	name, known := a.peers.routes[route]
	if !known {
		route = 0
	}
	t, made := a.peers.newOnRoute[route]
	if !made {
		t = newOnRouteTails{newCountTails(&m.Baseline.NewOnRoute, a.group, name), newCountTails(&m.Baseline.AcrossRuns.NewOnRoute, a.group, name)}
		a.peers.newOnRoute[route] = t
	}
	return t
}
