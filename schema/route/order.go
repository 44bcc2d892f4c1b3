package route

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"flyball/schema"
)

// Order is an operator's order about a template of learned routes.
type Order struct {
	Slot
	// Pinned: calls that fit the template have it as their route, whatever is learned. Otherwise the
	// template is undone: calls that fit it have routes of their words, also if it is learned again.
	Pinned bool   `json:"pinned"`
	By     string `json:"by"`
	Role   string `json:"role,omitempty"`
	Reason string `json:"reason"`
	At     int64  `json:"at_ns"` // the log's clock, Unix ns
	// Generation of the command's record.
	Generation uint64 `json:"generation"`
}

// Orders are the orders in force in a tenant, as they are published for the roles that classify
// calls.
type Orders struct {
	// Generation of the last command about a route: of two records the one with the higher
	// generation applies.
	Generation uint64  `json:"generation"`
	Orders     []Order `json:"orders"`
	// Former are the templates of the last orders that were cleared, at most MaxOrders, the oldest first. They
	// name no route, but a breaker may be open on one of them: Spellings returns them.
	Former []Slot `json:"former,omitempty"`
}

// MaxOrders is the maximum number of a tenant's orders in force, and of its former templates.
const MaxOrders = 500

// Limits of the template of an order.
const (
	maxTemplate = 512 // bytes
	maxName     = 40  // bytes of a parameter's name
)

var (
	slotMethod    = regexp.MustCompile(`^[A-Z]{1,20}$`)
	parameterName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
)

// ParseSlot reads a template of an order: "GET /repos/{owner}/{name}/issues". A parameter takes a
// whole segment. At least one segment must name a collection: a template of parameters alone would
// make all routes one. The error does not repeat the text, which may hold a secret.
func ParseSlot(text string) (Slot, error) {
	const form = "route: want a method and a template as GET /repos/{owner}/{name}/issues"
	method, template, ok := strings.Cut(text, " ")
	switch {
	case !ok || !slotMethod.MatchString(method) || !strings.HasPrefix(template, "/"):
		return Slot{}, fmt.Errorf("%s", form)
	case len(template) > maxTemplate || !utf8.ValidString(template):
		return Slot{}, fmt.Errorf("%s; more than %d bytes, or not UTF-8", form, maxTemplate)
	case strings.ContainsFunc(template, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == ' ' }):
		return Slot{}, fmt.Errorf("%s; a blank or a control character in it", form)
	case strings.ContainsAny(template, "?#;%\\"):
		return Slot{}, fmt.Errorf("%s; a query, a fragment, a path parameter or an escape in it", form)
	}
	segs := strings.Split(strings.Trim(template, "/"), "/")
	if len(segs) > maxSegments {
		return Slot{}, fmt.Errorf("%s; at most %d segments", form, maxSegments)
	}
	names := false
	for _, seg := range segs {
		name, isParameter := strings.CutPrefix(seg, "{")
		switch {
		case seg == "" || seg == "." || seg == "..":
			return Slot{}, fmt.Errorf("%s; an empty segment or a dot segment in it", form)
		case !isParameter && strings.ContainsAny(seg, "{}*"):
			return Slot{}, fmt.Errorf("%s; a parameter takes a whole segment", form)
		case !isParameter:
			names = names || !isGeneral(seg)
			continue
		}
		name, closed := strings.CutSuffix(name, "}")
		if !closed || len(name) > maxName || !parameterName.MatchString(name) {
			return Slot{}, fmt.Errorf("%s; the name of a parameter has letters, digits, _ and -", form)
		}
	}
	if !names {
		return Slot{}, fmt.Errorf("%s; all its segments are parameters or versions: it would make all routes one", form)
	}
	return Slot{method, "/" + strings.Join(segs, "/")}, nil
}

// Key returns what identifies a slot: the names of parameters make no difference.
func (s Slot) Key() string { return s.Method + " " + Key(s.Template) }

// HasParameter reports whether the template has a position that takes any value.
func (s Slot) HasParameter() bool { return strings.IndexByte(s.Template, '{') >= 0 }

// Rules returns the rules of the orders and of former templates. A table uses those of orders where no rule of
// the operator applies, and before what was learned.
func (o Orders) Rules() []Rule {
	var out []Rule
	for _, x := range o.Orders {
		r := Rule{Method: x.Method, Template: x.Template, Source: schema.ProvenancePath, from: fromUndo}
		if x.Pinned {
			r.from = fromPin
		}
		out = append(out, r)
	}
	for _, s := range o.Former {
		out = append(out, Rule{Method: s.Method, Template: s.Template, Source: schema.ProvenancePath, from: fromFormer})
	}
	return out
}

// naming holds the rules of orders and of learning: they name the routes of paths that the operator
// did not declare. Those of former templates name none.
type naming struct {
	ordered, learned, former *node // nil: there are none
}

func (n *naming) add(r *Rule) {
	at := &n.ordered
	switch r.from {
	case fromLearning:
		at = &n.learned
	case fromFormer:
		at = &n.former
	}
	if *at == nil {
		*at = &node{}
	}
	segs := strings.Split(strings.Trim(r.Template, "/"), "/")
	if r.from == fromLearning {
		(*at).addLearned(segs, r)
		return
	}
	(*at).add(segs, r)
}

// find returns the rule that names a path, or nil: the path is named by the forms of its words.
func (n *naming) find(segs []string, method string) *Rule {
	if n.ordered != nil {
		if r := n.ordered.find(segs, method); r != nil {
			if r.from == fromUndo {
				return nil
			}
			return r
		}
	}
	if n.learned != nil {
		var arena [16]string
		return n.findLearned(shapesOf(segs, arena[:0]), method)
	}
	return nil
}

// findLearned returns the learned template of shapes, or nil if there is none, or if it would hide an operation. If it would hide an
// operation in a word that is joined to others, it returns a template with the operation; see joinedOperation.
func (n *naming) findLearned(shapes []string, method string) *Rule {
	r := n.learned.find(shapes, method)
	if r == nil || hidesOperation(r, shapes, method) {
		return nil
	}
	return joinedOperation(r, shapes, method)
}

func (n *naming) isEmpty() bool { return n.ordered == nil && n.learned == nil && n.former == nil }

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
	most := len(out) + maxLearnedSpellings
	t.names.learned.all(shapesOf(segs, nil), c.Method, func(r *Rule) {
		if len(out) < most {
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

// all calls each with every rule that matches, the most specific first, also with those that a more specific
// one precedes.
func (n *node) all(segs []string, method string, each func(*Rule)) {
	switch {
	case n == nil:
	case len(segs) == 0:
		for _, r := range n.rules {
			if r.Method == method {
				each(r)
			}
		}
	default:
		n.static[segs[0]].all(segs[1:], method, each)
		n.param.all(segs[1:], method, each)
		n.rest.all(nil, method, each)
	}
}

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
