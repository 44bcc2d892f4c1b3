package score

import "flyball/detect/model/baseline"

// routeView holds the prepared data of an agent on one route.
type routeView struct {
	increments increments
	calls      baseline.LogNormal // number of calls on the route, of a run that uses it
	follows    []follow           // what the route adds to the CUSUM of the order
}

// follow is what a route adds to the CUSUM of the order after the route before.
type follow struct {
	before uint64
	adds   float64
}

// route returns an agent's data on a route. All routes that the peers never used share one entry.
func (m *Model) route(a *agent, route uint64) *routeView {
	if v := a.routes[route]; v != nil {
		return v
	}
	name, known := a.peers.routes[route]
	if !known && a.unseen != nil {
		return a.unseen
	}
	v := &routeView{increments: makeIncrements(a, m.rates(a, route, true)),
		calls: m.Baseline.PerRoute.ForAgent(a.key, a.group, name)}
	if known {
		a.routes[route] = v
	} else {
		a.unseen = v
	}
	return v
}
