package check

import (
	"slices"

	"flyball/schema"
	"flyball/schema/route"
)

// spellings returns the other names of a classified call's route. Ingest removes secrets from a path before it classifies the path, the
// check classifies what the service receives: the route that the log has for the call is one of its names, so that a
// segment that looks like a secret takes no call out of a breaker on the logged route.
func (o *Options) spellings(c *schema.Call) []string {
	out := o.Routes.Spellings(c)
	if o.KeptPath == nil || c.ToolName != "" {
		return out
	}
	path := o.KeptPath(c.Path)
	if path == c.Path {
		return out
	}
	logged := schema.Call{Method: c.Method, Path: path, Host: c.Host, OpKind: c.OpKind}
	o.Routes.Readings(&logged, &route.Input{})
	for _, name := range append([]string{logged.RouteName()}, o.Routes.Spellings(&logged)...) {
		if name != c.RouteName() && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}
