package decode

import (
	"strings"
	"testing"

	"flyball/schema/identity"
)

func evidence(t *testing.T, fields string) identity.Evidence {
	t.Helper()
	_, s := oneCall(t, patch(t, envoyLine, fields))
	return s.evidence[0]
}

func TestRunHeadersOfRealProductsAreKnown(t *testing.T) {
	for _, name := range [...]string{"x-agent-run-id", "x-run-id", "x-litellm-trace-id", "x-amzn-bedrock-agentcore-runtime-session-id",
		"x-claude-code-session-id"} {
		for _, spelled := range [...]string{name, strings.ReplaceAll(name, "-", "_"), strings.ToUpper(name),
			"http_" + strings.ReplaceAll(name, "-", "_")} {
			if ev := evidence(t, `"`+spelled+`":"run-1"`); ev.RunHeader != "run-1" || ev.RunHeaderName != name {
				t.Errorf("%s: %q by %q", spelled, ev.RunHeader, ev.RunHeaderName)
			}
		}
	}
}

// Of several headers the most specific one is used, in any order.
func TestTheMoreSpecificHeaderCounts(t *testing.T) {
	for _, fields := range [...]string{
		`"x_claude_code_session_id":"weak","x_agent_run_id":"strong","baggage":"agent.run.id=none,agent.id=none","x_agent_name":"weak-a","x_agent_id":"strong-a"`,
		`"x_agent_id":"strong-a","x_agent_name":"weak-a","baggage":"agent.run.id=none,agent.id=none","x_agent_run_id":"strong","x_claude_code_session_id":"weak"`,
	} {
		if ev := evidence(t, fields); ev.RunHeader != "strong" || ev.AgentHeader != "strong-a" {
			t.Errorf("%q %q", ev.RunHeader, ev.AgentHeader)
		}
	}
}

// A request header is a claim of the caller under any name and must not count as a statement of the gateway.
func TestACallerCannotPoseAsItsGateway(t *testing.T) {
	names := []string{"x-consumer", "consumer", "peer", "remote-user", "x-principal", "jwt-sub", "spiffe", "client-ip", "status", "method",
		"x-args-digest", "denied-by"}
	for _, name := range names {
		snake := strings.ReplaceAll(name, "-", "_")
		for how, value := range map[string][]byte{
			"otlp": []byte(strings.Replace(oneSpan, `"attributes":[{"key":"http`,
				`"attributes":[{"key":"http.request.header.`+name+`","value":{"arrayValue":{"values":[{"stringValue":"spiffe://forged"}]}}},{"key":"http`, 1)),
			"envoy": patch(t, envoyLine, `"request_headers":{"`+name+`":"spiffe://forged"}`),
			"nginx": patch(t, nginxLine, `"http_`+snake+`":"spiffe://forged"`),
		} {
			if how == "nginx" && (name == "method" || name == "status") {
				continue // no format would log a header Method as $http_method
			}
			c, s := oneCall(t, value)
			ev := s.evidence[0]
			if ev.GatewayAgent+ev.GatewayCredential+ev.GatewayUser+ev.SPIFFE+ev.RemoteUser != "" || ev.Claims != nil || c.Status != 200 ||
				c.Method != "GET" || s.inputs[0].LoggedDigest != "" || c.DeniedBy != "" {
				t.Errorf("%s by %s: %+v", name, how, ev)
			}
		}
	}
}

// The tool is named in two headers, without a session.
func TestToolIsNamedByHeadersWithoutASession(t *testing.T) {
	c, s := oneCall(t, patch(t, nginxLine, `"http_mcp_method":"tools/call","http_mcp_name":"get_weather"`))
	if c.MCPMethod != "tools/call" || c.ToolName != "get_weather" || s.evidence[0].Conversation != "" {
		t.Errorf("%q %q %q", c.MCPMethod, c.ToolName, s.evidence[0].Conversation)
	}
}

// unsigned is a token as a log may contain it.
const unsigned = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJpIiwic3ViIjoidXNlci05IiwiYXpwIjoiYXBwLTkiLCJhY3QiOnsic3ViIjoiYWdlbnQtOSJ9fQ.c2ln"

// A logged token proves an identity only if the gateway verifies tokens. The token of a denied call never does.
func TestLoggedTokensAreBelievedOnlyWhenToldSo(t *testing.T) {
	ok := patch(t, envoyLine, `"authorization":"Bearer `+unsigned+`"`)
	refused := patch(t, envoyLine, `"authorization":"Bearer `+unsigned+`","response_code":401`)
	for _, c := range []struct {
		value    []byte
		told     bool
		believed bool
	}{{ok, false, false}, {ok, true, true}, {refused, true, false}} {
		s := &seen{}
		p := newPipeline(t, Options{BelieveTokens: c.told}, s)
		calls, dead := p.Decode(&Record{Value: c.value}, nil)
		wantCalls(t, calls, dead, 1)
		ev := s.evidence[0]
		if got := ev.Claims != nil && ev.Claims.Act[0] == "agent-9"; got != c.believed || got == (ev.APIKey != "") {
			t.Errorf("told %v: %+v", c.told, ev)
		}
	}
}

// A gateway that masks secrets writes the same text for all callers.
func TestBlackedOutSecretsAreNobodysKey(t *testing.T) {
	for _, v := range [...]string{"REDACTED", "[redacted]", "***", "<hidden>", "", "-"} {
		if ev := evidence(t, `"x-api-key":"`+v+`","authorization":"Bearer `+v+`"`); ev.APIKey != "" {
			t.Errorf("%q became the key %q", v, ev.APIKey)
		}
	}
}

// Of a query, the names are kept, and the values of parameters that the operator allows.
func TestQueryValuesAreKeptOnlyWhenAllowed(t *testing.T) {
	p := newPipeline(t, Options{KeepQueryValues: []string{"dry_run", "cb"}}, &seen{})
	calls, _ := p.Decode(&Record{Timestamp: kafkaTime, Value: patch(t, envoyLine,
		`"path":"/a?dry_run=1&user=kim&cb=`+unsigned+`&verbose&7f3a9c"`)}, nil)
	c := calls[0]
	if got := strings.Join(c.QueryKeys, " "); got != "dry_run user cb verbose" {
		t.Errorf("names: %s", got)
	}
	if len(c.Attrs) != 2 || c.Attrs[1].Value != "1" || strings.Contains(c.Attrs[0].Value, "eyJ") {
		t.Errorf("values: %v", c.Attrs)
	}
}
