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
		seen = append(seen, Seen{"GET", heuristicTemplate(fmt.Sprintf("/shop/items/blue-%c%c-shoe", 'a'+i%26, 'a'+i/26)), 3})
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

// Two words side by side are both values, and neither occurs often beside the same other one.
func TestTwoWordsSideBySideNeverCollapse(t *testing.T) {
	var seen []Seen
	for i := range 300 {
		seen = append(seen, Seen{"GET", fmt.Sprintf("/repos/own-%c%c/proj-%c%c/issues", 'a'+i%26, 'a'+i/26, 'a'+(i*7)%26, 'a'+i/26), 1})
		seen = append(seen, Seen{"GET", fmt.Sprintf("/v1/orgs/o-%c%c/p-%c%c/b-%c%c", 'a'+i%26, 'a'+i/26, 'a'+i/26, 'a'+i%26, 'a'+(i*5)%26,
			'a'+i/26), 1})
	}
	for i := range 150 { // collections with their own operations: a word at the first place names one
		seen = append(seen, Seen{"GET", fmt.Sprintf("/api/v1/coll-%c%c/list-%c%c", 'a'+i%26, 'a'+i/26, 'a'+i/26, 'a'+i%26), 1})
	}
	for _, kind := range []string{"users", "orders"} { // few words beside many: only the many are values
		for i := range 150 {
			seen = append(seen, Seen{"GET", fmt.Sprintf("/shop/%s/n-%c%c/x", kind, 'a'+i%26, 'a'+i/26), 1})
		}
	}
	learned, more := Collapse(Learned{}, seen)
	want := []Slot{{"GET", "/repos/{slug}/{slug}/issues"}, {"GET", "/shop/orders/{slug}/x"}, {"GET", "/shop/users/{slug}/x"},
		{"GET", "/v1/orgs/{slug}/{slug}/{slug}"}}
	if !more || fmt.Sprint(learned.Collapsed) != fmt.Sprint(want) {
		t.Fatalf("%v, want %v", learned.Collapsed, want)
	}
	table, err := NewTable(Options{DigestKey: []byte("0123456789abcdef"), Operator: learned.Rules()})
	if err != nil {
		t.Fatal(err)
	}
	c := schema.Call{Method: "GET", Path: "/repos/some-one/some-thing/issues"}
	table.Classify(&c, &Input{})
	if c.Route != "/repos/{slug}/{slug}/issues" {
		t.Errorf("%+v", c)
	}
}
