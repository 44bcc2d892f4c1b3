package check

import (
	"strings"
	"testing"

	"flyball/detect/enforce/enforcetest"
	"flyball/schema"
)

// The log has another route for a path with what looks like a secret. A breaker on a run's route in the log holds the calls that
// the log names so.
func TestWhatLooksLikeASecretLeadsAroundABreaker(t *testing.T) {
	checked := func(stopped ...schema.Command) func(path string) answer {
		c := newChecker(t, func(o *enforcetest.Options) { o.Routes = enforcetest.Table(t) })
		c.o.KeptPath = func(path string) string {
			return strings.NewReplacer("password=1", "password=[redacted]", "Bearer+x/refund", "[redacted]").Replace(path)
		}
		c.replay(stopped...)
		return func(path string) answer {
			return c.check(requestOf("POST", path, map[string]string{"x-consumer": "notary", "x-agent-run-id": "r-1"}))
		}
	}
	run := checked()("/v1/orders/7/refund").run
	if run == "" {
		t.Fatal("the request names no run")
	}
	for path, logged := range map[string]string{
		"/v1/orders/password=1/refund": "POST /v1/orders/{token}/refund",
		"/v1/orders/Bearer+x/refund":   "POST /v1/orders/{token}",
	} {
		ask := checked(schema.Command{ID: "r", Kind: schema.CommandForceOpen, Tenant: "t",
			Scope: schema.Scope{Kind: schema.ScopeRunRoute, Value: run + " " + logged}, By: "ann", Reason: "stop"})
		if a := ask(path); a.status != 403 {
			t.Errorf("%s, in the log %s: %d %s", path, logged, a.status, a.why)
		}
		if a := ask("/v1/customers/7/refund"); a.status != 200 {
			t.Errorf("%s holds another route: %d %s", logged, a.status, a.why)
		}
	}
}
