package decode

import (
	"strings"
	"testing"

	"flyball/ingest/fields"
	"flyball/schema"
	"flyball/schema/route"
)

// classifiedBy decodes one line and classifies it with real rules.
func classifiedBy(t *testing.T, line []byte, rules ...route.Rule) schema.Call {
	t.Helper()
	table, err := route.NewTable(route.Options{DigestKey: []byte("0123456789abcdef"), Operator: rules})
	if err != nil {
		t.Fatal(err)
	}
	c, s := oneCall(t, line)
	table.Classify(&c, &s.inputs[0])
	return c
}

// 30 × DELETE /v1/accounts/N with Mcp-Method: ping must not be counted as 30 reads.
func TestHeaderOfMCPDoesNotMakeADeleteARead(t *testing.T) {
	for _, words := range []string{`"mcp_method":"ping"`, `"mcp_name":"list_x"`, `"mcp_method":"tools/call","mcp_name":"get_x"`,
		`"request_headers":{"mcp-method":"ping"}`} {
		c := classifiedBy(t, patch(t, envoyLine, `"method":"DELETE","x-envoy-origin-path":"/v1/accounts/7","path":"/v1/accounts/7",`+words))
		if c.Effect != schema.EffectDelete || c.Reversibility != schema.Irreversible || c.ToolName != "" || c.MCPMethod != "" ||
			c.OpKind != schema.OpHTTP {
			t.Errorf("%s: %s %s %s, tool %q, %s", words, c.Method, c.Effect, c.Reversibility, c.ToolName, c.OpKind)
		}
	}
	span := []byte(strings.Replace(oneSpan, `"attributes":[{"key":"http`,
		`"attributes":[{"key":"http.request.header.mcp-name","value":{"arrayValue":{"values":[{"stringValue":"delete_all"}]}}},{"key":"http`, 1))
	if c := classifiedBy(t, span); c.ToolName != "" || c.ObserverKind == schema.ObserverToolServer {
		t.Errorf("a span's header: %q %s", c.ToolName, c.ObserverKind)
	}
	// For a declared MCP server, the header names the tool.
	c := classifiedBy(t, patch(t, envoyLine,
		`"method":"POST","x-envoy-origin-path":"/tools","path":"/tools","mcp_method":"tools/call","mcp_name":"get_x"`),
		route.Rule{Template: "/tools", MCP: true})
	if c.ToolName != "get_x" || c.Reversibility != schema.ReadOnly {
		t.Errorf("declared: %q %s", c.ToolName, c.Reversibility)
	}
}

// A client's header does not replace a tool that the gateway read from the body.
func TestHeaderDoesNotReplaceWhatTheGatewayParsed(t *testing.T) {
	for _, order := range []string{`"mcp.method.name":"tools/call","mcp.tool.name":"delete_x","mcp_method":"ping","mcp_name":"list_x"`,
		`"mcp_method":"ping","mcp_name":"list_x","mcp.method.name":"tools/call","mcp.tool.name":"delete_x"`} {
		c := classifiedBy(t, patch(t, envoyLine, `"method":"POST",`+order))
		if c.ToolName != "delete_x" || c.Reversibility != schema.Irreversible {
			t.Errorf("%q %s", c.ToolName, c.Reversibility)
		}
	}
}

func TestMethodOverrideOfALoggedHeaderCounts(t *testing.T) {
	for _, name := range route.MethodHeaders {
		for _, line := range [][]byte{patch(t, envoyLine,
			`"method":"POST","x-envoy-origin-path":"/v1/items/7","path":"/v1/items/7","`+fields.Canonical([]byte(name))+`":"DELETE"`),
			patch(t, envoyLine, `"method":"GET","x-envoy-origin-path":"/v1/items/7","path":"/v1/items/7","request_headers":{"`+name+`":"delete"}`)} {
			if c := classifiedBy(t, line); c.Reversibility != schema.Irreversible || c.Attr(route.AttrMethodOverride) != "DELETE" {
				t.Errorf("%s: %s %q", name, c.Reversibility, c.Attr(route.AttrMethodOverride))
			}
		}
	}
}

// The record of a read named / as what was read.
func TestPaddingHidesWhatWasRead(t *testing.T) {
	for _, padding := range []string{"/", "/.", "/%2e"} {
		long := strings.Repeat(padding, route.MaxReadable) + "/accounts/7/secrets"
		c := classifiedBy(t, patch(t, envoyLine, `"method":"GET","x-envoy-origin-path":"`+long+`","path":"`+long+`"`))
		if c.Route != "/accounts/{id}/secrets" || c.Path != "/accounts/7/secrets" || c.Attr(route.AttrReadings) != "unreadable" {
			t.Errorf("%s: %.60q %.60q", padding, c.Route, c.Path)
		}
	}
}

// "Bearer" and what follows is a secret, also if that is the operation: the write counted as one that can be undone.
func TestSecretOfAPathTakesTheOperationWithIt(t *testing.T) {
	for _, path := range []string{"/v1/basic abcdef/accounts/7/close", "/v1/files/Bearer+abcdef/delete"} {
		c := classifiedBy(t, patch(t, envoyLine, `"method":"POST","x-envoy-origin-path":"`+path+`","path":"`+path+`"`))
		if c.Reversibility != schema.ReversibilityUnknown || c.Attr(route.AttrReadings) != "unreadable" || strings.Contains(c.Path, "abcdef") {
			t.Errorf("%s: %s %q %s", path, c.Reversibility, c.Attr(route.AttrReadings), c.Path)
		}
	}
	for _, path := range []string{"/v1/files/Bearer%20abcdef/refund", "/v1/files/password=1/refund",
		"/v1/files/ghp_16C7e42F292c6912E7710c838347Ae178B4a/refund", "/v1/a;b=c/refund"} {
		c := classifiedBy(t, patch(t, envoyLine, `"method":"POST","x-envoy-origin-path":"`+path+`","path":"`+path+`"`))
		if c.Reversibility != schema.Irreversible || c.Attr(route.AttrReadings) == "unreadable" {
			t.Errorf("%s: %s %q", path, c.Reversibility, c.Attr(route.AttrReadings))
		}
	}
}

// A path that is longer than what is kept is read as at the check: its end says what the call does.
func TestEndOfALongPathIsNotRead(t *testing.T) {
	classified := func(path string) *schema.Call {
		line := patch(t, envoyLine, `"method":"POST","x-envoy-origin-path":"`+path+`","path":"`+path+`"`)
		calls, _ := pipelineWithRules(t).Decode(&Record{Topic: "in", Timestamp: kafkaTime, Value: line}, nil)
		if len(calls) != 1 {
			t.Fatalf("%d calls", len(calls))
		}
		return &calls[0]
	}
	long := "/v1/docs/" + strings.Repeat("é", schema.MaxPath/2) + "/accounts/7"
	one, other := classified(long+"/close"), classified(long+"/delete")
	if other.Reversibility != schema.Irreversible || other.Attr(route.AttrReadings) != "" ||
		other.Route != "/v1/docs/{long}/accounts/{id}/delete" || other.Resources[len(other.Resources)-1].String() != "account:7" {
		t.Errorf("%s %q %.60q %v", other.Reversibility, other.Attr(route.AttrReadings), other.Route, other.Resources)
	}
	if one.Path != other.Path || len(one.Path) > schema.MaxPath {
		t.Errorf("%d bytes of the path are kept", len(one.Path))
	}
	// Different calls with the same beginning looked like one call that is repeated.
	if one.ArgsDigest == other.ArgsDigest {
		t.Error("two calls have one digest")
	}
}

// The part of a path behind the length limit may contain anything.
func TestPathThatIsCutIsNotCalledHarmless(t *testing.T) {
	long := "/v1" + strings.Repeat("/.", route.MaxReadable) + "/accounts/7/close"
	c := classifiedBy(t, patch(t, envoyLine, `"method":"POST","x-envoy-origin-path":"`+long+`","path":"`+long+`"`))
	if c.Reversibility != schema.ReversibilityUnknown || c.Attr(route.AttrReadings) != "unreadable" {
		t.Errorf("%s %q", c.Reversibility, c.Attr(route.AttrReadings))
	}
}

// nginx logs the user of Authorization: Basic without any authentication, and the subject of a certificate that it could not
// verify: with them a client was an established caller of any name, joined its runs and used up what others are bounded by.
func TestClientChoosesAnEstablishedNameInNginx(t *testing.T) {
	read := func(fields string) schema.Call {
		calls, dead := pipelineWithRules(t).Decode(&Record{Topic: "in", Timestamp: kafkaTime, Value: patch(t, nginxLine, fields)}, nil)
		if len(calls) != 1 {
			t.Fatalf("%s: %v", fields, dead)
		}
		return calls[0]
	}
	for _, status := range []string{"200", "401"} {
		c := read(`"remote_user":"victim","status":"` + status + `"`)
		if c.Standing() != schema.StandingClaimed || c.PrincipalTrust >= schema.TrustInfrastructure || c.CredentialID != "victim" {
			t.Errorf("%s: %s %s by %s %s", status, c.Standing(), c.CredentialID, c.CredentialTrust, c.PrincipalTrust)
		}
	}
	for verified, established := range map[string]bool{"SUCCESS": true, "FAILED:self-signed certificate": false, "NONE": false} {
		for _, field := range []string{"ssl_client_s_dn", "ssl_client_fingerprint"} {
			c := read(`"` + field + `":"CN=victim","ssl_client_verify":"` + verified + `"`)
			if c.Standing() == schema.StandingEstablished != established {
				t.Errorf("%s, %s: %s %q", field, verified, c.Standing(), c.CredentialID)
			}
		}
	}
	if c := read(`"ssl_client_s_dn":"CN=victim"`); c.Standing() != schema.StandingEstablished {
		t.Error("a log without ssl_client_verify: nginx refuses what it cannot verify, unless it is configured otherwise")
	}
}

// Caddy logs a user only after it has authenticated it; so does a gateway of which an operator's mapping says so.
func TestUserThatTheGatewayAuthenticatedIsAClaim(t *testing.T) {
	const line = `{"level":"info","ts":1790933415.4,"logger":"http.log.access.log0","msg":"handled request","request":{` +
		`"remote_ip":"10.9.1.17","client_ip":"10.9.1.17","proto":"HTTP/1.1","method":"DELETE","host":"shop.example","uri":"/orders/7"},` +
		`"bytes_read":0,"user_id":"kim","duration":0.038,"size":412,"status":404}`
	calls, dead := pipelineWithRules(t).Decode(&Record{Topic: "in", Timestamp: kafkaTime, Value: []byte(line)}, nil)
	if len(calls) != 1 {
		t.Fatal(dead)
	}
	c := &calls[0]
	if c.Standing() != schema.StandingEstablished || c.CredentialID != "kim" || c.PrincipalID != "kim" ||
		c.PrincipalTrust != schema.TrustInfrastructure {
		t.Errorf("%s: credential %s by %s, principal %s by %s", c.Standing(), c.CredentialID, c.CredentialTrust, c.PrincipalID, c.PrincipalTrust)
	}
}
