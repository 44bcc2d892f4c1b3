package manifest

import (
	"testing"

	"flyball/detect/enforce"
	"flyball/schema"
	"flyball/schema/route"
)

// A quota, a grant and an autonomy that name a route must count and allow the same calls after a route was
// learned, pinned or undone: else a limit ends, or ordinary work is held, without a word.
func TestChangeOfARouteVoidsAManifest(t *testing.T) {
	m, err := Parse([]byte(`version: 1
agent: shop/bot
scope: {routes: ["POST /shop/items/sale", "POST /shop/carts/{cart}", "GET /shop/**"]}
autonomy: [{routes: ["POST /shop/items/sale"], ask: always}]
quotas:
  - {name: sales, routes: ["POST /shop/items/sale"], calls: 2, per: 1h}
  - {name: carts, routes: ["POST /shop/carts/{cart}"], calls: 5, per: 1h}
`))
	if err != nil {
		t.Fatal(err)
	}
	slot := func(template string) route.Slot { return route.Slot{Method: "POST", Template: template} }
	for name, rules := range map[string][]route.Rule{
		"words":   nil,
		"learned": route.Learned{Collapsed: []route.Slot{slot("/shop/items/{slug}"), slot("/shop/carts/{slug}")}}.Rules(),
		"pinned":  route.Orders{Orders: []route.Order{{Slot: slot("/shop/{kind}/{name}"), Pinned: true}}}.Rules(),
		"undone": append(route.Orders{Orders: []route.Order{{Slot: slot("/shop/items/{slug}")}, {Slot: slot("/shop/carts/{slug}")}}}.Rules(),
			route.Learned{Collapsed: []route.Slot{slot("/shop/items/{slug}"), slot("/shop/carts/{slug}")}}.Rules()...),
	} {
		table, err := route.NewTable(route.Options{DigestKey: []byte("0123456789abcdef"), Operator: rules})
		if err != nil {
			t.Fatal(err)
		}
		for path, want := range map[string]struct{ why, quota string }{
			"/shop/items/sale":   {whyAlwaysAsks, "sales"},
			"/shop/items/blue":   {WhyOutside, ""},
			"/shop/carts/wooden": {whyInScope, "carts"},
		} {
			c := &schema.Call{Method: "POST", Path: path, AgentID: "shop/bot", AgentTrust: schema.TrustVerified}
			table.Classify(c, &route.Input{})
			e := m.Evaluate(&enforce.Request{Call: c}, 1)
			quota := ""
			for _, s := range e.Spends {
				quota += s.Quota
			}
			if e.Why != want.why || quota != want.quota {
				t.Errorf("%s with %s (%s): %s, quota %q, want %s, %q", path, name, c.Route, e.Why, quota, want.why, want.quota)
			}
		}
	}
}
