package route

import "strings"

// Renaming gives the route that a stored call would have now: the routes of calls are stored as they
// were when they came.
type Renaming struct {
	names   naming
	ordered bool // a command was about a route
}

// NewRenaming returns the renaming for what is learned and ordered now.
func NewRenaming(l Learned, o Orders) *Renaming {
	r := &Renaming{ordered: o.Generation > 0 || len(o.Orders) > 0}
	rules := append(l.Rules(), o.Rules()...)
	for i := range rules {
		r.names.add(&rules[i])
	}
	return r
}

// NeedsPaths reports whether Route needs the paths of calls with a learned or pinned route. It does after any
// command about a route: also a pin with fewer parameters, and a cleared pin, leave stored names from which the
// words of the path cannot be read.
func (r *Renaming) NeedsPaths() bool { return r != nil && r.ordered }

// Route returns the present route of a call that is stored with a route that the forms of its words,
// learning or an order gave. path is empty unless NeedsPaths.
func (r *Renaming) Route(method, stored, path string) string {
	if r == nil || r.names.isEmpty() && path == "" {
		return stored
	}
	if path != "" {
		segs := wordsOfPath(path)
		if rule := r.names.find(segs, method); rule != nil {
			return rule.Template
		}
		return templateOf(segs)
	}
	segs := strings.Split(strings.Trim(stored, "/"), "/")
	if r.names.ordered != nil {
		if rule := r.names.ordered.find(segs, method); rule != nil {
			if rule.from == fromUndo {
				return stored
			}
			return rule.Template
		}
	}
	if r.names.learned == nil {
		return stored
	}
	for i, s := range segs {
		segs[i] = shapeOfTemplate(s)
	}
	if rule := r.names.findLearned(segs, method); rule != nil {
		return rule.Template
	}
	return stored
}
