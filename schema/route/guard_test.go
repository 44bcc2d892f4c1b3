package route

import (
	"fmt"
	"testing"

	"flyball/schema"
)

// Words that the heuristic cannot distinguish from names are values if there are too many of
// them; the route then has one template, and the call names its resource.
func TestTooManyWordsAtOnePlaceAreValues(t *testing.T) {
	var seen []Seen
	for i := range 150 {
		seen = append(seen, Seen{"GET", Template(fmt.Sprintf("/shop/items/blue-%c%c-shoe", 'a'+i%26, 'a'+i/26)), 3})
	}
	for _, w := range []string{"orders", "users", "carts"} {
		seen = append(seen, Seen{"GET", "/shop/" + w, 100})
	}
	for i := range 150 { // collections of many services
		seen = append(seen, Seen{"GET", fmt.Sprintf("/api/v1/collection-%c%c", 'a'+i%26, 'a'+i/26), 3})
	}
	learned, more := Collapse(Learned{}, seen)
	if !more || len(learned.Collapsed) != 1 || learned.Collapsed[0] != (Slot{"GET", "/shop/items/{slug}"}) {
		t.Fatalf("%+v", learned)
	}
	if again, more := Collapse(learned, seen[:10]); more || len(again.Collapsed) != 1 {
		t.Errorf("it flaps: %+v", again)
	}
	table, err := NewTable(Options{DigestKey: []byte("0123456789abcdef"),
		Operator: append([]Rule{{Method: "GET", Template: "/shop/items/sale", Effect: schema.EffectRead}}, learned.Rules()...)})
	if err != nil {
		t.Fatal(err)
	}
	c := schema.Call{Method: "GET", Path: "/shop/items/blue-zz-shoe"}
	table.Classify(&c, &Input{})
	if c.Route != "/shop/items/{slug}" || c.RouteSource != schema.RouteOverflow || len(c.Resources) != 1 ||
		c.Resources[0].String() != "item:blue-zz-shoe" || c.EffectSource != schema.ProvenanceMethod {
		t.Errorf("%+v", c)
	}
	// Names in the operator's routes are not replaced.
	sale := schema.Call{Method: "GET", Path: "/shop/items/sale"}
	table.Classify(&sale, &Input{})
	if sale.Route != "/shop/items/sale" || sale.RouteSource != schema.RouteFromConfig {
		t.Errorf("%+v", sale)
	}
	post := schema.Call{Method: "POST", Path: "/shop/items/blue-zz-shoe"}
	table.Classify(&post, &Input{})
	if post.RouteSource != schema.RouteHeuristic {
		t.Errorf("%+v", post)
	}
}

func TestLearnedPositionsAreBounded(t *testing.T) {
	var seen []Seen
	for i := range 3000 {
		for j := range maxLiterals + 1 {
			seen = append(seen, Seen{"GET", fmt.Sprintf("/area%d/w%d", i, j), 1})
		}
	}
	if learned, _ := Collapse(Learned{}, seen); len(learned.Collapsed) > maxLearned {
		t.Errorf("%d", len(learned.Collapsed))
	}
}
