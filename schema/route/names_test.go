package route

import (
	"strings"
	"testing"

	"flyball/schema"
)

// The names of a route are made together: they must be those that Template, Key and the operation give one by one.
func TestNamesOfARouteDiffer(t *testing.T) {
	for _, path := range []string{"", "/", "/a", "/orders/7", "/orders/7/items/9", "/v1/cus_18aB/x.json", "/a/{b}/c",
		"/" + strings.Repeat("a/7/", 10), "/f/" + strings.Repeat("x1", 200), "/1/2/3/4/5/6/7/8/9/10/11/12",
		"/u/me@example.org/3fa85f64-5717-4562-b3fc-2c963f66afa6.json"} {
		var arena [16]string
		operation, template, key := namesOf("GET", split(path, arena[:0]))
		if template != heuristicTemplate(path) || key != Key(template) || operation != "GET "+template {
			t.Errorf("%s: %q %q %q, want %q %q", path, operation, template, key, heuristicTemplate(path), Key(heuristicTemplate(path)))
		}
	}
	declared := []Rule{{Method: "GET", Template: "/a/:b"}, {Template: "/c/<int:d>"}}
	table, err := NewTable(Options{DigestKey: []byte("0123456789abcdef"), Operator: declared})
	if err != nil {
		t.Fatal(err)
	}
	for what, want := range map[string][3]string{"GET /a/x": {"/a/{b}", "/a/{}", "GET /a/{b}"}, "PUT /c/x": {"/c/{d}", "/c/{}", "PUT /c/{d}"},
		"PUT /e/7": {"/e/{id}", "/e/{}", "PUT /e/{id}"}} {
		if c := asClassified(table, what); c.Route != want[0] || c.RouteKey != want[1] || c.Operation != want[2] {
			t.Errorf("%s: %q %q %q", what, c.Route, c.RouteKey, c.Operation)
		}
	}
	noMethod := schema.Call{Path: "/e/7"}
	table.Classify(&noMethod, &Input{})
	tool := schema.Call{Method: "POST", Path: "/e/7", ToolName: "wire"}
	table.Classify(&tool, &Input{})
	if noMethod.Operation != "" || tool.Operation != "wire" {
		t.Errorf("%q %q", noMethod.Operation, tool.Operation)
	}
}

// Classifying an ordinary request makes two objects beside the call: its names and its resource.
func TestClassifyingAllocatesMore(t *testing.T) {
	table := tableOf(t, nil, nil, "GET /items/{slug}")
	for what, most := range map[string]float64{"GET /orders/7": 3, "GET /items/blue": 2, "DELETE /orders/7/items/9": 4} {
		method, path, _ := strings.Cut(what, " ")
		in := &Input{}
		if got := testing.AllocsPerRun(100, func() {
			c := schema.Call{Method: method, Path: path}
			table.Classify(&c, in)
		}); got > most {
			t.Errorf("%s: %v objects, at most %v", what, got, most)
		}
	}
}
