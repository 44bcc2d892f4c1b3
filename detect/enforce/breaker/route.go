package breaker

import (
	"slices"
	"strings"

	"flyball/schema"
	"flyball/schema/route"
)

// onRoute is a breaker on a route whose template has placeholders.
type onRoute struct {
	b      *schema.Breaker
	p      route.Pattern
	method string // "*": any
	key    string // as schema.Call.RouteKey
}

// keepRoute remembers a breaker on a route by its pattern.
func (s *State) keepRoute(b *schema.Breaker) {
	if b.Scope.Kind != schema.ScopeRoute {
		return
	}
	if p, err := route.ParsePattern(b.Scope.Value); err == nil {
		method, template, _ := strings.Cut(b.Scope.Value, " ")
		s.routes[b.Tenant] = append(s.routes[b.Tenant], onRoute{b, p, method, route.Key(route.Normalise(template))})
	}
}

func (s *State) dropRoute(b *schema.Breaker) {
	if b.Scope.Kind != schema.ScopeRoute {
		return
	}
	list := slices.DeleteFunc(slices.Clone(s.routes[b.Tenant]), func(r onRoute) bool { return r.b == b })
	if len(list) == 0 {
		delete(s.routes, b.Tenant)
		return
	}
	s.routes[b.Tenant] = list
}

// HoldsRoutes reports whether a tenant has a breaker on a route.
func (s *State) HoldsRoutes(tenant string) bool { return len(s.routes[tenant]) > 0 }

// ofRoute calls meet with each breaker on a route that a call is of: the declared one,
// however its parameters are called there, and of a path that nobody declared the one
// that it fits, whatever stands where the template has a placeholder. Of reads a plain
// word is left out, which may name another collection: GET /orders/search.
func (s *State) ofRoute(q *Query, meet func(*schema.Breaker, string)) {
	for _, r := range s.routes[q.Tenant] {
		if r.b.Scope.Value == q.Route {
			continue // met already
		}
		c := q.Call
		if (r.method == c.Method || r.method == "*") && r.key == c.RouteKey && c.ToolName == "" || c.RouteSource != schema.RouteFromConfig && c.ToolName == "" && (!q.ReadOnly || !plainWord(c.Path)) && r.p.MatchesPath(c.Method, c.Path) {
			meet(r.b, WhyHeld)
		}
	}
}

// plainWord reports whether a path ends in letters only.
func plainWord(path string) bool {
	last := path[strings.LastIndexByte(path, '/')+1:]
	return last != "" && !strings.ContainsFunc(last, func(r rune) bool {
		return (r|0x20 < 'a' || r|0x20 > 'z') && r != '-' && r != '_'
	})
}
