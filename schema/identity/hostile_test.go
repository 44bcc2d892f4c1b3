package identity

import (
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"flyball/schema"
)

// The client chooses the subject of its certificate: the subject must not hide the URI that
// follows, and must not be used in its place.
func TestCertificateSubjectCannotPoseAsTheURI(t *testing.T) {
	for in, want := range map[string]string{
		`By=spiffe://gw;Hash=1;Subject="CN=a,O=b";URI=spiffe://mesh/shop`:               "spiffe://mesh/shop",
		`Hash=1;Subject="CN=x;URI=spiffe://mesh/admin";URI=spiffe://mesh/shop`:          "spiffe://mesh/shop",
		`Hash=1;Subject="CN=\"x;URI=spiffe://mesh/admin\",O=\\";URI=spiffe://mesh/shop`: "spiffe://mesh/shop",
		`Hash=1;Subject="CN=x;URI=spiffe://mesh/admin"`:                                 "",
		`Hash=1;Subject="",uri="spiffe://mesh/second"`:                                  "",
		`URI=spiffe://mesh/first,URI=spiffe://mesh/second`:                              "spiffe://mesh/first",
		`Hash=1; uri="spiffe://mesh/shop" ;DNS=a`:                                       "spiffe://mesh/shop",
		`Subject="open;URI=spiffe://mesh/admin`:                                         "",
		`Subject="x\`:                                                                   "",
		``:                                                                              "",
	} {
		if got := ParseXFCC(in); got != want {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}

func TestClaimsOfOtherSpellingsAreNotThoseOfTheToken(t *testing.T) {
	cl, ok := ParseClaims([]byte(`{"sub":"kim","client_id":"app","SUB":"root","Act":{"sub":"evil"},"CLIENT_ID":"other"}`))
	if !ok || cl.Subject != "kim" || cl.ClientID != "app" || len(cl.Act) != 0 {
		t.Fatalf("%+v %v", cl, ok)
	}
}

// A claim of an unexpected type must not remove the agent's identity.
func TestOddClaimDoesNotCostTheOthers(t *testing.T) {
	for _, odd := range []string{`"scope":["a","b"]`, `"exp":"1790933415"`, `"exp":1e300`, `"exp":-1`, `"cnf":"x"`, `"txn":7`, `"aud":[1]`,
		`"xms_act_fct":11`, `"iss":null`} {
		cl, ok := ParseClaims([]byte(`{"sub":"kim","act":{"sub":"agent"},` + odd + `}`))
		if !ok || cl.Subject != "kim" || fmt.Sprint(cl.Act) != "[agent]" || cl.Expiry < 0 {
			t.Errorf("%s: %+v %v", odd, cl, ok)
		}
	}
	cl, _ := ParseClaims([]byte(`{"scope":["a","b"],"exp":1790933415.5,"cnf":{"x5t#S256":"t"}}`))
	if cl.Scope != "a b" || cl.Expiry != 1790933415 || cl.Confirm != "t" {
		t.Errorf("%+v", cl)
	}
	for _, none := range []string{"", "null", "5", "[]", `"x"`, `{"sub":"k"`, `{} {}`} {
		if _, ok := ParseClaims([]byte(none)); ok {
			t.Errorf("%q has claims", none)
		}
	}
}

func TestChainOfActorsIsBoundedAndHoldsNoHoles(t *testing.T) {
	deep := strings.Repeat(`{"sub":"a","act":`, 50) + "null" + strings.Repeat("}", 50)
	if cl, ok := ParseClaims([]byte(deep)); !ok || len(cl.Act) > 8 {
		t.Errorf("%v %v", cl, ok)
	}
	if c := resolve(t, Evidence{Claims: &Claims{Subject: "kim",
		Act: []string{"now", "a\nb", "before"}}}); fmt.Sprint(c.ActorChain) != "[now before]" {
		t.Errorf("%q", c.ActorChain)
	}
}

// A value that cannot be an id must not collect different callers under one key.
func TestValueThatIsNoIdDoesNotRoute(t *testing.T) {
	ip := netip.MustParseAddr("10.0.0.9")
	for want, ev := range map[string]Evidence{
		"c:key-1":      {GatewayAgent: "a\nb", APIKeyID: "key-1"},
		"i:10.0.0.9|":  {AgentHeader: strings.Repeat("x", 300), ClientIP: ip},
		"s:a|10.0.0.9": {GenAIAgentID: "\x00", GenAIAgentName: "-", AgentHeader: "a", ClientIP: ip},
		"c:key-2":      {GatewayAgent: "-", APIKeyID: "key-2"},
		"s:b|10.0.0.9": {GatewayAgent: "null", AgentHeader: "b", ClientIP: ip},
	} {
		if c := resolve(t, ev); c.RoutingKey != want {
			t.Errorf("%+v: %q, want %q", ev, c.RoutingKey, want)
		}
	}
}

func TestLongUserAgentIsCutAndNotLost(t *testing.T) {
	for _, r := range []string{"€", "é", "𝛑", "a"} {
		c := resolve(t, Evidence{UserAgent: strings.Repeat(r, 4*schema.MaxUserAgent)})
		if n := len(c.UserAgent); n > schema.MaxUserAgent || n < schema.MaxUserAgent-3 || !utf8.ValidString(c.UserAgent) {
			t.Errorf("%s: %d bytes kept", r, n)
		}
	}
	if c := resolve(t, Evidence{UserAgent: strings.Repeat("a\xff", schema.MaxUserAgent)}); len(c.UserAgent) > schema.MaxUserAgent {
		t.Errorf("%d bytes", len(c.UserAgent))
	}
}

func TestTraceparentOfALaterVersionHasItsSeparator(t *testing.T) {
	const base = "-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for in, want := range map[string]bool{"cc" + base: true, "cc" + base + "-what": true, "cc" + base + "what": false,
		"00" + base + "-": false, "zz" + base: false, " 00" + base + " ": true, "FF" + base: false} {
		if _, _, ok := ParseTraceparent(in); ok != want {
			t.Errorf("%q: %v", in, ok)
		}
	}
}

func TestBaggageIsDecodedMemberByMember(t *testing.T) {
	var got []string
	ParseBaggage(`agent.id=a%201;prop=1, run_id = r-7 ,broken=%zz,alone,=x,task=t%2C1`, func(k, v string) { got = append(got, k+"="+v) })
	if fmt.Sprint(got) != fmt.Sprint([]string{"agent.id=a 1", "run_id=r-7", "=x", "task=t,1"}) {
		t.Errorf("%q", got)
	}
}

func TestWhoTheAgentIs(t *testing.T) {
	ip := netip.MustParseAddr("10.0.0.9")
	delegated := &Claims{Subject: "kim", ClientID: "app", Act: []string{"robot"}}
	service := &Claims{Subject: "svc", ClientID: "svc"}
	for name, x := range map[string]struct {
		ev            Evidence
		agent, source string
		trust         schema.Trust
	}{
		"act beats the gateway's name": {Evidence{Claims: delegated, GatewayAgent: "gw"}, "robot", "token_act", schema.TrustVerified},
		"telemetry beats the gateway":  {Evidence{GenAIAgentID: "g", GatewayAgent: "gw"}, "g", "gen_ai", schema.TrustInfrastructure},
		"a name is the service's": {Evidence{GenAIAgentName: "planner", ServiceName: "shop"}, "shop/planner", "gen_ai",
			schema.TrustInfrastructure},
		"a header beats an MCP client's name": {Evidence{AgentHeader: "h", AgentHeaderName: "x_agent_id", MCPClientName: "m"}, "h", "x-agent-id",
			schema.TrustAsserted},
		"an MCP client's name is asserted": {Evidence{MCPClientName: "m"}, "m", "mcp_client", schema.TrustAsserted},
		"a signature's host is asserted": {Evidence{SignatureAgent: `agent2="https://Bot.Example"`}, "bot.example", "signature_agent",
			schema.TrustAsserted},
		"a service is its client": {Evidence{Claims: service}, "svc", "token_client", schema.TrustVerified},
		"an app for a human is not the agent": {Evidence{Claims: &Claims{Subject: "kim", ClientID: "app"}}, "cred:app", "credential",
			schema.TrustInferred},
		"a user agent is a guess":          {Evidence{UserAgent: "claude-cli/2.0 (external, cli)"}, "", "user_agent", schema.TrustInferred},
		"a credential stands for somebody": {Evidence{APIKeyID: "k-1"}, "cred:k-1", "credential", schema.TrustInferred},
		"an address is the last resort":    {Evidence{ClientIP: ip}, "ip:10.0.0.9/ua:unknown", "address", schema.TrustInferred},
		"an act of control characters is none": {Evidence{Claims: &Claims{Subject: "kim", ClientID: "app", Act: []string{"a\x01"}},
			GatewayAgent: "gw"}, "gw", "gateway", schema.TrustInfrastructure},
		"nobody is nobody": {Evidence{}, "", "", schema.TrustNone},
	} {
		t.Run(name, func(t *testing.T) {
			c := resolve(t, x.ev)
			if c.AgentSource != x.source || c.AgentTrust != x.trust || x.agent != "" && c.AgentID != x.agent {
				t.Errorf("%q %s %v", c.AgentID, c.AgentSource, c.AgentTrust)
			}
		})
	}
}

func TestRegistryNamesWhomItMatches(t *testing.T) {
	r := resolver(t)
	for name, e := range map[string]Entry{
		"by key":      {Agent: "bot", Credential: r.CredentialID("api_key", "sk-1")},
		"by consumer": {Agent: "bot", Consumer: "shop"},
		"by SPIFFE":   {Agent: "bot", SPIFFE: "spiffe://m/a"},
	} {
		ev := Evidence{APIKey: "sk-1"}
		switch {
		case e.Consumer != "":
			ev = Evidence{GatewayAgent: "shop", AgentHeader: "mask"}
		case e.SPIFFE != "":
			ev = Evidence{SPIFFE: e.SPIFFE}
		}
		if c := resolve(t, ev, e); c.AgentID != "bot" || c.AgentSource != "registry" || c.AgentTrust != schema.TrustVerified {
			t.Errorf("%s: %q %s", name, c.AgentID, c.AgentSource)
		}
		if c := resolve(t, Evidence{}, e); c.AgentID == "bot" {
			t.Errorf("%s: nobody is the bot", name)
		}
	}
}

// Two records with the same evidence must get the same identity, in any order of records.
func TestNothingIsRememberedBetweenRecords(t *testing.T) {
	r := resolver(t)
	ev := Evidence{APIKey: "sk-1", UserAgent: "claude-cli/2.0", AgentHeader: "a", ClientIP: netip.MustParseAddr("10.0.0.1")}
	var first schema.Call
	one := ev
	r.Resolve(&one, &first)
	for i := range cacheSize + 10 {
		var c schema.Call
		r.Resolve(&Evidence{APIKey: fmt.Sprint("sk-", i), UserAgent: fmt.Sprintf("tool%d/1", i)}, &c)
	}
	var again schema.Call
	r.Resolve(&ev, &again)
	if !reflect.DeepEqual(first, again) {
		t.Errorf("%+v became %+v", first, again)
	}
	if len(r.credentialIDs.results) > cacheSize || len(r.products.results) > cacheSize {
		t.Errorf("caches of %d and %d", len(r.credentialIDs.results), len(r.products.results))
	}
}
