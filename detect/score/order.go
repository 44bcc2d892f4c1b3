package score

import "math"

// Name and hash that stand for all routes that the peers never used.
const (
	unknownRoute = "\x00"
	unknownHash  = ^uint64(0)
)

// follows returns what a route after the route before adds to the CUSUM of the order: the
// log-likelihood ratio of "the peers' routes in any order" against the usual order.
// 2 % of calls may follow any route, so that no call is impossible.
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
	if n := len(v.follows); n == cap(v.follows) { // at most one entry for each route
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

// newTarget is the factor for a rare write to a resource that neither
// the run nor its peers have named before.
const newTarget = 1.5

// rareness returns −ln P(a run of the peers uses the route), for a write on a route that the run has not used before. It
// is multiplied by newTarget for a resource that is new to the peers.
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
