package baseline

// Sequence counts which route follows which, by peer group and by agent.
type Sequence struct {
	Groups map[string]*RouteFollowers `json:"groups"`
	Agents map[string]*RouteFollowers `json:"agents"`
}

// RouteFollowers counts calls by route (By), and by the previous route (After).
type RouteFollowers struct {
	Calls float64                       `json:"calls"`
	By    map[string]float64            `json:"by"`
	After map[string]map[string]float64 `json:"after"` // by previous route and route; previous "" is the beginning of a run
}

const (
	// vocabulary is the assumed number of routes for unknown calls. The back-off weights are in calls.
	vocabulary     = 80
	backOffUnigram = 5
	backOffBigram  = 5
)

func newSequence() Sequence {
	return Sequence{Groups: map[string]*RouteFollowers{}, Agents: map[string]*RouteFollowers{}}
}

func (s *Sequence) add(agent, group string, routes []string) {
	for _, f := range [...]*RouteFollowers{followers(s.Groups, group), followers(s.Agents, agent)} {
		before := ""
		for _, route := range routes {
			f.Calls++
			f.By[route]++
			if f.After[before] == nil {
				f.After[before] = map[string]float64{}
			}
			f.After[before][route]++
			before = route
		}
	}
}

func followers(of map[string]*RouteFollowers, name string) *RouteFollowers {
	f := of[name]
	if f == nil {
		f = &RouteFollowers{By: map[string]float64{}, After: map[string]map[string]float64{}}
		of[name] = f
	}
	return f
}

var nobody = &RouteFollowers{}

// Next returns the probability that an agent calls a route after the route before. It backs off from
// the agent's own pairs to its peers' pairs, the agent's own calls, its peers' calls, and finally to
// a uniform distribution over vocabulary routes. share is the share of the route in the peers' calls.
func (s *Sequence) Next(agent, group, before, route string) (next, share float64) {
	own, peers := s.Agents[agentFromKey(agent)], s.Groups[group]
	if own == nil {
		own = nobody
	}
	if peers == nil {
		peers = nobody
	}
	p := (peers.By[route] + backOffUnigram/float64(vocabulary)) / (peers.Calls + backOffUnigram)
	p = (own.By[route] + backOffUnigram*p) / (own.Calls + backOffUnigram)
	for _, f := range [...]*RouteFollowers{peers, own} {
		if after, known := f.After[before]; known {
			p = (after[route] + backOffBigram*p) / (sum(after) + backOffBigram)
		}
	}
	return p, (peers.By[route] + .5) / (peers.Calls + .5*float64(max(1, len(peers.By))) + .5)
}

func sum(of map[string]float64) float64 {
	n := 0.0
	for _, v := range of { // integers: the sum does not depend on the order
		n += v
	}
	return n
}
