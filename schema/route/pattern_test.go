package route

import (
	"testing"

	"flyball/schema"
)

func TestPatterns(t *testing.T) {
	for pattern, cases := range map[string]map[string]bool{
		"GET /v1/**":          {"/v1": true, "/v1/a/b": true, "/v2": false, "/": false},
		"GET /v1/*/x":         {"/v1/{id}/x": true, "/v1/a/x": true, "/v1/x": false, "/v1/a/b/x": false},
		"GET /v1/orders/{id}": {"/v1/orders/{order_id}": true, "/v1/orders": false, "/v1/orders/{a}/{b}": false},
		"GET /":               {"/": true, "/a": false},
		"GET /**":             {"/": true, "/a/b": true},
		"* /v1/a":             {"/v1/a": true, "/v1/b": false},
		"PUT /**":             {"/a": false},
		"tool:x":              {"/x": false},
	} {
		p, err := ParsePattern(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for template, want := range cases {
			if got := p.Matches(&schema.Call{Method: "GET", Route: template, RouteKey: Key(template)}); got != want {
				t.Errorf("%s and %s: %v", pattern, template, got)
			}
		}
	}
	p, err := ParsePattern("tool:refund_payment")
	if err != nil || !p.Matches(&schema.Call{ToolName: "refund_payment"}) || p.Matches(&schema.Call{ToolName: "refund"}) {
		t.Errorf("a tool by its name: %v", err)
	}
}

func TestPatternThatCannotBeReadIsRefused(t *testing.T) {
	for _, text := range []string{"", "/v1/a", "get /v1/a", "GET v1/a", "GET /**/a", "tool:", "GET"} {
		if _, err := ParsePattern(text); err == nil {
			t.Errorf("%q was read", text)
		}
	}
}
