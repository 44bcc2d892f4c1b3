package identity

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"unicode/utf8"

	"flyball/schema"
)

func resolver(t testing.TB, entries ...Entry) *Resolver {
	r, err := NewResolver(Options{Tenant: "default", Key: Key("0123456789abcdef"), Registry: entries})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func resolve(t testing.TB, ev Evidence, entries ...Entry) schema.Call {
	var c schema.Call
	resolver(t, entries...).Resolve(&ev, &c)
	return c
}

func TestAssertedNameNeverBeatsTheConsumer(t *testing.T) {
	c := resolve(t, Evidence{GatewayAgent: "billing", GatewayCredential: "billing", AgentHeader: "admin", AgentHeaderName: "x_agent_id"})
	if c.AgentID != "billing" || c.AgentTrust != schema.TrustInfrastructure || c.AgentAsserted != "admin" || c.RoutingKey != "g:billing" {
		t.Fatalf("%+v", c)
	}
}

func TestNestedActIsNotTheActor(t *testing.T) {
	cl, ok := ParseClaims([]byte(`{"sub":"kim@example.org","azp":"app","act":{"sub":"agent-now","act":{"sub":"agent-before"}}}`))
	if !ok {
		t.Fatal("claims")
	}
	c := resolve(t, Evidence{Claims: cl})
	if c.AgentID != "agent-now" || c.AgentTrust != schema.TrustVerified || c.PrincipalID != "kim@example.org" ||
		c.PrincipalTrust != schema.TrustVerified ||
		c.PrincipalKind != schema.PrincipalHuman || fmt.Sprint(c.ActorChain) != "[agent-now agent-before]" {
		t.Fatalf("%+v", c)
	}
}

func TestMayActIsNotIdentity(t *testing.T) {
	cl, _ := ParseClaims([]byte(`{"sub":"kim","client_id":"app","may_act":{"sub":"agent"}}`))
	if c := resolve(t, Evidence{Claims: cl}); c.AgentID == "agent" || len(c.ActorChain) != 0 {
		t.Fatalf("%+v", c)
	}
}

func TestEntraAgentIsTheClient(t *testing.T) {
	cl, _ := ParseClaims([]byte(`{"sub":"s","appid":"agent-app","idtyp":"app","xms_act_fct":"9 11 3"}`))
	if c := resolve(t, Evidence{Claims: cl}); c.AgentID != "agent-app" || c.AgentSource != "token_entra_agent" ||
		c.AgentTrust != schema.TrustVerified {
		t.Fatalf("%+v", c)
	}
}

func TestRawKeyNeverAppears(t *testing.T) {
	const secret = "sk-live-4242424242424242"
	c := resolve(t, Evidence{APIKey: secret})
	if strings.Contains(fmt.Sprintf("%+v", c), secret) {
		t.Fatal("the key is in the call")
	}
	if !strings.HasPrefix(c.CredentialID, "k_") || len(c.CredentialID) != 18 || c.CredentialTrust != schema.TrustAsserted {
		t.Fatalf("%q %v", c.CredentialID, c.CredentialTrust)
	}
	if got := fmt.Sprintf("%v %#v %s", Key(secret), Key(secret), Options{Key: Key(secret)}.Key); strings.Contains(got, secret) {
		t.Fatal("the deployment's key prints")
	}
}

func TestTwoDeploymentsHaveDifferentIds(t *testing.T) {
	other, err := NewResolver(Options{Tenant: "x", Key: Key("fedcba9876543210")})
	if err != nil {
		t.Fatal(err)
	}
	if resolver(t).CredentialID("api_key", "k") == other.CredentialID("api_key", "k") {
		t.Fatal("ids of two deployments can be compared")
	}
	if _, err := NewResolver(Options{Tenant: "x", Key: Key("short")}); err == nil {
		t.Fatal("a short key was taken")
	}
}

// A registry that changes during a run makes the identity more exact; it does not change the
// routing key.
func TestRegistryDoesNotMoveTheRoutingKey(t *testing.T) {
	ev := Evidence{SPIFFE: "spiffe://d/ns/a/sa/robot", AgentHeader: "robot-7", AgentHeaderName: "x_agent_id"}
	before, after := resolve(t, ev), resolve(t, ev, Entry{Agent: "billing-robot", SPIFFE: ev.SPIFFE})
	if before.RoutingKey != after.RoutingKey {
		t.Fatalf("%q became %q", before.RoutingKey, after.RoutingKey)
	}
	if after.AgentID != "billing-robot" || after.AgentTrust != schema.TrustVerified || after.AgentAsserted != "robot-7" {
		t.Fatalf("%+v", after)
	}
}

func TestRoutingKeyIsTheActorAsTheRecordTellsIt(t *testing.T) {
	ip := netip.MustParseAddr("10.0.0.9")
	for want, ev := range map[string]Evidence{
		"g:billing":               {GatewayAgent: "billing", APIKeyID: "key-1"},
		"c:key-1":                 {APIKeyID: "key-1", AgentHeader: "a", ClientIP: ip},
		"o:svc/asst_1":            {GenAIAgentID: "asst_1", ServiceName: "svc"},
		"s:a|10.0.0.9":            {AgentHeader: "a", ClientIP: ip},
		"i:10.0.0.9|python-httpx": {ClientIP: ip, UserAgent: "python-httpx/0.27"},
	} {
		if c := resolve(t, ev); c.RoutingKey != want {
			t.Errorf("%+v: %q, want %q", ev, c.RoutingKey, want)
		}
	}
	c := schema.Call{TraceID: [16]byte{0xab}}
	resolver(t).Resolve(&Evidence{}, &c)
	if c.RoutingKey != "t:ab000000000000000000000000000000" {
		t.Errorf("a span that names no caller: %q", c.RoutingKey)
	}
}

func TestControlCharactersAndGiantsAreNoIds(t *testing.T) {
	for _, bad := range []string{"a\nb", "a\x00b", "é\nb", strings.Repeat("x", 257), "-", " ", "null", "\xff"} {
		if c := resolve(t, Evidence{AgentHeader: bad, RunHeader: bad, TaskHeader: bad}); c.AgentID == bad || c.RunKey != "" || c.TaskID != "" {
			t.Errorf("%.20q became %q %q %q", bad, c.AgentID, c.RunKey, c.TaskID)
		}
	}
}

func TestTaskOfAHeaderIsOnlyAsserted(t *testing.T) {
	c := resolve(t, Evidence{TaskHeader: "t-1", TaskHeaderName: "x_task_id", RunHeader: "r-1", RunHeaderName: "x_agent_run_id"})
	if c.TaskTrust != schema.TrustAsserted || c.TaskSource != "x-task-id" || c.RunKey != "r-1" || c.RunKeySource != "x-agent-run-id" {
		t.Fatalf("%+v", c)
	}
}

func TestTraceparentOfZeroesIsRefused(t *testing.T) {
	for in, want := range map[string]bool{
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01":   true,
		"00-00000000000000000000000000000000-00f067aa0ba902b7-01":   false,
		"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01":   false,
		"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01":   false,
		"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x": false,
		"00-4bf92f3577b34da6a3ce929d0e0e473Z-00f067aa0ba902b7-01":   false,
		"": false,
	} {
		if _, _, ok := ParseTraceparent(in); ok != want {
			t.Errorf("%q: %v", in, ok)
		}
	}
	if id, ok := ParseTraceID("Root=1-5f84c7a5-6d8b2c1a4e3f9d0b7a6c5e4d;Parent=5;Sampled=1"); !ok || id[0] != 0x5f || id[15] != 0x4d {
		t.Errorf("X-Ray: %x %v", id, ok)
	}
}

func TestCallerKind(t *testing.T) {
	const browser = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/130.0 Safari/537.36"
	for _, x := range []struct {
		ev   Evidence
		want schema.CallerKind
	}{
		{Evidence{GatewayAgent: "billing"}, schema.CallerAgent},
		{Evidence{GenAIOperation: true}, schema.CallerAgent},
		{Evidence{AgentHeader: "a", UserAgent: "claude-cli/2.0 (external, cli)"}, schema.CallerAgent},
		{Evidence{UserAgent: "python-httpx/0.27"}, schema.CallerUnknown},
		{Evidence{UserAgent: browser, BrowserFetch: true}, schema.CallerHuman},
		{Evidence{UserAgent: "kube-probe/1.31"}, schema.CallerMonitor},
		{Evidence{UserAgent: "Mozilla/5.0 (compatible; GPTBot/1.2)"}, schema.CallerCrawler},
	} {
		if c := resolve(t, x.ev); c.CallerKind != x.want {
			t.Errorf("%+v: %v (%d), want %v", x.ev, c.CallerKind, c.CallerConfidence, x.want)
		}
	}
}

func FuzzCarriers(f *testing.F) {
	f.Add("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
	f.Add("userId=alice,run_id=r%201;p=1")
	f.Add(`By=x;URI="spiffe://a/b";Hash=1`)
	f.Add(`Hash=1;Subject="CN=x;URI=spiffe://a\"";URI=spiffe://b,URI=c`)
	f.Add("a€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€€/1 \xff")
	f.Add("eyJh.eyJzdWIiOiJhIn0.x")
	r := resolver(f)
	f.Fuzz(func(t *testing.T, s string) {
		_, _, _ = ParseTraceparent(s)
		_, _ = ParseTraceID(s)
		ParseBaggage(s, func(string, string) {})
		ev := Evidence{SPIFFE: ParseXFCC(s), AgentHeader: s, RunHeader: s, UserAgent: s, SignatureAgent: s, APIKey: s}
		if cl, ok := ParseJWT(s); ok {
			ev.Claims = cl
		}
		var c schema.Call
		r.Resolve(&ev, &c)
		for _, v := range append([]string{c.AgentID, c.RunKey, c.CredentialID, c.PrincipalID, c.RoutingKey, c.TaskID, c.UAProduct, c.UserAgent},
			c.ActorChain...) {
			if len(v) > 2*schema.MaxID+64 && len(v) > schema.MaxUserAgent || !utf8.ValidString(v) {
				t.Fatalf("%d bytes: %q", len(v), v)
			}
		}
		for _, v := range append([]string{c.AgentID, c.RunKey, c.CredentialID, c.PrincipalID, c.TaskID}, c.ActorChain...) {
			if strings.ContainsFunc(v, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
				t.Fatalf("control characters: %q", v)
			}
		}
	})
}

func BenchmarkResolve(b *testing.B) {
	r := resolver(b)
	ip := netip.MustParseAddr("10.1.2.3")
	b.ReportAllocs()
	for b.Loop() {
		ev := Evidence{AgentHeader: "agent-77", AgentHeaderName: "x_agent_id", RunHeader: "run-77-0", RunHeaderName: "x_agent_run_id",
			UserAgent: "python-httpx/0.27.0", ClientIP: ip}
		var c schema.Call
		r.Resolve(&ev, &c)
	}
}
