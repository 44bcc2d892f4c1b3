package check

import (
	"testing"

	"flyball/detect/enforce/api"
	"flyball/detect/enforce/enforcetest"
	"flyball/schema"
	"flyball/schema/route"
)

// A call waits, is granted or refused, whatever its route is called by then: a person is not asked for the same call again.
func TestClearedPinAsksForTheSameCallAgain(t *testing.T) {
	slot := func(template string) route.Slot { return route.Slot{Method: "DELETE", Template: template} }
	pinned := func(template string) []route.Rule {
		return route.Orders{Orders: []route.Order{{Slot: slot(template), Pinned: true}}}.Rules()
	}
	cleared := route.Orders{Former: []route.Slot{slot("/shop/{a}/{b}")}}.Rules()
	learned := append(cleared, route.Learned{Collapsed: []route.Slot{slot("/shop/items/{slug}")}}.Rules()...)
	declared := append([]route.Rule{{Method: "DELETE", Template: "/shop/{x}/{y}"}}, learned...)
	names := route.NewCurrent(enforcetest.Table(t, pinned("/shop/{kind}/{name}")...))
	r := run(t, enforcetest.Broker(t), "a", func(o *enforcetest.Options) { o.Routes = names })
	r.PutManifest(t, "version: 1\nagent: billing\nscope: {routes: [\"DELETE /shop/**\"]}\n")
	rename := []struct {
		what  string
		rules []route.Rule
	}{{"pinned with other names", pinned("/shop/{a}/{b}")}, {"cleared", cleared}, {"learned", learned}, {"declared", declared}}

	held := r.ask("billing", "r1", "DELETE", "/shop/items/sale", "")
	refused := r.ask("billing", "r2", "DELETE", "/shop/items/sale", "")
	if held.gate == "" || refused.gate == "" || held.gate == refused.gate {
		t.Fatalf("%+v %+v", held, refused)
	}
	r.Must(t, "POST", "/v1/grants/"+refused.gate+"/refuse", api.GrantRequest{Reason: "no"})
	enforcetest.Within(t, "the no is here", func() bool { return r.Gate(refused.gate).State == schema.GateRefused })
	for _, x := range rename {
		names.Put(enforcetest.Table(t, x.rules...))
		if v := r.ask("billing", "r1", "DELETE", "/shop/items/sale", ""); v.gate != held.gate {
			t.Errorf("%s: asked again: %+v", x.what, v)
		}
		if v := r.ask("billing", "r2", "DELETE", "/shop/items/sale", ""); v.status != 403 || v.gate != refused.gate || v.why != whyRefused {
			t.Errorf("%s: a refused call: %+v", x.what, v)
		}
	}
	if n := r.Gates(); n != 2 {
		t.Errorf("%d questions", n)
	}
	r.Must(t, "POST", "/v1/grants/"+held.gate+"/grant", api.GrantRequest{Reason: "yes", Uses: 1 + len(rename)})
	enforcetest.Within(t, "the yes is here", func() bool { return r.Gate(held.gate).State == schema.GateGranted })
	for _, x := range rename {
		names.Put(enforcetest.Table(t, x.rules...))
		if v := r.ask("billing", "r1", "DELETE", "/shop/items/sale", ""); v.status != 200 || v.gate != held.gate {
			t.Errorf("%s: a granted call: %+v", x.what, v)
		}
		if v := r.ask("billing", "r1", "DELETE", "/shop/items/blue", ""); v.status != 403 {
			t.Errorf("%s: the grant let another call pass: %+v", x.what, v)
		}
	}
}
