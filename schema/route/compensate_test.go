package route

import (
	"slices"
	"strings"
	"testing"
)

func TestUndoneByTheWrongCall(t *testing.T) {
	for _, tc := range []struct {
		template, by, path string
		want               string
		missing            []string
	}{
		{"/v1/refunds/{id}", "POST /v1/refunds/{id}/cancel", "/v1/refunds/7", "POST /v1/refunds/7/cancel", nil},
		{"/v1/refunds/:id", "POST /v1/refunds/{refund}/cancel", "/v1/refunds/7?x=1", "POST /v1/refunds/7/cancel", nil},
		{"/v1/a/{a}/b/{b}", "DELETE /v1/b/{b}/of/{a}", "/v1/a/1/b/2", "DELETE /v1/b/2/of/1", nil},
		{"/v1/a/{a}/b/{b}", "DELETE /v1/b/{c}", "/v1/a/1/b/2", "DELETE /v1/b/{c}", []string{"c"}},
		{"/v1/orders", "DELETE /v1/orders/{id}", "/v1/orders", "DELETE /v1/orders/{id}", []string{"id"}},
		{"/v1/orders/{id}", "POST /v1/orders/{id}/restore", "/v1/orders/a%20b", "POST /v1/orders/a%20b/restore", nil},
		{"/v1/orders/{id}", "POST /v1/orders/{id}/restore", "/v1/orders/$(id)", "POST /v1/orders/$%28id%29/restore", nil},
		{"/v1/orders/{id}", "POST /v1/orders/{id}/restore", "/v1/items/7", "POST /v1/orders/{id}/restore", []string{"id"}},
		{"/v1/orders/{id}", "POST /v1/restore", "/v1/orders/7", "POST /v1/restore", nil},
	} {
		c := FindCompensation(Compensations([]Rule{{Method: "DELETE", Template: tc.template, CompensatedBy: tc.by}}), "DELETE", tc.template)
		if c == nil {
			t.Errorf("%s: not found", tc.template)
			continue
		}
		method, path, missing := c.For(tc.path)
		if method+" "+path != tc.want || !slices.Equal(missing, tc.missing) {
			t.Errorf("%s by %s: %s %s, missing %v; want %s, %v", tc.path, tc.by, method, path, missing, tc.want, tc.missing)
		}
	}
	if FindCompensation([]Compensation{{"POST", "/v1/a/{id}", "POST /x"}}, "DELETE", "/v1/a/{other}") != nil {
		t.Error("another method is undone")
	}
	if FindCompensation([]Compensation{{"", "/v1/a/{id}", "POST /x"}}, "DELETE", "/v1/a/{other}") == nil {
		t.Error("a parameter of another name is another route")
	}
}

// An agent chooses the ids: none of them may lead the responder's credential to another path.
func TestIdLeadsTheUndoToAnotherPath(t *testing.T) {
	c := Compensation{"DELETE", "/v1/orders/{id}", "POST /v1/orders/{id}/restore"}
	for _, id := range []string{"..", ".", "%2e%2e", "%2E.", "a%2fb", "a%2F..%2f..%2fadmin", `a%5cb`, "..;", "7;x=1", "7%3fadmin", "7%23", "", "%00", "%0a",
		"a%252fb", "...", "7%0d%0aHost:%20evil"} {
		_, path, missing := c.For("/v1/orders/" + id)
		if len(missing) != 1 || path != "/v1/orders/{id}/restore" {
			t.Errorf("%q: %s, missing %v", id, path, missing)
		}
	}
	for _, id := range []string{"@evil.example", "-o", "`id`", "a&b=c", "🙂", "a'b\"c"} {
		_, path, missing := c.For("/v1/orders/" + id)
		if len(missing) != 0 || !strings.HasPrefix(path, "/v1/orders/") || strings.Count(path, "/") != 4 || strings.ContainsAny(path, " '\"`\n") {
			t.Errorf("%q: %s, missing %v", id, path, missing)
		}
	}
}

func TestCompensationOfNoRouteIsTaken(t *testing.T) {
	for _, by := range []string{"", "/v1/x", "GET /v1/x", "post /v1/x", "POST v1/x", "POST https://evil.example/v1/x", "POST //evil.example/x",
		"POST /v1/x y", "POST /v1/$(id)", "POST /v1/x'", "POST /v1/x\n", "POST /a#b", "POST /a?b"} {
		if CheckCompensation(by) == nil {
			t.Errorf("%q is taken", by)
		}
	}
	for _, by := range []string{"POST /v1/refunds/{id}/cancel", "DELETE /v1/orders/:id", "PUT /"} {
		if err := CheckCompensation(by); err != nil {
			t.Error(err)
		}
	}
	if _, err := NewTable(Options{DigestKey: make([]byte, 16), Operator: []Rule{{Template: "/a", CompensatedBy: "x"}}}); err == nil ||
		!strings.Contains(err.Error(), "routes[0].compensated_by") {
		t.Errorf("a table with a bad compensation: %v", err)
	}
}

// The placeholder would stand in a command to copy as if it were a value.
func TestParameterInsideASegmentIsAccepted(t *testing.T) {
	for _, by := range []string{"POST /users/u-{id}/undo", "DELETE /a/{id", "DELETE /a/{}"} {
		if CheckCompensation(by) == nil {
			t.Errorf("%q is accepted", by)
		}
	}
	if err := CheckCompensation("POST /users/{id}/undo"); err != nil {
		t.Error(err)
	}
}
