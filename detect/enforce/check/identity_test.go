package check

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"flyball/detect/enforce/enforcetest"
	"flyball/schema"
)

// asNginx sends a request to the check in the same way as nginx.
func asNginx(c *checker, method, path string, headers ...string) *httptest.ResponseRecorder {
	r := at("GET", "/check/nginx", append([]string{"X-Original-Method", method, "X-Original-Uri", path}, headers...)...)
	w := httptest.NewRecorder()
	c.Handler().ServeHTTP(w, r)
	return w
}

// asEnvoy sends a request to the check in the same way as Envoy over gRPC, which joins the values
// of a header.
func asEnvoy(t *testing.T, c *checker, peer, method, path string, headers ...string) *auth.CheckResponse {
	t.Helper()
	all := http.Header{}
	for i := 0; i+1 < len(headers); i += 2 {
		all.Add(headers[i], headers[i+1])
	}
	joined := map[string]string{}
	for k, v := range all {
		joined[strings.ToLower(k)] = strings.Join(v, ",")
	}
	out, err := (&authorization{c: c.Checker}).Check(context.Background(), &auth.CheckRequest{Attributes: &auth.AttributeContext{
		Source: &auth.AttributeContext_Peer{Address: &core.Address{Address: &core.Address_SocketAddress{
			SocketAddress: &core.SocketAddress{Address: peer}}}},
		Request: &auth.AttributeContext_Request{Http: &auth.AttributeContext_HttpRequest{Method: method, Path: path, Headers: joined}}}})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func killed(kind schema.ScopeKind, value string) schema.Command {
	return schema.Command{ID: value, Kind: schema.CommandForceOpen, Tenant: "t", Scope: schema.Scope{Kind: kind, Value: value}, By: "ann",
		Reason: "leaked"}
}

// With a second, meaningless credential, or another spelling of the header, a stopped caller
// counted as another caller.
func TestStoppedCredentialIsMetHoweverItIsShown(t *testing.T) {
	c := newChecker(t, nil)
	c.replay(killed(schema.ScopeCredential, c.o.Resolver.CredentialID("api_key", "real")))
	for name, headers := range map[string][]string{
		"plain":                        {"Authorization", "Bearer real"},
		"a junk key beside it":         {"X-Api-Key", "junk", "Authorization", "Bearer real"},
		"a junk Apikey beside it":      {"Apikey", "junk", "Authorization", "Bearer real"},
		"a junk token before it":       {"Authorization", "Bearer junk", "Authorization", "Bearer real"},
		"a junk token after it":        {"Authorization", "Bearer real", "Authorization", "Bearer junk"},
		"joined":                       {"Authorization", "Bearer junk, Bearer real"},
		"joined without a space":       {"Authorization", "Bearer junk,Bearer real"},
		"the other way round":          {"Authorization", "Bearer real,Basic junk"},
		"a tab":                        {"Authorization", "Bearer\treal"},
		"blanks":                       {"Authorization", "  Bearer    real  "},
		"a trailing comma":             {"Authorization", "Bearer real,"},
		"a leading comma":              {"Authorization", ", Bearer real"},
		"a scheme in another case":     {"Authorization", "bEaReR real"},
		"another scheme":               {"Authorization", "Token real"},
		"no scheme":                    {"Authorization", "real"},
		"a proxy's header":             {"Proxy-Authorization", "Bearer real"},
		"both headers":                 {"Authorization", "Bearer junk", "Proxy-Authorization", "Bearer real"},
		"as a key":                     {"X-Api-Key", "real"},
		"as the second key":            {"X-Api-Key", "junk", "X-Api-Key", "real"},
		"as a key of another name":     {"Api-Key", "real"},
		"a junk key before the second": {"X-Api-Key", "junk", "Apikey", "real"},
		"behind a consumer":            {"X-Consumer", "somebody", "X-Api-Key", "real"},
		"behind a certificate":         {"X-Forwarded-Client-Cert", "URI=spiffe://mesh/a", "X-Api-Key", "real"},
	} {
		if w := asNginx(c, "GET", "/v1/orders/1", headers...); w.Code != 403 || w.Header().Get("X-Flyball-Why") != "forced_open" {
			t.Errorf("%s: %d %s", name, w.Code, w.Header().Get("X-Flyball-Why"))
		}
		if out := asEnvoy(t, c, "192.0.2.7", "GET", "/v1/orders/1", headers...); out.GetDeniedResponse() == nil {
			t.Errorf("%s, Envoy: passed", name)
		}
	}
	for name, headers := range map[string][]string{"another": {"Authorization", "Bearer other"},
		"the value as a parameter": {"Authorization", "Digest username=real, realm=x"}, "none": nil} {
		if w := asNginx(c, "GET", "/v1/orders/1", headers...); w.Code != 200 {
			t.Errorf("%s: %d", name, w.Code)
		}
	}
}

// A key may be in the query instead of a header.
func TestStoppedCredentialIsMetInTheQuery(t *testing.T) {
	c := newChecker(t, nil)
	c.replay(killed(schema.ScopeCredential, c.o.Resolver.CredentialID("api_key", "real")))
	for query, want := range map[string]int{
		"api_key=real": 403, "x=1&API_KEY=real": 403, "apikey=re%61l": 403, "access%5ftoken=real": 403, "api_key=junk&api_key=real": 403,
		"api_key=other": 200, "key=real": 200, "q=api_key%3Dreal": 200, "api_key=": 200,
		"api_key=1&api_key=2&api_key=3&api_key=4&api_key=5&api_key=6&api_key=7&api_key=8&api_key=real": 403,
	} {
		if w := asNginx(c, "GET", "/v1/orders/1?"+query); w.Code != want {
			t.Errorf("%s: %d, want %d", query, w.Code, want)
		}
		if out := asEnvoy(t, c, "192.0.2.7", "GET", "/v1/orders/1?"+query); (out.GetDeniedResponse() != nil) != (want == 403) {
			t.Errorf("%s, Envoy: denied %v, want %d", query, out.GetDeniedResponse() != nil, want)
		}
	}
	// The header still identifies the caller, and a key in the query does not.
	for _, headers := range [][]string{{"Authorization", "Bearer mine"}, nil} {
		with, without := asNginx(c, "GET", "/v1/orders/1?api_key=other", headers...), asNginx(c, "GET", "/v1/orders/1", headers...)
		if with.Header().Get("X-Flyball-Run") != without.Header().Get("X-Flyball-Run") {
			t.Errorf("%v: a key in the query makes another run", headers)
		}
	}
}

// A second name next to the first is also looked up.
func TestStoppedConsumerIsMetBesideAnother(t *testing.T) {
	c := newChecker(t, nil)
	c.replay(killed(schema.ScopeCredential, "billing"), killed(schema.ScopeAgent, "support"), killed(schema.ScopePrincipal, "kim"),
		killed(schema.ScopeCredential, "spiffe://mesh/pay"))
	for _, headers := range [][]string{
		{"X-Consumer", "billing"}, {"X-Consumer", "other", "X-Consumer", "billing"}, {"X-Consumer", "other", "X-Consumer-Username", "billing"},
		{"X-Consumer", "support"},
		{"X-Consumer", "other", "X-Consumer-Custom-Id", "support"}, {"X-Principal", "kim"}, {"X-Principal", "lee", "X-User-Id", "kim"},
		{"X-Principal", "lee, kim"},
		{"X-Consumer", "other", "X-Forwarded-Client-Cert", "URI=spiffe://mesh/pay"},
	} {
		if w := asNginx(c, "GET", "/", headers...); w.Code != 403 {
			t.Errorf("%q passed", headers)
		}
	}
	if w := asNginx(c, "GET", "/", "X-Agent-Id", "support"); w.Code != 200 {
		t.Errorf("a name that was only asserted was looked up: %d", w.Code)
	}
}

func TestMoreCredentialsThanAreLookedUpAreRefusedByName(t *testing.T) {
	c := newChecker(t, nil)
	c.replay()
	var some, many []string
	for i := range 9 {
		h := []string{"Authorization", fmt.Sprint("Bearer junk", i)}
		if i < 7 { // and also the joined value
			some = append(some, h...)
		}
		many = append(many, h...)
	}
	if w := asNginx(c, "GET", "/", some...); w.Code != 200 {
		t.Errorf("seven: %d %v", w.Code, w.Header())
	}
	if w := asNginx(c, "GET", "/", many...); w.Code != 403 || w.Header().Get("X-Flyball-Why") != "too_many_credentials" {
		t.Errorf("nine: %d %v", w.Code, w.Header())
	}
	if w := asNginx(c, "GET", "/", "X-Api-Key", strings.Repeat("a,b,", 1<<16)); w.Code != 200 {
		t.Errorf("two, over and over: %d", w.Code)
	}
	began := time.Now()
	if w := asNginx(c, "GET", "/", "Authorization", "x"+strings.Repeat(",x", 1<<18)); time.Since(began) > time.Second {
		t.Errorf("%d after %s", w.Code, time.Since(began))
	}
	if out := asEnvoy(t, c, "192.0.2.7", "GET", "/", many...); out.GetDeniedResponse() == nil {
		t.Error("Envoy: passed")
	}
}

// A refreshed token is another secret of the same client and person.
func TestKillSwitchMeetsWhatATokenSaysOfItself(t *testing.T) {
	const token = "Bearer e30.eyJzdWIiOiJraW0iLCJhenAiOiJhcHAtOSIsImFjdCI6eyJzdWIiOiJyb2JvdCJ9fQ.c2ln" // sub kim, azp app-9, act robot
	for _, x := range []struct {
		command schema.Command
		want    int
	}{
		{killed(schema.ScopeCredential, "app-9"), 403}, {killed(schema.ScopeAgent, "app-9"), 403}, {killed(schema.ScopePrincipal, "kim"), 403},
		{killed(schema.ScopeAgent, "robot"), 403},
		{killed(schema.ScopePrincipal, "lee"), 200}, {killed(schema.ScopeAgent, "other"), 200},
		// An automatic trip depends only on verified names, not on the content of a token.
		{schema.Command{ID: "1", Kind: schema.CommandTrip, Tenant: "t", TTL: int64(time.Hour), ActiveAgents: 100,
			Decision: &schema.Decision{Mode: schema.ModeArmed, Action: schema.ActionDeny,
				Scope: schema.Scope{Kind: schema.ScopeAgent, Value: "robot"}}}, 200},
	} {
		c := newChecker(t, nil)
		c.replay(x.command)
		if w := asNginx(c, "GET", "/", "Authorization", token); w.Code != x.want {
			t.Errorf("%s: %d", x.command.Scope, w.Code)
		}
	}
	// It never allows more calls: the identity is unchanged.
	c := newChecker(t, nil)
	c.replay()
	e := evaluation{q: &request{method: "GET", path: "/", headers: headerLookup(http.Header{"Authorization": {token}})}}
	_ = c.reader.read(&e)
	call := e.call
	if call.Standing() != schema.StandingClaimed || call.PrincipalID != "" || !strings.HasPrefix(call.AgentID, "cred:k_") ||
		call.CredentialTrust != schema.TrustAsserted {
		t.Errorf("%+v", call)
	}
}

func TestAnswerCarriesAReceiptOnAllowAndDeny(t *testing.T) {
	c := newChecker(t, nil)
	c.replay(stopped)
	for consumer, code := range map[string]int{"support": 200, "billing": 403} {
		w := asNginx(c, "GET", "/v1/orders/1", "X-Consumer", consumer)
		if w.Code != code || w.Header().Get("X-Flyball-Receipt") == "" {
			t.Errorf("%s: %d %v", consumer, w.Code, w.Header())
		}
		out := asEnvoy(t, c, "192.0.2.7", "GET", "/v1/orders/1", "X-Consumer", consumer)
		if out.GetDynamicMetadata().GetFields()["receipt"].GetStringValue() == "" {
			t.Errorf("%s: %v", consumer, out)
		}
	}
}

// The gateway's own token in Authorization is not a credential of its clients.
func TestGatewaysTokenIsNotTheClientsCredential(t *testing.T) {
	c := newChecker(t, func(o *enforcetest.Options) { o.CheckToken = "gateway" })
	c.replay(killed(schema.ScopeCredential, c.o.Resolver.CredentialID("api_key", "gateway")))
	if w := asNginx(c, "GET", "/", "Authorization", "Bearer gateway"); w.Code != 200 {
		t.Errorf("%d", w.Code)
	}
	if w := asNginx(c, "GET", "/", "X-Flyball-Token", "gateway", "Authorization", "Bearer gateway"); w.Code != 403 {
		t.Errorf("a client that shows it: %d", w.Code)
	}
}

// Envoy appends the peer to the client's header; the address was read from the client's part.
func TestForgedForwardedAddressDoesNotMeetAnothersKillSwitch(t *testing.T) {
	for hops, want := range map[int]bool{0: false, 1: true} {
		c := newChecker(t, func(o *enforcetest.Options) { o.TrustedHops = hops })
		c.replay(killed(schema.ScopeAddress, "203.0.113.9"))
		if held := asEnvoy(t, c, "192.0.2.7", "GET", "/", "X-Forwarded-For", "203.0.113.9").GetDeniedResponse() != nil; held != want {
			t.Errorf("%d hops, forged: held %v", hops, held)
		}
		if held := asEnvoy(t, c, "203.0.113.9", "GET", "/", "X-Forwarded-For", "198.51.100.1").GetDeniedResponse() != nil; held == want {
			t.Errorf("%d hops, hidden: held %v", hops, held)
		}
		if held := asNginx(c, "GET", "/", "X-Forwarded-For", "203.0.113.9, 192.0.2.7").Code == 403; held != want {
			t.Errorf("%d hops over HTTP: held %v", hops, held)
		}
	}
}

// A header that names the parent agent moves a call into a separate run in the log. Before, the
// call did not match the breaker on that run; it must match the parent's breaker, too.
func TestSubAgentIsStoppedWithItsOwnRunAndWithItsParents(t *testing.T) {
	headers := []string{"X-Agent-Id", "child", "X-Agent-Run-Id", "r", "Authorization", "Bearer x"}
	sub := append(headers, "X-Parent-Agent-Id", "boss")
	c := newChecker(t, nil)
	c.replay()
	own, parents := asNginx(c, "GET", "/", sub...).Header().Get("X-Flyball-Run"), asNginx(c, "GET", "/",
		headers...).Header().Get("X-Flyball-Run")
	if own == parents || own == "" {
		t.Fatalf("%q %q", own, parents)
	}
	for stopped, want := range map[string][2]int{own: {403, 200}, parents: {403, 403}} {
		c := newChecker(t, nil)
		c.replay(killed(schema.ScopeRun, stopped))
		if got := [2]int{asNginx(c, "GET", "/", sub...).Code, asNginx(c, "GET", "/", headers...).Code}; got != want {
			t.Errorf("%v, want %v", got, want)
		}
	}
}
