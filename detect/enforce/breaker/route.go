package breaker

import (
	"slices"
	"strings"

	"flyball/schema"
	"flyball/schema/route"
)

// onRoute is a breaker on a route in a form that can be compared with calls.
type onRoute struct {
	b       *schema.Breaker
	pattern route.Pattern
	method  string // "*": any
	key     string // same form as schema.Call.RouteKey
}

// routeKey identifies a route whatever the names of its parameters are. template has the form of
// schema.Call.RouteKey; for a tool it is "tool:NAME".
type routeKey struct{ method, template string }

func routeKeyOf(name string) routeKey {
	method, key := route.KeyOf(name)
	return routeKey{method, key}
}

// runRoute is the scope of a breaker on a run's route.
type runRoute struct {
	tenant, run string
	route       routeKey
}

func runRouteOf(b *schema.Breaker) runRoute {
	run, name, _ := strings.Cut(b.Scope.Value, " ")
	return runRoute{b.Tenant, run, routeKeyOf(name)}
}

// addRoute adds a breaker on a route to the route breakers of its tenant, and one on a run's route to those.
func (s *index) addRoute(b *schema.Breaker) {
	if b.Scope.Kind == schema.ScopeRunRoute {
		s.runRoutes[runRouteOf(b)] = append(s.runRoutes[runRouteOf(b)], b)
	}
	if b.Scope.Kind != schema.ScopeRoute {
		return
	}
	if p, err := route.ParsePattern(b.Scope.Value); err == nil {
		method, key := route.KeyOf(b.Scope.Value)
		s.routes[b.Tenant] = append(s.routes[b.Tenant], onRoute{b, p, method, key})
	}
}

func (s *index) removeRoute(b *schema.Breaker) {
	if b.Scope.Kind == schema.ScopeRunRoute {
		k := runRouteOf(b)
		if s.runRoutes[k] = slices.DeleteFunc(s.runRoutes[k], func(x *schema.Breaker) bool { return x == b }); len(s.runRoutes[k]) == 0 {
			delete(s.runRoutes, k)
		}
	}
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
func (s *index) HoldsRoutes(tenant string) bool { return len(s.routes[tenant]) > 0 }

// appliesTo reports whether a call belongs to the breaker's route. The names of a declared route's
// parameters make no difference. A path that no declared route matches is compared with the
// template itself; a read does not match if its path ends in a plain word, which may name another
// collection: GET /orders/search is not GET /orders/{id}. It matches if the template is another name of
// its route: what was learned or ordered about routes opens no way past a breaker.
func (r *onRoute) appliesTo(c *schema.Call, spellings []routeKey) bool {
	if c.ToolName != "" {
		return false
	}
	if (r.method == c.Method || r.method == "*") && r.key == c.RouteKey {
		return true
	}
	for _, x := range spellings {
		if (r.method == x.method || r.method == "*") && r.key == x.template {
			return true
		}
	}
	return c.RouteSource != schema.RouteFromConfig &&
		(c.Reversibility != schema.ReadOnly || !endsInWord(c.Path)) && r.pattern.MatchesPath(c.Method, c.Path)
}

// endsInWord reports whether the last segment of a path has only letters, - and _.
func endsInWord(path string) bool {
	last := path[strings.LastIndexByte(path, '/')+1:]
	return last != "" && !strings.ContainsFunc(last, func(r rune) bool {
		return (r|0x20 < 'a' || r|0x20 > 'z') && r != '-' && r != '_'
	})
}
