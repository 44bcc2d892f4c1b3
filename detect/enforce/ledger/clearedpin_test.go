package ledger

import (
	"encoding/json"
	"testing"

	"flyball/detect/enforce"
	"flyball/detect/enforce/breaker"
	"flyball/schema"
	"flyball/schema/route"
	"flyball/schema/wire"
)

// Clearing a pin gives calls another name. Breakers on the pinned template still apply, after a restart, too, and
// where the orders are read as they are published.
func TestClearedPinOpensTheBreakerOnIt(t *testing.T) {
	const template = "/shop/{kind}/{name}"
	for _, method := range []string{"GET", "POST"} {
		for _, scope := range []schema.Scope{{Kind: schema.ScopeRoute, Value: method + " " + template},
			{Kind: schema.ScopeRunRoute, Value: schema.RunID{1}.String() + " " + method + " " + template}} {
			s := New(breaker.DefaultBudget())
			for i, c := range []*schema.Command{
				{Kind: schema.CommandRoutePin, Route: &schema.RouteOrder{Route: method + " " + template}},
				{Kind: schema.CommandForceOpen, Scope: scope},
				{Kind: schema.CommandRoutePin, Route: &schema.RouteOrder{Route: method + " /shop/{a}/{b}"}},
				{Kind: schema.CommandRouteClear, Route: &schema.RouteOrder{Route: method + " /shop/{c}/{d}"}},
			} {
				c.ID, c.Tenant, c.By, c.Role, c.Reason = string(rune('a'+i)), "t", "ann", "admin", "r"
				s.Apply(int64(i), int64(i+1), c)
				if r, ok := s.Result(c.ID); !ok || r.Code == enforce.Rejected {
					t.Fatalf("%s: %+v", c.Kind, r)
				}
				s = restarted(t, s)
				m := s.Breakers.Match(asPublished(t, s, method, "/shop/items/sale"), 100)
				if (m.Action == schema.ActionDeny) != (i > 0) {
					t.Errorf("%s, after %s: %s %s", scope, c.Kind, m.Action, m.Why)
				}
			}
		}
	}
}

func restarted(t *testing.T, s *State) *State {
	t.Helper()
	b, err := json.Marshal(s.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	var from Snapshot
	if err := json.Unmarshal(b, &from); err != nil {
		t.Fatal(err)
	}
	if s, err = Restore(breaker.DefaultBudget(), &from); err != nil {
		t.Fatal(err)
	}
	return s
}

// asPublished returns a call as a role classifies it that knows only the published orders.
func asPublished(t *testing.T, s *State, method, path string) *enforce.Request {
	t.Helper()
	orders := s.Routes.Orders("t")
	value, err := wire.EncodeDocument(wire.RouteOrdersVersion, &orders)
	if err != nil {
		t.Fatal(err)
	}
	read, err := wire.DecodeDocument[route.Orders](value, wire.RouteOrdersVersion)
	if err != nil {
		t.Fatal(err)
	}
	table, err := route.NewTable(route.Options{DigestKey: []byte("0123456789abcdef"), Operator: read.Rules()})
	if err != nil {
		t.Fatal(err)
	}
	c := &schema.Call{Tenant: "t", Method: method, Path: path}
	table.Classify(c, &route.Input{})
	return &enforce.Request{Call: c, RunID: schema.RunID{1}, Spellings: table.Spellings}
}
