package baseline

import (
	"maps"
	"math"
	"slices"
)

// CallsPerRoute holds how often runs that use a route call it.
type CallsPerRoute struct {
	All    Moments                       `json:"all"`    // of the logarithm, over runs and the routes that they used
	Groups map[string]map[string]Moments `json:"groups"` // by group and route name
	// Offsets holds by agent the mean difference of the logarithm of its counts from that of
	// its peers on the same routes, shrunk to 0 by 20 pseudo-counts.
	Offsets map[string]float64 `json:"offsets"`

	agents map[string]map[[2]string]Moments // by agent, and group and route; nil after finish
}

const (
	routePseudoRuns = 10
	minRouteSD      = .45
)

func newCallsPerRoute() CallsPerRoute {
	return CallsPerRoute{Groups: map[string]map[string]Moments{}, Offsets: map[string]float64{}, agents: map[string]map[[2]string]Moments{}}
}

func (o *CallsPerRoute) add(agent, group string, counts map[string]float64) {
	routes := o.Groups[group]
	if routes == nil {
		routes = map[string]Moments{}
		o.Groups[group] = routes
	}
	own := o.agents[agent]
	if own == nil {
		own = map[[2]string]Moments{}
		o.agents[agent] = own
	}
	for _, route := range slices.Sorted(maps.Keys(counts)) { // sorted, so that sums are reproducible
		x := math.Log(counts[route])
		o.All.add(x)
		m := routes[route]
		m.add(x)
		routes[route] = m
		m = own[[2]string{group, route}]
		m.add(x)
		own[[2]string{group, route}] = m
	}
}

func (o *CallsPerRoute) finish() {
	for agent, own := range o.agents {
		sum, n := 0.0, 0.0
		for _, at := range slices.SortedFunc(maps.Keys(own), func(a, b [2]string) int { return slices.Compare(a[:], b[:]) }) {
			m, peers := own[at], o.Groups[at[0]][at[1]]
			sum += m.Sum - m.N*peers.Sum/peers.N
			n += m.N
		}
		o.Offsets[agent] = sum / (n + 20)
	}
	o.agents = nil
}

// ForAgent returns the distribution of the calls of an agent's run on a route, given that the run uses the route. It is
// shrunk to the distribution over all routes.
func (o *CallsPerRoute) ForAgent(agent, group, route string) LogNormal {
	mean, variance := 0.0, .05
	if o.All.N > 0 {
		mean = o.All.Sum / o.All.N
		variance = max(o.All.Sum2/o.All.N-mean*mean, 0) + .05
	}
	own, spread := o.Groups[group][route].shrunk(mean, variance, routePseudoRuns)
	return LogNormal{own + o.Offsets[agent], max(math.Sqrt(spread), minRouteSD)}
}
