package breaker

import (
	"slices"
	"strings"
	"testing"

	"flyball/detect/enforce"
	"flyball/schema"
	"flyball/schema/route"
)

// renamed classifies a call by what is learned and ordered about routes.
func renamed(t *testing.T, method, path string, learned []route.Slot, orders route.Orders, declared ...route.Rule) *enforce.Request {
	t.Helper()
	rules := slices.Concat(declared, orders.Rules(), route.Learned{Collapsed: learned}.Rules())
	table, err := route.NewTable(route.Options{DigestKey: []byte("0123456789abcdef"), Operator: rules})
	if err != nil {
		t.Fatal(err)
	}
	c := &schema.Call{Tenant: "t", Method: method, Path: path}
	table.Classify(c, &route.Input{})
	return &enforce.Request{Call: c, RunID: schema.RunID{1}, Spellings: table.Spellings}
}

// Whoever opened a breaker on a route means the calls, whatever their route is called later.
func TestPinLosesABreaker(t *testing.T) {
	slot := func(template string) route.Slot { return route.Slot{Method: "GET", Template: template} }
	learned := []route.Slot{slot("/shop/items/{slug}")}
	pinWord := route.Order{Slot: slot("/shop/items/sale"), Pinned: true}
	pinWider := route.Order{Slot: slot("/shop/{kind}/{name}"), Pinned: true}
	undo := route.Order{Slot: slot("/shop/items/{slug}")}
	onRoute := func(name string) schema.Scope { return schema.Scope{Kind: schema.ScopeRoute, Value: name} }
	onRunAndRoute := func(run byte, name string) schema.Scope {
		return schema.Scope{Kind: schema.ScopeRunRoute, Value: schema.RunID{run}.String() + " " + name}
	}
	one := func(o route.Order) route.Orders { return route.Orders{Orders: []route.Order{o}} }
	none := route.Orders{}
	cleared := route.Orders{Former: []route.Slot{pinWider.Slot}}
	for name, b := range map[string]struct {
		scope   schema.Scope
		learned []route.Slot
		orders  route.Orders
		holds   bool
	}{
		"of words, then learned":          {onRoute("GET /shop/items/sale"), learned, none, true},
		"of words, then pinned wider":     {onRoute("GET /shop/items/sale"), nil, one(pinWider), true},
		"learned, then a word is pinned":  {onRoute("GET /shop/items/{slug}"), learned, one(pinWord), true},
		"learned, then undone":            {onRoute("GET /shop/items/{slug}"), learned, one(undo), true},
		"undone, and no more learned":     {onRoute("GET /shop/items/{slug}"), nil, one(undo), true},
		"learned, then pinned wider":      {onRoute("GET /shop/items/{name}"), learned, one(pinWider), true},
		"of any method":                   {onRoute("* /shop/items/{slug}"), learned, one(undo), true},
		"of a run, of words":              {onRunAndRoute(1, "GET /shop/items/sale"), learned, none, true},
		"of a run, learned, then undone":  {onRunAndRoute(1, "GET /shop/items/{slug}"), learned, one(undo), true},
		"pinned, then cleared":            {onRoute("GET /shop/{kind}/{name}"), nil, cleared, true},
		"pinned, cleared, then learned":   {onRoute("GET /shop/{kind}/{name}"), learned, cleared, true},
		"pinned, then with other names":   {onRoute("GET /shop/{a}/{b}"), nil, one(pinWider), true},
		"of a run, pinned, then cleared":  {onRunAndRoute(1, "GET /shop/{kind}/{name}"), nil, cleared, true},
		"of a run, then with other names": {onRunAndRoute(1, "GET /shop/{a}/{b}"), nil, one(pinWider), true},
		"of a run, cleared, other names":  {onRunAndRoute(1, "GET /shop/{a}/{b}"), learned, cleared, true},
		"cleared, of another method":      {onRoute("PUT /shop/{kind}/{name}"), nil, cleared, false},
		"cleared, of another run":         {onRunAndRoute(2, "GET /shop/{kind}/{name}"), nil, cleared, false},
		"of another word":                 {onRoute("GET /shop/items/blue"), learned, none, false},
		"of another method":               {onRoute("PUT /shop/items/{slug}"), learned, one(undo), false},
		"of a template nobody ordered":    {onRoute("GET /shop/{kind}/{name}"), learned, none, false},
		"of another run, learned, undone": {onRunAndRoute(2, "GET /shop/items/{slug}"), learned, one(undo), false},
	} {
		s := New(DefaultBudget())
		r, _ := s.Apply(enforce.LogPosition{Offset: 1, Time: 1}, &schema.Command{ID: "c", Kind: schema.CommandForceOpen, Tenant: "t",
			Scope: b.scope, By: "ann", Reason: "r"})
		if r.Code != enforce.Applied {
			t.Fatalf("%s: %+v", name, r)
		}
		m := s.Match(renamed(t, "GET", "/shop/items/sale", b.learned, b.orders), 2)
		if (m.Action == schema.ActionDeny) != b.holds {
			t.Errorf("%s: %s %s, held %v", name, m.Action, m.Why, b.holds)
		}
	}
}

// A breaker on a run's route also holds the run's caller in later runs, whatever the route is called there.
func TestPinOpensARoutesBreakerForALaterRun(t *testing.T) {
	wider := route.Slot{Method: "POST", Template: "/shop/{kind}/{name}"}
	for name, tc := range map[string]struct {
		orders route.Orders
		route  string
		held   bool
	}{
		"pinned":            {route.Orders{Orders: []route.Order{{Slot: wider, Pinned: true}}}, "POST /shop/{kind}/{name}", true},
		"with other names":  {route.Orders{Orders: []route.Order{{Slot: wider, Pinned: true}}}, "POST /shop/{a}/{b}", true},
		"cleared":           {route.Orders{Former: []route.Slot{wider}}, "POST /shop/{kind}/{name}", true},
		"of words, pinned":  {route.Orders{Orders: []route.Order{{Slot: wider, Pinned: true}}}, "POST /shop/items/sale", true},
		"another route":     {route.Orders{Former: []route.Slot{wider}}, "POST /shop/items/blue", false},
		"another, unheeded": {route.Orders{}, "POST /shop/{kind}/{name}", false},
	} {
		s := New(DefaultBudget())
		r, _ := s.Apply(enforce.LogPosition{Offset: 1, Time: 1}, &schema.Command{ID: "c", Kind: schema.CommandForceOpen, Tenant: "t",
			Scope: schema.Scope{Kind: schema.ScopeRunRoute, Value: schema.RunID{2}.String() + " " + tc.route}, By: "ann", Reason: "r",
			Holder: &schema.Holder{AgentID: "shop/bot", AgentTrust: schema.TrustInfrastructure}})
		if r.Code != enforce.Applied {
			t.Fatalf("%s: %+v", name, r)
		}
		q := renamed(t, "POST", "/shop/items/sale", nil, tc.orders)
		q.Call.AgentID, q.Call.AgentTrust = "shop/bot", schema.TrustInfrastructure
		if m := s.Match(q, 2); (m.Action == schema.ActionDeny) != tc.held {
			t.Errorf("%s: %s %s, held %v", name, m.Action, m.Why, tc.held)
		}
		if m := s.Match(q, 2); tc.held && m.found != 1 {
			t.Errorf("%s: one breaker was found %d times", name, m.found)
		}
	}
}

func TestBreakerOnARunsRouteIsFoundAfterItsEnd(t *testing.T) {
	s := New(DefaultBudget())
	scope := schema.Scope{Kind: schema.ScopeRunRoute, Value: schema.RunID{1}.String() + " GET /shop/{kind}/{name}"}
	for i, kind := range []schema.CommandKind{schema.CommandForceOpen, schema.CommandForceOpen, schema.CommandReset} {
		s.Apply(enforce.LogPosition{Offset: int64(i + 1), Time: int64(i + 1)}, &schema.Command{ID: string(rune('a' + i)), Kind: kind, Tenant: "t",
			Scope: scope, By: "ann", Reason: "r"})
		if n := len(s.runRoutes); n != len(s.open) {
			t.Errorf("%s: %d by route, %d open", kind, n, len(s.open))
		}
	}
	if len(s.open) != 0 {
		t.Errorf("%d open", len(s.open))
	}
}

// A declaration, which is read again while the process runs, takes the calls of a learned template, of an order or of words.
// A breaker on the former name holds them still, unless the name is declared for other calls.
func TestDeclarationLosesABreaker(t *testing.T) {
	declare := func(templates ...string) (out []route.Rule) {
		for _, x := range templates {
			out = append(out, route.Rule{Method: "GET", Template: x})
		}
		return out
	}
	both := declare("/shop/items/{id}", "/shop/items/sale")
	wider := route.Slot{Method: "GET", Template: "/shop/{kind}/{name}"}
	learned := []route.Slot{{Method: "GET", Template: "/shop/items/{slug}"}}
	pinned, cleared := route.Orders{Orders: []route.Order{{Slot: wider, Pinned: true}}}, route.Orders{Former: []route.Slot{wider}}
	for what, b := range map[string]struct {
		on       string
		learned  []route.Slot
		orders   route.Orders
		declared []route.Rule
		holds    bool
	}{
		"learned, then declared":                {"GET /shop/items/{slug}", learned, route.Orders{}, declare("/shop/items/{id}"), true},
		"learned, then declared wider":          {"GET /shop/items/{slug}", learned, route.Orders{}, declare("/shop/{kind}/{name}"), true},
		"learned, then a word is declared":      {"GET /shop/items/{slug}", learned, route.Orders{}, declare("/shop/items/sale"), true},
		"learned, of any method, then declared": {"* /shop/items/{slug}", learned, route.Orders{}, declare("/shop/{kind}/{name}"), true},
		"pinned, then declared narrower":        {"GET /shop/{kind}/{name}", nil, pinned, declare("/shop/items/{id}"), true},
		"cleared, then declared narrower":       {"GET /shop/{kind}/{name}", nil, cleared, declare("/shop/items/{id}"), true},
		"of words, then declared":               {"GET /shop/items/sale", nil, route.Orders{}, declare("/shop/items/{id}"), true},
		"declared, and the word, too":           {"GET /shop/items/{id}", nil, route.Orders{}, both, false},
		"declared and learned, and the word":    {"GET /shop/items/{slug}", learned, route.Orders{}, both, false},
		"of another word, then declared":        {"GET /shop/items/blue", learned, route.Orders{}, declare("/shop/items/{id}"), false},
		"of another method, then declared":      {"PUT /shop/items/{slug}", learned, route.Orders{}, declare("/shop/{kind}/{name}"), false},
		"of a template nobody knows":            {"GET /shop/{kind}/{name}", learned, route.Orders{}, declare("/shop/items/{id}"), false},
	} {
		for _, scope := range []schema.Scope{{Kind: schema.ScopeRoute, Value: b.on},
			{Kind: schema.ScopeRunRoute, Value: schema.RunID{1}.String() + " " + b.on}} {
			if scope.Kind == schema.ScopeRunRoute && strings.HasPrefix(b.on, "*") {
				continue
			}
			s := New(DefaultBudget())
			r, _ := s.Apply(enforce.LogPosition{Offset: 1, Time: 1}, &schema.Command{ID: "c", Kind: schema.CommandForceOpen, Tenant: "t",
				Scope: scope, By: "ann", Reason: "r"})
			if r.Code != enforce.Applied {
				t.Fatalf("%s: %+v", what, r)
			}
			m := s.Match(renamed(t, "GET", "/shop/items/sale", b.learned, b.orders, b.declared...), 2)
			if (m.Action == schema.ActionDeny) != b.holds {
				t.Errorf("%s, %s: %s %s, held %v", what, scope, m.Action, m.Why, b.holds)
			}
		}
	}
}
