package manifest

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"flyball/schema"
	"flyball/schema/route"
)

// routePattern matches calls by method and template, or by tool. A placeholder
// matches whatever stands in its place; * matches one segment and ** the rest.
type routePattern struct {
	text   string
	method string // empty: any
	segs   []string
	tool   string
}

var methodRule = regexp.MustCompile(`^([A-Z]+|\*)$`)

func compileRoute(text string) (routePattern, error) {
	p := routePattern{text: text}
	if tool, ok := strings.CutPrefix(text, "tool:"); ok {
		if tool == "" {
			return p, fmt.Errorf("%q: tool: needs a name", text)
		}
		p.tool = tool
		return p, nil
	}
	method, template, ok := strings.Cut(text, " ")
	if !ok || !methodRule.MatchString(method) || !strings.HasPrefix(template, "/") {
		return p, fmt.Errorf("%q: a method and a template as GET /v1/orders/{id}, * for any method, or tool:NAME", text)
	}
	if method != "*" {
		p.method = method
	}
	for _, seg := range strings.Split(strings.Trim(template, "/"), "/") {
		if seg != "*" && seg != "**" {
			seg = strings.Trim(route.Key(route.Normalise("/"+seg)), "/")
		}
		p.segs = append(p.segs, seg)
	}
	if i := slices.Index(p.segs, "**"); i >= 0 && i != len(p.segs)-1 {
		return p, fmt.Errorf("%q: ** stands for the rest and comes last", text)
	}
	return p, nil
}

func (p *routePattern) matches(c *schema.Call) bool {
	if p.tool != "" {
		return c.ToolName == p.tool
	}
	if p.method != "" && p.method != c.Method {
		return false
	}
	rest := strings.Trim(c.RouteKey, "/")
	if len(p.segs) == 1 && p.segs[0] == "" {
		return rest == ""
	}
	done := rest == ""
	for _, want := range p.segs {
		if want == "**" {
			return true
		}
		if done {
			return false
		}
		seg, after, more := strings.Cut(rest, "/")
		if want != seg && want != "*" && want != "{}" {
			return false
		}
		rest, done = after, !more
	}
	return done
}

func anyMatches(list []routePattern, c *schema.Call) bool {
	return slices.ContainsFunc(list, func(p routePattern) bool { return p.matches(c) })
}
