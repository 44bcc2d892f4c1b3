package route

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// words returns n different words.
func words(n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf("w-%c%c", 'a'+i%26, 'a'+i/26))
	}
	return out
}

// An agent that writes under many invented words made POST /orders/{id}/refund the same route as those.
func TestInventedWordsHideAnOperation(t *testing.T) {
	table := tableOf(t, nil, nil, "POST /orders/{id}/{slug}", "GET /orders/{id}/{slug}", "DELETE /files/{slug}/{slug}")
	for what, want := range map[string]string{
		"POST /orders/7/refund":       "/orders/{id}/refund",
		"POST /orders/7/Refunds":      "/orders/{id}/Refunds",
		"POST /orders/7/delete":       "/orders/{id}/delete",
		"POST /orders/7/search":       "/orders/{id}/search",
		"GET /orders/7/delete":        "/orders/{id}/delete",
		"POST /orders/7/blue":         "/orders/{id}/{slug}",
		"GET /orders/7/refunds":       "/orders/{id}/{slug}", // reads, as its method says
		"DELETE /files/refund/blue":   "/files/{slug}/{slug}",
		"DELETE /files/blue/transfer": "/files/blue/transfer",
		// Joined words have one name for each word that says what they do: all of them would be as many routes as an agent likes.
		"POST /orders/7/refund-all":        "/orders/{id}/refund-{slug}",
		"POST /orders/7/bulk_refund":       "/orders/{id}/refund-{slug}",
		"POST /orders/7/refundAll":         "/orders/{id}/refund-{slug}",
		"POST /orders/7/-refund":           "/orders/{id}/refund-{slug}",
		"POST /orders/7/refund--":          "/orders/{id}/refund-{slug}",
		"POST /orders/7/v1:purge":          "/orders/{id}/purge-{slug}",
		"POST /orders/7/deleteAccount":     "/orders/{id}/delete-{slug}",
		"POST /orders/7/delete_all_refund": "/orders/{id}/delete-{slug}",
		"DELETE /files/blue/all-transfers": "/files/{slug}/transfer-{slug}",
		"POST /orders/7/get-refunds":       "/orders/{id}/{slug}", // reads
		"POST /orders/7/update-all":        "/orders/{id}/{slug}", // can be undone
		"GET /orders/7/refund-all":         "/orders/{id}/{slug}", // reads, as its method says
		"POST /orders/7/reFUnDing":         "/orders/{id}/{slug}",
	} {
		if c := asClassified(table, what); c.Route != want {
			t.Errorf("%s: %s, want %s", what, c.Route, want)
		}
	}
	refund := asClassified(table, "POST /orders/7/refund")
	if got := table.Spellings(refund); !slices.Contains(got, "POST /orders/{id}/{slug}") {
		t.Errorf("a breaker on the learned template does not apply: %q", got)
	}
	joined := asClassified(table, "POST /orders/7/refund-all")
	if got := table.Spellings(joined); !slices.Contains(got, "POST /orders/{id}/{slug}") ||
		!slices.Contains(got, "POST /orders/{id}/refund-all") {
		t.Errorf("a breaker on a former name does not apply: %q", got)
	}
	for pattern, want := range map[string]bool{"POST /orders/{id}/refund-all": true, "POST /orders/{id}/{slug}": true, "POST /orders/**": true,
		"POST /orders/{id}/refund-{slug}": true, "POST /orders/{id}/refund-some": false, "POST /orders/{id}/bulk-{x}": false} {
		if p, err := ParsePattern(pattern); err != nil || p.Matches(joined) != want {
			t.Errorf("%s matches refund-all: %t, %v", pattern, !want, err)
		}
	}
	if joined.Resources[0].String() != "order:7" || len(joined.Resources) != 1 {
		t.Errorf("resources %v", joined.Resources)
	}
	l, o := namedBy(t, nil, []string{"POST /orders/{id}/{slug}"})
	if got := NewRenaming(l, o).Route("POST", "/orders/{id}/bulk_refund", ""); got != "/orders/{id}/refund-{slug}" {
		t.Errorf("a baseline knows it as %s", got)
	}
	if got := NewRenaming(l, o).Route("POST", "/orders/{id}/refund", ""); got != "/orders/{id}/refund" {
		t.Errorf("a baseline knows it as %s", got)
	}
}

// {id} in a learned template stands for what looks like an identifier: words were never seen there.
func TestLearnedTemplateTakesWordsInPlaceOfIdentifiers(t *testing.T) {
	table := tableOf(t, nil, nil, "GET /admin/{id}/{slug}", "GET /orders/ORD-{id}/{slug}", "GET /docs/{id}.json/{slug}")
	l, o := namedBy(t, nil, []string{"GET /admin/{id}/{slug}", "GET /orders/ORD-{id}/{slug}", "GET /docs/{id}.json/{slug}"})
	renaming := NewRenaming(l, o)
	for what, want := range map[string]string{
		"GET /admin/users/export":     "/admin/users/export",
		"GET /admin/77/export":        "/admin/{id}/{slug}",
		"GET /admin/9f8a77b1c2/x":     "/admin/{id}/{slug}", // another form of identifier
		"GET /orders/ORD-12345/items": "/orders/ORD-{id}/{slug}",
		"GET /orders/7/items":         "/orders/{id}/items",
		"GET /docs/7/items":           "/docs/{id}/items",
		"GET /docs/18374.json/x":      "/docs/{id}.json/{slug}",
	} {
		c := asClassified(table, what)
		if c.Route != want {
			t.Errorf("%s: %s, want %s", what, c.Route, want)
		}
		// A baseline must know a call that was stored before under the route that calls have now.
		if got := renaming.Route("GET", heuristicTemplate(c.Path), ""); got != want {
			t.Errorf("%s: a baseline knows it as %s, calls are %s", what, got, want)
		}
	}
}

// An operator must be able to undo whatever was learned.
func TestLearnedTemplateCannotBeUndone(t *testing.T) {
	for _, collection := range []string{"/a;b", "/a%b", "/a b", "/a\nb", "/a\u202eb", "/\xff", "/a?b",
		"/" + strings.Repeat("/very-long-word-of-a-path", 30),
		"/x/cus_{id}", "/" + strings.Repeat("a/", 10) + "b", "/{id}"} {
		var seen []Seen
		for _, w := range words(150) {
			seen = append(seen, Seen{"GET", collection + "/" + w + "/c", 1}, Seen{"GET", "/shop" + collection + "/" + w + "/{*}", 1})
		}
		learned, _ := Collapse(Learned{}, seen)
		for _, s := range learned.Collapsed {
			if back, err := ParseSlot(s.String()); err != nil || back.Key() != s.Key() {
				t.Errorf("%q: %v", s, err)
			}
		}
	}
}

// Breakers on learned templates apply to a call if they are among the other names of its route, which are bounded.
func TestMoreTemplatesAreLearnedForAPathThanACallHasNames(t *testing.T) {
	var seen []Seen
	for set := range 1 << 7 {
		segs := strings.Split("shop/a/b/c/d/e/f/g", "/")
		for bit := range 7 {
			if set>>bit&1 == 1 {
				segs[bit+1] = "{id}"
			}
		}
		for _, w := range words(101) {
			seen = append(seen, Seen{"GET", "/" + strings.Join(segs, "/") + "/" + w, 1})
		}
	}
	learned, more := Collapse(Learned{}, seen)
	if !more {
		t.Fatal("nothing was learned")
	}
	learned, _ = Collapse(learned, seen)
	table, err := NewTable(Options{DigestKey: []byte("0123456789abcdef"), Operator: learned.Rules()})
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/shop/a/b/c/d/e/f/g/z", "/shop/1/2/3/4/5/6/7/z"} {
		n := 0
		table.names.learned.all(shapesOf(wordsOfPath(path), nil), "GET", func(*Rule) { n++ })
		if n > maxLearnedSpellings {
			t.Errorf("%s: %d learned templates fit, a call has %d names at most", path, n, maxLearnedSpellings)
		}
	}
}
