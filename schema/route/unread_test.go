package route

import (
	"strings"
	"testing"

	"flyball/schema"
)

// A call that names one resource where it is read, and others where they are not, was one of the first alone: the report was complete.
func TestReportIsCompleteWithoutResourcesThatAreNotRead(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 20) + `{"order_id":7}` + strings.Repeat("}", 20)
	for _, x := range []struct{ what, method, path, query, args, known string }{
		{"a long value", "DELETE", "/orders", "id=7&order_id=" + strings.Repeat("1,", 80), "", "id:7"},
		{"a value that is not decoded", "DELETE", "/orders", "id=7&order_id=%zz8", "", "id:7"},
		{"ids of no type", "DELETE", "/orders", "id=7&ids=1,2,3", "", "id:7"},
		{"a list of ids of no type", "DELETE", "/orders", "id=7&ids[]=1&ids[]=2", "", "id:7"},
		{"ids in the body", "POST", "/purge", "", `{"user_id":"me","ids":[1,2]}`, "user:me"},
		{"objects in a list", "POST", "/purge", "", `{"user_id":"me","orders":[{"order_id":1},{"order_id":2}]}`, "user:me"},
		{"objects in objects", "POST", "/purge", "", `{"user_id":"me","a":{"b":{"order_ids":[1,2]}}}`, "user:me"},
		{"a deep object", "POST", "/purge", "", `{"user_id":"me","a":` + deep + `}`, "user:me"},
		{"a list as the body", "POST", "/orders/purge", "user_id=me", `[{"order_id":1},{"order_id":2}]`, "user:me"},
		{"a deep path", "DELETE", "/orders/7/" + strings.Repeat("a/", 30) + "items/9", "", "", "order:7"},
		{"a path of many readings", "POST", "/v1/accounts/7/%252525252e%252e/x", "", "", "account:7"},
		{"a long path", "DELETE", "/v1/accounts/7/" + strings.Repeat("x/", MaxReadable) + "items/9", "", "", "account:7"},
	} {
		c := classified(x.method, x.path, x.query, x.args)(t)
		names, hole := false, false
		for _, r := range c.Resources {
			names, hole = names || r.String() == x.known, hole || r.ID == "?"
		}
		if !names || !hole {
			t.Errorf("%s: %v", x.what, c.Resources)
		}
		again := classified(x.method, x.path, x.query, x.args)(t)
		if len(again.Resources) != len(c.Resources) || again.Resources[len(again.Resources)-1] != c.Resources[len(c.Resources)-1] {
			t.Errorf("%s: %v and then %v", x.what, c.Resources, again.Resources)
		}
	}
}

// What is read completely has no hole in its report.
func TestReportHasAHoleWhereAllIsRead(t *testing.T) {
	for _, x := range [][3]string{
		{"/orders/purge", "order_id=7&limit=10&note=a;b", ""},
		{"/orders/7/refund", "", `{"amount":10,"lines":[{"sku":"a","n":2}],"to":{"account_id":"9","name":{"first":"Kim"}}}`},
		{"/orders/7/refund", "", `{"order_ids":[7,8],"session":{"deep":{"session_id":"x"}}}`},
		{"/v1/files/7;v=1/x%2Fy", "", ""},
	} {
		c := classified("POST", x[0], x[1], x[2])(t)
		for _, r := range c.Resources {
			if r.ID == "?" {
				t.Errorf("%s: %v", x, c.Resources)
			}
		}
	}
	// Markers of what stands beside known resources hold no call by a manifest; those of unknown resources do.
	c := classified("POST", "/purge", "", `{"user_id":"me","orders":[{"order_id":1}]}`)(t)
	for _, r := range c.Resources {
		if r.ID == "?" && r.Source == schema.ProvenanceNotLogged {
			t.Errorf("%v", c.Resources)
		}
	}
	if c := classified("POST", "/orders/bulk", "", `{"orders":[{"order_id":1}]}`)(t); c.Resources[len(c.Resources)-1].Source !=
		schema.ProvenanceNotLogged {
		t.Errorf("a call that names nothing that is read passes a manifest: %v", c.Resources)
	}
}
