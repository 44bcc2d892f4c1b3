package route

import (
	"strings"
	"testing"

	"flyball/schema"
)

// A GET that destroys was a read, and a report of it was complete.
func TestGetThatDestroysIsARead(t *testing.T) {
	table, err := NewTable(Options{DigestKey: make([]byte, 16), Operator: []Rule{
		{Method: "GET", Template: "/shop/deleteAll", Effect: schema.EffectDelete},
		{Method: "GET", Template: "/shop/removeFilter", Effect: schema.EffectRead}}})
	if err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]schema.Effect{
		"/v1/users/7/deleteAccount":         schema.EffectUnknown,
		"/v1/users/7/delete-account":        schema.EffectUnknown,
		"/api/auth.revoke":                  schema.EffectUnknown, // Slack's
		"/v1/caches/7:purge":                schema.EffectUnknown,
		"/refundOrder?id=7":                 schema.EffectUnknown,
		"/admin?action=delete&id=7":         schema.EffectUnknown,
		"/w/index.php?title=X&ACTION=purge": schema.EffectUnknown,
		"/admin?cmd=removeUser&id=7":        schema.EffectUnknown,
		"/admin?ac%74ion=delete&id=7":       schema.EffectUnknown,
		"/admin?id=7;action=d%65lete":       schema.EffectUnknown,
		"/admin?action[]=delete":            schema.EffectUnknown,
		"/v1/deleteTask?id=7":               schema.EffectUnknown,
		"/v1/queues/7/purgeQueue":           schema.EffectUnknown,
		"/v1/remove-job?id=7":               schema.EffectUnknown,
		"/v1/users/7/delete":                schema.EffectDelete,
		"/shop/deleteAll":                   schema.EffectDelete,
		"/shop/removeFilter":                schema.EffectRead,

		"/api/v1/monitor/can_delete":      schema.EffectRead, // Datadog's
		"/refund-policy":                  schema.EffectRead,
		"/v1/transfer-history":            schema.EffectRead,
		"/v1/delete-requests":             schema.EffectRead,
		"/v1/orders/7/removeReason":       schema.EffectRead,
		"/v1/orders?sort=delete&q=remove": schema.EffectRead,
		"/v1/orders?action=list":          schema.EffectRead,
		"/v1/deleted-items":               schema.EffectRead,
		"/payments":                       schema.EffectRead,
		"/users/delete_me/orders":         schema.EffectRead,
		"/files/purge.log":                schema.EffectRead,
	} {
		for _, method := range []string{"GET", "HEAD"} {
			if method == "HEAD" && (target == "/shop/deleteAll" || target == "/shop/removeFilter") {
				continue
			}
			path, query, _ := strings.Cut(target, "?")
			c := &schema.Call{Method: method, Path: path}
			table.Classify(c, &Input{RawQuery: query})
			if c.Effect != want {
				t.Errorf("%s %s: effect %s, want %s", method, target, c.Effect, want)
			}
			if unknown := c.Reversibility == schema.ReversibilityUnknown; unknown != (want == schema.EffectUnknown) {
				t.Errorf("%s %s: %s", method, target, c.Reversibility)
			}
		}
	}
}
