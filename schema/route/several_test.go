package route

import (
	"slices"
	"strings"
	"testing"

	"flyball/schema"
)

// One resource stood for many: a page of a list was its first item, a list of ids was one id, and what a change takes with it was
// nothing. The report was complete.
func TestOneResourceStandsForMany(t *testing.T) {
	for call, want := range map[string]string{
		"GET /v1/items?after_id=77&limit=1000":                  "item:*",
		"GET /v1/items?starting_after=obj_123":                  "item:*",
		"GET /v1/items?cursor=eyJhIjoxfQ":                       "item:*",
		"GET /v1/accounts/7/transactions?next_id=abc":           "account:7 transaction:*",
		"GET /v1/items?item_id=1&after_id=77":                   "item:1",
		"POST /v1/moves?start_id=1&end_id=2":                    "end:2 start:1",
		"DELETE /v1/orders?order_id=8&order_%69d=7":             "order:7 order:8",
		"DELETE /v1/orders?order_id=8;order_id=7":               "order:7 order:8",
		"DELETE /v1/orders?order_id[]=8&order_id%5B%5D=7":       "order:7 order:8",
		"DELETE /v1/orders/7,8,9":                               "order:7 order:8 order:9",
		"DELETE /v1/orders/7,8,9,":                              "order:7,8,9,",
		"GET /v1/users/a1,b2":                                   "user:a1 user:b2",
		"GET /v1/places/40.7,-73.9":                             "place:40.7,-73.9",
		"DELETE /v1/folders/7?recursive=true":                   "folder:7 folder:?",
		"DELETE /v1/folders/7?Recurse":                          "folder:7 folder:?",
		"DELETE /v1/folders/7?rec%75rsive=1":                    "folder:7 folder:?",
		"DELETE /v1/folders/7?a=1;recursive=1":                  "folder:7 folder:?",
		"DELETE /v1/orders/7?cascade=lines":                     "order:7 order:?",
		"DELETE /v1/orders/7?cascade=false":                     "order:7",
		"GET /v1/folders/7?recursive=true":                      "folder:7",
		"POST /v1/orders/7/items/batch":                         "item:? order:7",
		"POST /v1/orders/7/items/batch?id=3":                    "id:3 item:? order:7",
		"POST /v1/orders/7/items:batchCreate":                   "item:? order:7",
		"POST /v1/orders/7/$batch":                              "order:7 order:?",
		"POST /v1/orders/bulk-delete":                           "order:?",
		"POST /v1/batches/7/close":                              "batch:7",
		"GET /v1/orders/batch?id=7":                             "id:7",
		"DELETE /v1/orders/" + strings.Repeat("12,", 30) + "13": "order:12 order:13",
	} {
		method, target, _ := strings.Cut(call, " ")
		path, query, _ := strings.Cut(target, "?")
		c := classified(method, path, query, "")(t)
		var got []string
		for _, r := range c.Resources {
			got = append(got, r.Type+":"+r.ID)
		}
		slices.Sort(got)
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%s names %q, want %q", call, text, want)
		}
	}
	many := ""
	for i := range 40 {
		many += "," + strings.Repeat("1", i+1)
	}
	c := classified("DELETE", "/v1/orders/"+many[1:], "", "")(t)
	if len(c.Resources) != maxResources || c.Resources[maxResources-1].ID != "?" {
		t.Errorf("a list of 40 ids: %v", c.Resources)
	}
	const uuid = "5e3d0f4c-9a0b-4c1d-8e2f-00000000000"
	for _, list := range []string{"7,8", "9,10,11", uuid + "1," + uuid + "2"} {
		if c := classified("DELETE", "/v1/orders/"+list, "", "")(t); c.Route != "/v1/orders/{id}" {
			t.Errorf("the list %s has the route %s", list, c.Route)
		}
	}
	rule := Rule{Method: "DELETE", Template: "/v1/orders/{order_id}", Effect: schema.EffectDelete}
	declared := classified("DELETE", "/v1/orders/7,8", "", "", rule)(t)
	if len(declared.Resources) != 2 {
		t.Errorf("a declared route: %v", declared.Resources)
	}
}
