package route

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"flyball/schema"
)

// tableOf returns a table with routes of the operator, orders and learned templates. A text of an order
// begins with + (pinned) or - (undone).
func tableOf(t *testing.T, operator []Rule, orders []string, learned ...string) *Table {
	t.Helper()
	l, o := namedBy(t, orders, learned)
	table, err := NewTable(Options{DigestKey: []byte("0123456789abcdef"), Operator: slices.Concat(operator, o.Rules(), l.Rules())})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func namedBy(t *testing.T, orders, learned []string) (l Learned, o Orders) {
	t.Helper()
	for _, text := range orders {
		s, err := ParseSlot(text[1:])
		if err != nil {
			t.Fatal(err)
		}
		o.Orders = append(o.Orders, Order{Slot: s, Pinned: text[0] == '+'})
	}
	for _, text := range learned {
		method, template, _ := strings.Cut(text, " ")
		l.Collapsed = append(l.Collapsed, Slot{method, template})
	}
	return l, o
}

// asClassified returns a call as a table classifies it; what is a method and a path.
func asClassified(table *Table, what string) *schema.Call {
	method, path, _ := strings.Cut(what, " ")
	c := &schema.Call{Method: method, Path: path}
	table.Classify(c, &Input{})
	return c
}

func TestPinnedRouteIsLearnedAway(t *testing.T) {
	table := tableOf(t, nil, []string{"+GET /shop/items/sale", "+GET /repos/{owner}/{name}/issues", "+GET /shop/{shop}/news"},
		"GET /shop/items/{slug}", "GET /repos/acme/{slug}/issues", "GET /shop/berlin/{slug}")
	for what, want := range map[string]string{
		"GET /shop/items/sale":         "/shop/items/sale",
		"GET /shop/items/blue":         "/shop/items/{slug}",
		"GET /repos/acme/rocket/issue": "/repos/acme/rocket/issue",
		// What is pinned applies before a learned template that is more specific.
		"GET /repos/acme/rocket/issues": "/repos/{owner}/{name}/issues",
		"GET /shop/berlin/news":         "/shop/{shop}/news",
		"GET /shop/berlin/events":       "/shop/berlin/{slug}",
		"POST /shop/items/sale":         "/shop/items/sale",
	} {
		if c := asClassified(table, what); c.Route != want {
			t.Errorf("%s: %s, want %s", what, c.Route, want)
		}
	}
	// Later versions of what is learned change nothing.
	seen := []Seen{}
	for i := range 150 {
		seen = append(seen, Seen{"GET", fmt.Sprintf("/shop/items/w-%c%c", 'a'+i%26, 'a'+i/26), 1})
	}
	learned, _ := Collapse(Learned{}, seen)
	_, orders := namedBy(t, []string{"+GET /shop/items/sale"}, nil)
	later, err := NewTable(Options{DigestKey: []byte("0123456789abcdef"), Operator: append(orders.Rules(), learned.Rules()...)})
	if err != nil {
		t.Fatal(err)
	}
	if c := asClassified(later, "GET /shop/items/sale"); c.Route != "/shop/items/sale" {
		t.Error(c.Route)
	}
}

func TestUndoneRouteComesBack(t *testing.T) {
	orders := []string{"-GET /files/reports/{slug}"}
	// Learned again, and in a wider form.
	for _, learned := range [][]string{{"GET /files/reports/{slug}"}, {"GET /files/reports/{slug}", "GET /files/{slug}/{slug}"},
		{"GET /files/{slug}/{slug}"}} {
		table := tableOf(t, nil, orders, learned...)
		c := asClassified(table, "GET /files/reports/yearly")
		if c.Route != "/files/reports/yearly" || c.RouteSource != schema.RouteHeuristic {
			t.Errorf("%v: %s %s", learned, c.Route, c.RouteSource)
		}
	}
	table := tableOf(t, nil, orders, "GET /files/reports/{slug}", "GET /files/{slug}/{slug}")
	for what, want := range map[string]string{"GET /files/reports/77": "/files/reports/{id}",
		"GET /files/drafts/yearly": "/files/{slug}/{slug}",
		"GET /files/reports/a/b":   "/files/reports/a/b"} {
		if c := asClassified(table, what); c.Route != want {
			t.Errorf("%s: %s, want %s", what, c.Route, want)
		}
	}
}

// A learned template that is more specific than the operator's took the calls from it, and with them the
// declared effect.
func TestLearnedRouteHidesADeclaredOne(t *testing.T) {
	declared := []Rule{{Method: "POST", Template: "/v1/{kind}/{name}", Effect: schema.EffectPay, Reversibility: schema.Irreversible}}
	table := tableOf(t, declared, []string{"+POST /v1/orders/{name}", "-POST /v1/refunds/{name}"}, "POST /v1/items/{slug}")
	for _, what := range []string{"POST /v1/items/blue", "POST /v1/orders/blue", "POST /v1/refunds/blue"} {
		c := asClassified(table, what)
		if c.Route != "/v1/{kind}/{name}" || c.Effect != schema.EffectPay || c.Reversibility != schema.Irreversible ||
			c.RouteSource != schema.RouteFromConfig {
			t.Errorf("%s: %s %s %s", what, c.Route, c.Effect, c.Reversibility)
		}
	}
}

func TestPinMakesACallLookMilder(t *testing.T) {
	plain := tableOf(t, nil, nil)
	pinned := tableOf(t, nil, []string{"+POST /orders/{id}/{action}", "+GET /orders/{id}/{action}", "+DELETE /orders/{id}"})
	for _, what := range []string{"POST /orders/7/refund", "POST /orders/7/delete", "GET /orders/7/delete", "GET /orders/7/items",
		"DELETE /orders/blue", "POST /orders/7/%2e%2e/pay", "POST /orders/7/send;x=1"} {
		a, b := asClassified(plain, what), asClassified(pinned, what)
		if a.Effect != b.Effect || a.Reversibility != b.Reversibility {
			t.Errorf("%s: %s %s, pinned %s %s", what, a.Effect, a.Reversibility, b.Effect, b.Reversibility)
		}
	}
}

func TestPinSwallowsEveryRoute(t *testing.T) {
	for _, text := range []string{"GET /{a}", "GET /{a}/{b}", "GET /v1/{a}", "GET /api/v2/{a}/{b}", "GET /", "GET", "/a/{b}", "get /a/{b}",
		"* /a/{b}", "GET a/{b}", "GET /a/{*}", "GET /a/*", "GET /a/{b", "GET /a/b}", "GET /a/cus_{id}", "GET /a/{}", "GET /a/{b c}",
		"GET /a/../{b}", "GET /a//{b}", "GET /a/{b}?x=1", "GET /a/%2f/{b}", "GET /a;x/{b}", "GET /a/{b}\n", "GET /a/\u202e{b}",
		"GET /" + strings.Repeat("a/", 12) + "{b}",
		"GET /" + strings.Repeat("a", 512), "GET /a/{" + strings.Repeat("b", 41) + "}", "GET /a/\xff"} {
		if s, err := ParseSlot(text); err == nil {
			t.Errorf("%q: %+v", text, s)
		} else if len(text) > 6 && strings.Contains(err.Error(), strings.TrimPrefix(text, "GET ")) {
			t.Errorf("%q is in the error: %v", text, err)
		}
	}
	for _, text := range []string{"GET /a/{b}", "DELETE /api/v1/a/{b}/c", "GET /a/b", "GET /{tenant}/orders"} {
		if s, err := ParseSlot(text); err != nil || s.String() != text {
			t.Errorf("%q: %q %v", text, s, err)
		}
	}
}

// A manifest, a quota and an exception name routes by patterns. None may change what it matches because a route
// was learned, pinned or undone.
func TestChangeOfARouteVoidsAPattern(t *testing.T) {
	patterns := []string{"DELETE /shop/items/sale", "DELETE /shop/items/{id}", "DELETE /shop/items/*", "DELETE /shop/**", "* /shop/items/sale",
		"DELETE /shop/items/blue", "DELETE /shop/orders/sale", "DELETE /shop/items", "DELETE /shop/items/sale/x"}
	tables := map[string]*Table{"words": tableOf(t, nil, nil), "learned": tableOf(t, nil, nil, "DELETE /shop/items/{slug}"),
		"pinned":      tableOf(t, nil, []string{"+DELETE /shop/{kind}/{name}"}),
		"pinned word": tableOf(t, nil, []string{"+DELETE /shop/items/sale"}, "DELETE /shop/items/{slug}"),
		"undone":      tableOf(t, nil, []string{"-DELETE /shop/items/{slug}"}, "DELETE /shop/items/{slug}")}
	for _, what := range []string{"DELETE /shop/items/sale", "DELETE /shop/items/sale/", "DELETE /shop/./items//sale"} {
		plain := asClassified(tables["words"], what)
		for _, text := range patterns {
			p, err := ParsePattern(text)
			if err != nil {
				t.Fatal(err)
			}
			want := p.Matches(plain)
			for name, table := range tables {
				if got := p.Matches(asClassified(table, what)); got != want {
					t.Errorf("%s of %s with %s: %v, by its words %v", text, what, name, got, want)
				}
			}
		}
	}
}

func TestOtherNamesOfARouteAreNotFound(t *testing.T) {
	undone := tableOf(t, nil, []string{"-GET /shop/items/{slug}", "+GET /shop/{kind}/{name}"},
		"GET /shop/items/{slug}", "GET /shop/{slug}/{slug}")
	for what, want := range map[string][]string{
		"GET /shop/items/blue":      {"GET /shop/items/{slug}", "GET /shop/{kind}/{name}", "GET /shop/{slug}/{slug}"},
		"GET /shop/./items/%62lue/": {"GET /shop/items/{slug}", "GET /shop/{kind}/{name}", "GET /shop/{slug}/{slug}"},
		"GET /shop/orders/blue":     {"GET /shop/{slug}/{slug}", "GET /shop/orders/blue"},
		"GET /other":                nil,
		"PUT /shop/items/blue":      nil,
	} {
		c := asClassified(undone, what)
		c.Path = strings.TrimPrefix(what, c.Method+" ")
		if got := undone.Spellings(c); !reflect.DeepEqual(got, want) {
			t.Errorf("%s (%s): %q, want %q", what, c.Route, got, want)
		}
	}
	tool := &schema.Call{Method: "POST", Path: "/shop/items/blue", ToolName: "x"}
	if got := undone.Spellings(tool); got != nil {
		t.Errorf("%q", got)
	}
}

// A baseline is learned from stored calls: it must know them under the routes that calls have now.
func TestBaselineKnowsCallsUnderTheirFormerRoutes(t *testing.T) {
	l, o := namedBy(t, []string{"+GET /shop/items/sale", "-GET /files/reports/{slug}", "+GET /a/{b}/c"},
		[]string{"GET /shop/items/{slug}", "GET /files/reports/{slug}"})
	r := NewRenaming(l, o)
	if !r.NeedsPaths() || NewRenaming(l, Orders{}).NeedsPaths() || (*Renaming)(nil).NeedsPaths() {
		t.Error("paths are read although nothing was undone, or are not read")
	}
	for _, v := range []struct{ method, stored, path, want string }{
		{"GET", "/shop/items/blue", "", "/shop/items/{slug}"}, // stored before it was learned
		{"GET", "/shop/items/{slug}", "/shop/items/blue", "/shop/items/{slug}"},
		{"GET", "/shop/items/{slug}", "/shop/items/sale", "/shop/items/sale"}, // stored before it was pinned
		{"GET", "/shop/items/sale", "", "/shop/items/sale"},
		{"GET", "/files/reports/{slug}", "/files/reports/yearly", "/files/reports/yearly"}, // before it was undone
		{"GET", "/files/reports/yearly", "", "/files/reports/yearly"},
		{"GET", "/a/{id}/c", "", "/a/{b}/c"},
		{"PUT", "/shop/items/blue", "", "/shop/items/blue"},
		{"GET", "/", "", "/"},
	} {
		if got := r.Route(v.method, v.stored, v.path); got != v.want {
			t.Errorf("%+v: %s", v, got)
		}
	}
	if got := (*Renaming)(nil).Route("GET", "/x", ""); got != "/x" {
		t.Error(got)
	}
}

func TestFullTableForgetsWhatItLearned(t *testing.T) {
	before := Learned{}
	for i := range maxLearned - 1 {
		before.Collapsed = append(before.Collapsed, Slot{"GET", fmt.Sprintf("/old%05d/{slug}", i)})
	}
	var seen []Seen
	for i := range 3 { // they sort before the old ones
		for j := range maxLiterals + 1 {
			seen = append(seen, Seen{"GET", fmt.Sprintf("/area%d/w-%c%c", i, 'a'+j%26, 'a'+j/26), 2})
		}
	}
	after, more := Collapse(before, seen)
	if len(after.Collapsed) != maxLearned || !more || !slices.Contains(after.Collapsed, before.Collapsed[maxLearned-2]) {
		t.Errorf("%d, %v", len(after.Collapsed), more)
	}
	if _, more := Collapse(after, seen); more {
		t.Error("a full table is published again and again")
	}
}

func TestLearnedRouteHasNoEvidence(t *testing.T) {
	var seen []Seen
	for i := range 150 {
		seen = append(seen, Seen{"GET", fmt.Sprintf("/repos/o-%c%c/p-%c%c/issues", 'a'+i%26, 'a'+i/26, 'a'+i/26, 'a'+i%26), 2})
	}
	l, _ := Collapse(Learned{}, seen)
	l.Date(7)
	again, more := Collapse(l, seen)
	again.Date(9)
	want := map[string]Evidence{"GET /repos/{slug}/{slug}/issues": {Words: []int{MaxWords, MaxWords}, Calls: 300, At: 7}}
	if more || !reflect.DeepEqual(l.Evidence, want) || !reflect.DeepEqual(again.Evidence, want) {
		t.Errorf("%v %+v %+v", more, l.Evidence, again.Evidence)
	}
}

// After a pin with fewer parameters, and after a clear, no undo is in force, but what is stored must be read again
// from the paths.
func TestClearedPinStaysInBaselines(t *testing.T) {
	learned := []string{"GET /shop/items/{slug}"}
	for name, tc := range map[string]struct {
		orders  []string
		learned []string
		want    string
	}{
		"narrower pin":       {[]string{"+GET /shop/items/{name}"}, nil, "/shop/items/{name}"},
		"word":               {[]string{"+GET /shop/items/sale"}, nil, "/shop/items/sale"},
		"cleared":            {nil, nil, "/shop/items/sale"},
		"cleared, a learned": {nil, learned, "/shop/items/{slug}"},
	} {
		l, o := namedBy(t, tc.orders, tc.learned)
		o.Generation = 9
		r := NewRenaming(l, o)
		if !r.NeedsPaths() {
			t.Errorf("%s: paths are not read", name)
		}
		if got := r.Route("GET", "/shop/{kind}/{name}", "/shop/items/sale"); got != tc.want {
			t.Errorf("%s: %s, want %s", name, got, tc.want)
		}
	}
}

func TestFormerTemplateNamesARoute(t *testing.T) {
	former := Orders{Former: []Slot{{"GET", "/shop/{kind}/{name}"}}}
	table, err := NewTable(Options{DigestKey: []byte("0123456789abcdef"), Operator: former.Rules()})
	if err != nil {
		t.Fatal(err)
	}
	c := asClassified(table, "GET /shop/items/sale")
	if c.Route != "/shop/items/sale" || c.RouteSource != schema.RouteHeuristic {
		t.Errorf("%s %s", c.Route, c.RouteSource)
	}
	if got := table.Spellings(c); !reflect.DeepEqual(got, []string{"GET /shop/{kind}/{name}"}) {
		t.Errorf("%q", got)
	}
	if got := NewRenaming(Learned{}, former).Route("GET", "/shop/items/sale", ""); got != "/shop/items/sale" {
		t.Error(got)
	}
}

// All orders of a tenant can fit one path: a breaker may be open on each of them.
func TestOrderIsMissingAmongOtherNames(t *testing.T) {
	const path = "/a/a/a/a/a/a/a/a/a/a"
	orders, learned := Orders{}, Learned{}
	fits := func(i int) string { // one of 2^9 templates that fit path
		segs := strings.Split(path[1:], "/")
		for bit := range len(segs) - 1 {
			if i>>bit&1 == 1 {
				segs[bit+1] = "{p}"
			}
		}
		return "/" + strings.Join(segs, "/")
	}
	for i := range MaxOrders {
		orders.Orders = append(orders.Orders, Order{Slot: Slot{"GET", fits(i)}, Pinned: true})
		orders.Former = append(orders.Former, Slot{"GET", strings.ReplaceAll(fits(i), "p", "q")})
		learned.Collapsed = append(learned.Collapsed, Slot{"GET", strings.ReplaceAll(fits(i), "p", "slug")})
	}
	rules := append(orders.Rules(), learned.Rules()...)
	table, err := NewTable(Options{DigestKey: []byte("0123456789abcdef"), Operator: rules})
	if err != nil {
		t.Fatal(err)
	}
	got := table.Spellings(asClassified(table, "GET "+path))
	for _, o := range orders.Orders[1:] {
		if !slices.Contains(got, o.String()) {
			t.Errorf("%s is missing", o)
		}
	}
	for _, s := range orders.Former[1:] {
		if !slices.Contains(got, s.String()) {
			t.Errorf("%s is missing", s)
		}
	}
	if most := 2*MaxOrders + maxLearnedSpellings; len(got) > most || len(got) < 2*(MaxOrders-1)+maxLearnedSpellings {
		t.Errorf("%d names, at most %d", len(got), most)
	}
}

func TestLearnedRestIsNoOtherName(t *testing.T) {
	long := "/shop" + strings.Repeat("/a", 12)
	rest := "/shop/{slug}" + strings.Repeat("/a", 9) + "/{*}"
	table := tableOf(t, nil, []string{"+GET /shop/a/b"}, "GET "+rest)
	c := asClassified(table, "GET "+long)
	if c.Route != rest {
		t.Fatal(c.Route)
	}
	undone := tableOf(t, nil, []string{"-GET /shop/{p}" + strings.Repeat("/a", 9) + "/{rest}"}, "GET "+rest)
	c.Route = "/other"
	for name, table := range map[string]*Table{"learned": table, "beside an undone": undone} {
		if got := table.Spellings(c); !slices.Contains(got, "GET "+rest) {
			t.Errorf("%s: %q", name, got)
		}
	}
}
