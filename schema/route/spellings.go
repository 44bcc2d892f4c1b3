package route

import (
	"slices"
	"strings"

	"flyball/schema"
)

// maxLearnedSpellings is the maximum number of learned templates among the other names of one call's route.
// Collapse learns no template with which more would fit one path; of those that a release before learned, the least
// specific ones are left out, and breakers on these do not apply to the call.
// Templates of orders, former ones and the words are always among the names: MaxOrders bounds them.
const maxLearnedSpellings = 64

// Spellings returns the other names that the route of a classified call has had or would have: by
// what was learned, by orders in force or cleared, and by its words. A breaker on one of them still applies after learning, an
// order or a declaration has changed the name. A source's template and a tool have none.
func (t *Table) Spellings(c *schema.Call) (out []string) {
	declared := c.RouteSource == schema.RouteFromConfig
	byPath := c.RouteSource == schema.RouteHeuristic || c.RouteSource == schema.RouteOverflow
	if c.ToolName != "" || !declared && (!byPath || t.names.isEmpty()) {
		return nil
	}
	segs := wordsOfPath(c.Path)
	if declared {
		defer func() { out = slices.DeleteFunc(out, func(name string) bool { return t.isDeclared(c.Method, name) }) }()
	}
	add := func(template string) {
		if name := c.Method + " " + template; template != c.Route && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	for _, n := range [...]*node{t.names.ordered, t.names.former} {
		n.all(segs, c.Method, func(r *Rule) { // no template is in both, or twice
			if r.Template != c.Route {
				out = append(out, c.Method+" "+r.Template)
			}
		})
	}
	limit := len(out) + maxLearnedSpellings
	t.names.learned.all(shapesOf(segs, nil), c.Method, func(r *Rule) {
		if len(out) < limit {
			add(r.Template)
		}
	})
	if len(out) > 0 || declared || c.RouteSource == schema.RouteOverflow {
		add(templateOf(segs))
	}
	return out
}

// isDeclared reports whether the operator declared a route of this name: then it is the name of other calls than those of
// another declared route, whatever their paths are.
func (t *Table) isDeclared(method, name string) bool {
	n := t.root
	for seg := range strings.SplitSeq(strings.Trim(name[len(method)+1:], "/"), "/") {
		if strings.HasPrefix(seg, "{") {
			n = n.param
		} else {
			n = n.static[seg]
		}
		if n == nil {
			return false
		}
	}
	return slices.ContainsFunc(n.rules, func(r *Rule) bool { return r.Method == method || r.Method == "" })
}

// ByWords returns the name of a call's route by the words of its path alone, if what was learned, ordered or declared
// gave it another name; else it is empty.
func ByWords(c *schema.Call) string {
	if c.ToolName != "" || c.RouteSource != schema.RouteOverflow && c.RouteSource != schema.RouteFromConfig || c.Path == "" {
		return ""
	}
	if t := templateOf(wordsOfPath(c.Path)); t != c.Route {
		return c.Method + " " + t
	}
	return ""
}
