package sharedcredential

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"flyball/schema"
)

// WhyNothingLearned is the named reason for which calls in people's names are not judged: no sessions of the tenant's
// people were learned, or none on the API of the call.
const WhyNothingLearned = "nothing_learned"

const (
	// minAreaSessions is the number of learned sessions of people from which an area is known. At most three are of the same
	// person.
	minAreaSessions = 5
	// maxAreas limits the areas of a baseline; those of the most sessions are kept.
	maxAreas = 1000
)

// area returns the part of a tenant's services that a call is on: the API, MCP server or host that the source logs, else
// the first part of the route. People behave differently on different ones, and a session on one says nothing about
// another.
func area(c *schema.Call) string {
	if name := cmp.Or(c.API, c.MCPServer, c.Host); name != "" {
		return name
	}
	path := strings.TrimPrefix(cmp.Or(c.RouteKey, c.Route), "/")
	if first, _, more := strings.Cut(path, "/"); more {
		return "/" + first
	}
	return "/"
}

// countAreas counts the areas of a session, each once.
func (o *TenantPeople) countAreas(calls []Input) {
	if o.Areas == nil {
		o.Areas = map[string]int{}
	}
	seen := map[string]bool{}
	for i := range calls {
		if a := calls[i].Area; !seen[a] {
			seen[a] = true
			o.Areas[a]++
		}
	}
}

// keepAreas removes the areas with too few sessions.
func (o *TenantPeople) keepAreas() {
	var kept []string
	for name, n := range o.Areas {
		if n >= minAreaSessions {
			kept = append(kept, name)
		}
	}
	slices.SortFunc(kept, func(a, b string) int { return cmp.Or(cmp.Compare(o.Areas[b], o.Areas[a]), strings.Compare(a, b)) })
	kept = kept[:min(len(kept), maxAreas)]
	of := make(map[string]int, len(kept))
	for _, name := range kept {
		of[name] = o.Areas[name]
	}
	o.Areas = of
}

// Acquaintance returns how well the scale knows people's sessions in an area: nothing_learned without sessions of the
// tenant's own people, new_population if none of them were in this area, and new_agent otherwise. A person's own past is
// not learned.
func (s *Scale) Acquaintance(area string) schema.Acquaintance {
	switch {
	case s.own == nil:
		return schema.NothingLearned
	case s.own.Areas[area] == 0:
		return schema.NewPopulation
	}
	return schema.NewAgent
}

// Abstains returns the named reason for which a call in an area is not judged, or "" if it is judged. What public data
// says of people elsewhere is no answer.
func (s *Scale) Abstains(area string) (why string) {
	if s.Acquaintance(area) < schema.NewAgent {
		return WhyNothingLearned
	}
	return ""
}

// usualOf returns the medians of the features of sessions, for the features that enough sessions have. Pace is in seconds.
func (o *TenantPeople) usualOf(sessions []Session) map[string]float64 {
	out := map[string]float64{}
	for f := range NumFeatures {
		var x []float64
		for i := range sessions {
			v := sessions[i].values(o)[f]
			if f == Pace && !math.IsNaN(v) {
				v = sessions[i].gap()
			}
			if !math.IsNaN(v) {
				x = append(x, v)
			}
		}
		if len(x) >= minHumanSessions {
			out[f.String()] = math.Round(1e3*median(x)) / 1e3
		}
	}
	return out
}
