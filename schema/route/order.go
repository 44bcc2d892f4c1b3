package route

import (
	"fmt"
	"regexp"
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
