package breaker

import (
	"testing"

	"flyball/detect/enforce"
	"flyball/schema"
	"flyball/schema/route"
)

// renamed classifies a call by what is learned and ordered about routes.
func renamed(t *testing.T, method, path string, learned []route.Slot, orders ...route.Order) *enforce.Request {
	t.Helper()
	rules := append(route.Orders{Orders: orders}.Rules(), route.Learned{Collapsed: learned}.Rules()...)
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
	one := func(o route.Order) []route.Order { return []route.Order{o} }
	for name, b := range map[string]struct {
		scope   schema.Scope
		learned []route.Slot
		orders  []route.Order
		holds   bool
	}{
		"of words, then learned":          {onRoute("GET /shop/items/sale"), learned, nil, true},
		"of words, then pinned wider":     {onRoute("GET /shop/items/sale"), nil, one(pinWider), true},
		"learned, then a word is pinned":  {onRoute("GET /shop/items/{slug}"), learned, one(pinWord), true},
		"learned, then undone":            {onRoute("GET /shop/items/{slug}"), learned, one(undo), true},
		"undone, and no more learned":     {onRoute("GET /shop/items/{slug}"), nil, one(undo), true},
		"learned, then pinned wider":      {onRoute("GET /shop/items/{name}"), learned, one(pinWider), true},
		"of any method":                   {onRoute("* /shop/items/{slug}"), learned, one(undo), true},
		"of a run, of words":              {onRunAndRoute(1, "GET /shop/items/sale"), learned, nil, true},
		"of a run, learned, then undone":  {onRunAndRoute(1, "GET /shop/items/{slug}"), learned, one(undo), true},
		"of another word":                 {onRoute("GET /shop/items/blue"), learned, nil, false},
		"of another method":               {onRoute("PUT /shop/items/{slug}"), learned, one(undo), false},
		"of a template nobody is about":   {onRoute("GET /shop/{kind}/{name}"), learned, nil, false},
		"of another run, learned, undone": {onRunAndRoute(2, "GET /shop/items/{slug}"), learned, one(undo), false},
	} {
		s := New(DefaultBudget())
		r, _ := s.Apply(enforce.LogPosition{Offset: 1, Time: 1}, &schema.Command{ID: "c", Kind: schema.CommandForceOpen, Tenant: "t",
			Scope: b.scope, By: "ann", Reason: "r"})
		if r.Code != enforce.Applied {
			t.Fatalf("%s: %+v", name, r)
		}
		m := s.Match(renamed(t, "GET", "/shop/items/sale", b.learned, b.orders...), 2)
		if (m.Action == schema.ActionDeny) != b.holds {
			t.Errorf("%s: %s %s, held %v", name, m.Action, m.Why, b.holds)
		}
	}
}
