package baseline

// Sequence is which route follows which: of everybody in a group, and of an agent.
type Sequence struct {
	Groups map[string]*RouteFollowers `json:"groups"`
	Agents map[string]*RouteFollowers `json:"agents"`
}

// RouteFollowers counts calls by route, and by the route before.
type RouteFollowers struct {
	Calls float64                       `json:"calls"`
	By    map[string]float64            `json:"by"`
	After map[string]map[string]float64 `json:"after"` // "" is the beginning of a run
}

const (
	// vocabulary is how many routes a stranger may call; back-off weights are calls.
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

// Next is the probability of a route after another for an agent, backing off from
// its own pairs to its peers' pairs, its own calls, its peers' calls and at last to
// any of 80 routes; and the share that the route has of its peers' calls.
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
	for _, v := range of { // whole numbers: any order sums to the same
		n += v
	}
	return n
}
