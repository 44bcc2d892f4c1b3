package decode

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"testing"

	"flyball/schema"
	"flyball/schema/identity"
	"flyball/schema/route"
)

// canary is a secret that is not similar to any other text.
const canary = "c4naryS3cret"

// secretNames are headers and fields that contain a secret of any form.
var secretNames = []string{"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "apikey", "api-key", "x-auth-token",
	"x-amz-security-token", "x-csrf-token", "access_token", "id_token",
	"refresh_token", "client_secret", "x-client-secret", "password", "session-token", "signature", "x-goog-api-key", "x-vault-token",
	"raw_request", "raw_response", "request_body", "response_body",
	"gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions", "gen_ai.tool.call.arguments", "gen_ai.tool.call.result",
	"input.value", "output.value", "llm.input_messages.0.message.content",
	"jwt_payload", "jwt", "referer", "query_string", "args", "url.query", "x-forwarded-client-cert", "db.query.text", "exception.stacktrace",
	"metadata"}

// secretForms are recognised as secrets in any field.
var secretForms = []string{
	"eyJhbGciOiJub25lIn0.eyJzdWIiOiJ" + canary + "In0.c2ln", "sk-live" + canary + "0123456789", "ghp_" + canary + "0123456789",
	"AKIA0123456789ABCDEF" + canary,
	"https://kim:" + canary + "@up.example/x", "Bearer " + canary + "0123", "/cb?code=" + canary, "password=" + canary,
}

// fieldsOf contains the field names of each format, each a place for a secret.
var fieldsOf = map[string][]string{
	"envoy": {"method", "path", "x-envoy-origin-path", "authority", "user_agent", "request_id", "response_code", "response_flags",
		"response_code_details", "duration", "upstream_cluster", "route_name", "http.route",
		"upstream_transport_failure_reason", "connection_termination_details", "x_forwarded_for", "downstream_remote_address", "x_agent_id",
		"x_agent_run_id", "x_task_id", "x_consumer", "x_principal", "session_id",
		"x-claude-code-parent-agent-id", "peer", "remote_user", "ssl_client_s_dn", "traceparent", "baggage", "mcp_method", "mcp_name",
		"mcp.session.id", "gen_ai.request.model", "gen_ai.response.model",
		"gen_ai.provider.name", "mcp.provider.name", "jsonrpc.request.id", "signature_agent", "x_args_digest", "custom", "grpc_status",
		"denied_by", "scheme", "host", "start_time", "request_headers", "jwt_sub", "api_key_id", "kubernetes"},
	"nginx": {"msec", "request", "request_uri", "uri", "request_method", "status", "host", "http_user_agent", "request_id", "remote_addr",
		"remote_user", "agent", "http_x_agent_id", "http_x_custom", "upstream_addr",
		"upstream_status", "upstream_response_time", "request_time", "proxy_upstream_name", "http_x_forwarded_for", "ssl_client_fingerprint",
		"http_baggage", "http_mcp_name", "custom", "referrer", "server_name"},
	"otlp": {"http.request.method", "url.path", "url.full", "url.query", "http.route", "http.target", "url.scheme", "server.address",
		"http.host", "user_agent.original", "error.type", "exception.message", "gen_ai.agent.id",
		"gen_ai.agent.name", "gen_ai.agent.version", "gen_ai.conversation.id", "gen_ai.tool.name", "gen_ai.tool.call.id", "gen_ai.operation.name",
		"gen_ai.request.model", "mcp.method.name", "mcp.session.id", "user.id",
		"session.id", "rpc.response.status_code", "http.request.header.x-agent-id", "http.request.header.x-custom",
		"http.response.header.location", "a2a.method", "a2a.context.id", "custom.attr", "agent.run.id", "client.address", "mcp.target"},
}

// realistic copies its input into the call, as the identity and route rules do.
type realistic struct {
	*identity.Resolver
	*route.Table
}

func pipelineWithRules(t testing.TB) *Pipeline {
	t.Helper()
	key := []byte("0123456789abcdef0123456789abcdef")
	id, err := identity.NewResolver(identity.Options{Tenant: "acme", Key: key})
	if err != nil {
		t.Fatal(err)
	}
	table, err := route.NewTable(route.Options{DigestKey: key})
	if err != nil {
		t.Fatal(err)
	}
	r := realistic{id, table}
	p, err := New(Options{Tenant: "acme"}, r, r)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// A secret in any field of a record must not appear in any field of its call, in the detail of a dead letter, or in a log line.
func TestNoSecretIsKept(t *testing.T) {
	var logged bytes.Buffer
	defer slog.SetDefault(slog.Default())
	slog.SetDefault(slog.New(slog.NewTextHandler(&logged, nil)))
	p := pipelineWithRules(t)
	n := 0
	try := func(what string, value []byte) {
		t.Helper()
		n++
		if !bytes.Contains(value, []byte(canary)) {
			t.Fatalf("%s: no canary in it", what)
		}
		calls, dead := p.Decode(&Record{Topic: "in", Timestamp: kafkaTime, Value: value}, nil)
		if len(calls)+len(dead) == 0 {
			t.Errorf("%s: nothing came of it", what)
		}
		for i := range calls {
			if at := holds(reflect.ValueOf(calls[i]), "Call"); at != "" {
				t.Errorf("%s: %s holds the secret: %s", what, at, AppendJSON(nil, &calls[i]))
			}
		}
		for _, d := range dead {
			if strings.Contains(d.Detail, canary) || strings.Contains(string(d.Reason), canary) {
				t.Errorf("%s: detail %q", what, d.Detail)
			}
		}
	}
	for format, names := range fieldsOf {
		for _, name := range names {
			for _, secret := range secretForms {
				try(format+" "+name+" "+secret, planted(format, name, secret))
			}
		}
		for _, name := range secretNames {
			for _, spelled := range []string{name, strings.ToUpper(name), strings.ReplaceAll(name, "-", "_"), prefix(format) +
				strings.ReplaceAll(name, "-", "_")} {
				try(format+" "+spelled, planted(format, spelled, canary+" and more"))
				try(format+" "+spelled, planted(format, spelled, "scheme "+canary))
			}
		}
		for _, path := range []string{"/a?k=" + canary, "/a?" + canary, "/a?x&user_token=" + canary, "/a;jsessionid=" + canary, "/a#" + canary,
			"https://" + canary + "@h/a", "/reset/eyJhbGciOiJub25lIn0.eyJ" + canary + "In0.c2ln/x",
			"/a?session=" + canary + "&id=7", "/a?email=sk-0123456789" + canary, "/a?order_id=eyJhbGciOiJub25lIn0.eyJ" + canary + "In0.c2ln",
			"/t/access_token=" + canary} {
			name := map[string]string{"envoy": "path", "nginx": "request_uri", "otlp": "http.target"}[format]
			try(format+" path "+path, planted(format, name, path))
		}
	}
	for _, path := range []string{"/a?k=" + canary, "/x/sk-0123456789" + canary} {
		try("envoy text", []byte(`[2026-10-02T09:30:15.417Z] "GET `+path+` HTTP/1.1" 200 - 0 0 1 1 "-" "Bearer `+canary+`01" "password=`+canary+`" "u:`+canary+`@h" "-"`))
		try("istio text", []byte(`[2026-10-02T09:30:15.417Z] "GET `+path+` HTTP/1.1" 200 - token=`+canary+` - "token: `+canary+`" 0 135 3 1 "-" "c" "r" "h" "-" in|1||secret=`+canary+` a b c - sig=`+canary))
	}
	for _, broken := range []string{`{"authorization":"` + canary, canary, `["` + canary + `"]`, `{"` + canary + `":1}`, "\x0a" + canary,
		"\x00\x00\x00\x00\x01" + canary, `"` + canary + `"`} {
		try("broken", []byte(broken))
	}
	if strings.Contains(logged.String(), canary) {
		t.Errorf("logged: %s", logged.String())
	}
	t.Logf("%d places", n)
}

func prefix(format string) string {
	return map[string]string{"envoy": "x_", "nginx": "http_", "otlp": "http.request.header."}[format]
}

// planted returns a record of a format with a secret in one of its fields.
func planted(format, name, secret string) []byte {
	q := func(s string) string { b, _ := json.Marshal(s); return string(b) }
	switch format {
	case "envoy":
		return []byte(strings.TrimSuffix(envoyLine, "}") + "," + q(name) + ":" + q(secret) + "}")
	case "nginx":
		return []byte(strings.TrimSuffix(nginxLine, "}") + "," + q(name) + ":" + q(secret) + "}")
	}
	return []byte(strings.Replace(oneSpan, `"attributes":[{"key":"http`,
		fmt.Sprintf(`"status":{"code":2,"message":%s},"attributes":[{"key":%s,"value":{"stringValue":%s}},{"key":"http`,
			q("failed: token="+canary), q(name), q(secret)), 1))
}

// holds reports where a value contains the canary.
func holds(v reflect.Value, at string) string {
	switch v.Kind() {
	case reflect.String:
		if strings.Contains(strings.ToLower(v.String()), strings.ToLower(canary)) {
			return at
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if !v.Type().Field(i).IsExported() {
				continue
			}
			if found := holds(v.Field(i), at+"."+v.Type().Field(i).Name); found != "" {
				return found
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if found := holds(v.Index(i), fmt.Sprintf("%s[%d]", at, i)); found != "" {
				return found
			}
		}
	}
	return ""
}

// The search must find a secret deep in a call too.
func TestAPlantedSecretIsFound(t *testing.T) {
	c := schema.Call{Path: "/" + canary, Attrs: []schema.Attr{{Key: "a", Value: canary}}}
	if holds(reflect.ValueOf(c), "Call") == "" || holds(reflect.ValueOf(schema.Call{Attrs: c.Attrs}), "Call") == "" {
		t.Fatal("a planted secret is not found")
	}
}

// No file in testdata contains text that looks like a real secret.
func TestFixturesHoldNoSecrets(t *testing.T) {
	for _, file := range fixtures(t) {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Contains(b, []byte("eyJhbG")) || bytes.Contains(b, []byte("AKIA")) {
			t.Error(file)
		}
	}
}
