package score

import "math"

// Names of no route: one that the peers never used, and its hash.
const (
	unknownRoute = "\x00"
	unknownHash  = ^uint64(0)
)

// follows is what a route after another adds to the CUSUM of the order: the
// log-likelihood ratio of "the peers' routes in any order" against the usual next
// one. 2 % of calls may come from anywhere, so that no call is impossible.
func (m *Model) follows(a *agent, v *routeView, before, route uint64) float64 {
	if before != 0 {
		if _, known := a.peers.routes[before]; !known {
			before = unknownHash
		}
	}
	for i := range v.follows {
		if v.follows[i].before == before {
			return v.follows[i].adds
		}
	}
	first := ""
	if before != 0 {
		first = a.peers.name(before)
	}
	next, share := m.Baseline.Sequence.Next(a.key, a.group, first, a.peers.name(route))
	adds := math.Log(.02 + .98*share/next)
	if next < share {
		adds = math.Log(.02 + .98*max(share, 1e-4)/max(next, 1e-6))
	}
	if n := len(v.follows); n == cap(v.follows) { // one for each route at most
		v.follows = append(make([]follow, 0, n+2+n/4), v.follows...)
	}
	v.follows = append(v.follows, follow{before, adds})
	return adds
}

func (p *peers) name(route uint64) string {
	if name, known := p.routes[route]; known {
		return name
	}
	return unknownRoute
}

// newTarget is how much more a rare write weighs that is of a resource which neither
// the run nor its peers have named before.
const newTarget = 1.5

// rareness of a write on a route that the run had not used before: −ln P(a run of
// the peers uses it).
func (m *Model) rareness(a *agent, route, target uint64) float64 {
	used, runs := 0.0, m.Baseline.Lengths.Groups[a.group].N
	if name, known := a.peers.routes[route]; known {
		used = m.Baseline.PerRoute.Groups[a.group][name].N
	}
	v := -math.Log((used + .3) / (runs + 1))
	if target != 0 && !a.peers.manyResources && m.Baseline.KnownResources.IsNew(a.group, target) {
		v *= newTarget
	}
	return v
}
