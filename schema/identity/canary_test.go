package identity

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"flyball/schema"
)

const canaryPath = schema.CanaryPath + "round-1"

// resolved returns the tenant of a request to the check with these headers, and of a line of a log with this receipt.
func canaryCalls(t *testing.T, r *Resolver, path, token string) (asked, logged schema.Call) {
	t.Helper()
	asked = schema.Call{Method: "GET", Path: path, Start: signedAt.UnixNano()}
	h := map[string]string{schema.CanaryHeader: token, "x-agent-id": schema.CanaryTenant, "x-agent-run-id": "claimed"}
	if _, err := r.ResolveRequest(func(n string) string { return h[n] }, "", netip.MustParseAddr("192.0.2.7"), &asked); err != nil {
		t.Fatal(err)
	}
	logged = schema.Call{Method: "GET", Path: path, Start: signedAt.UnixNano(), Tenant: "t"}
	r.Resolve(&Evidence{Receipt: token, Path: path, AgentHeader: schema.CanaryTenant, AgentHeaderName: "x-agent-id", RunHeader: "claimed",
		RunHeaderName: "x-agent-run-id", GatewayAgent: "support/bot", UserID: "kim"}, &logged)
	return asked, logged
}

func TestCallersEnterTheTenantOfTheCanary(t *testing.T) {
	r, err := NewResolver(Options{Tenant: "t", Key: Key(strings.Repeat("k", 32))})
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewResolver(Options{Tenant: "t", Key: Key(strings.Repeat("x", 32))})
	if err != nil {
		t.Fatal(err)
	}
	sign := func(by *Resolver, path string, at time.Time) string {
		t.Helper()
		token, err := by.SignCanary("round-1", "GET", path, at)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	ordinary, err := r.Sign(&schema.Call{Tenant: "t", AgentID: schema.CanaryTenant + "/x", RoutingKey: "canary:x", RunKey: "x",
		RunKeySource: "x-agent-run-id", Start: signedAt.UnixNano()}, [8]byte{}, "GET", canaryPath)
	if err != nil {
		t.Fatal(err)
	}
	// A receipt of the check for a call that names the tenant, but not by the canary's routing key.
	inTenant, err := r.Sign(&schema.Call{Tenant: schema.CanaryTenant, AgentID: "x", RoutingKey: "g:x", RunKey: "x",
		RunKeySource: "x-agent-run-id", Start: signedAt.UnixNano()}, [8]byte{}, "GET", canaryPath)
	if err != nil {
		t.Fatal(err)
	}
	good := sign(r, canaryPath, signedAt)
	for name, tc := range map[string]struct {
		path, token string
		enters      bool
	}{
		"the canary":                         {canaryPath, good, true},
		"its path and names without a token": {canaryPath, "", false},
		"its token for another path":         {"/v1/orders/7", good, false},
		"its token for another round":        {schema.CanaryPath + "round-2", good, false},
		"a token for a path of an API":       {"/v1/orders/7", sign(r, "/v1/orders/7", signedAt), false},
		"a token of another deployment":      {canaryPath, sign(other, canaryPath, signedAt), false},
		"a token that has expired":           {canaryPath, sign(r, canaryPath, signedAt.Add(-receiptWindow-time.Second)), false},
		"a receipt of an ordinary call":      {canaryPath, ordinary, false},
		"a receipt with another caller":      {canaryPath, inTenant, false},
		"its token with a query":             {canaryPath + "?query=mutation", good, false},
		"its token with a fragment":          {canaryPath + "#/../../v1/orders/7", good, false},
		"its token in another spelling":      {schema.CanaryPath + "/round%2D1", good, false},
		"a token that was changed":           {canaryPath, good[:len(good)-1] + "A", false},
	} {
		asked, logged := canaryCalls(t, r, tc.path, tc.token)
		for where, c := range map[string]schema.Call{"check": asked, "log": logged} {
			if entered := c.Tenant == schema.CanaryTenant; entered != tc.enters {
				t.Errorf("%s, %s: tenant %q", name, where, c.Tenant)
			}
			if schema.IsCanaryActor(c.RoutingKey) && !tc.enters && tc.token != ordinary {
				t.Errorf("%s, %s: routing key %q", name, where, c.RoutingKey)
			}
			if tc.enters && (c.RunKey != "round-1" || c.AgentID != schema.CanaryTenant+"/round-1" || c.PrincipalID != "" ||
				c.AgentTrust != schema.TrustVerified) {
				t.Errorf("%s: names of the record remain: %+v", where, c)
			}
		}
	}
}
