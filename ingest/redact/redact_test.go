package redact

import (
	"strings"
	"testing"
)

const token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl"

func TestSecretsOfAKnownFormDoNotStay(t *testing.T) {
	for _, secret := range []string{
		token, "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.", "eyJhbGciOiJIUzI1NiJ9ABCDEF", token + ".x.y",
		"sk-ant-api03-abcdefghij0123", "sk_live_abcdefghij0123", "rk_live_abcdefghij0123", "ghp_0123456789abcdefABCD",
		"github_pat_0123456789abcdefABCD",
		"glpat-0123456789abcdefABCD", "xoxb-0123456789-abc", "AIzaSyA0123456789abcdefghijklmnopqrstuv", "AKIA0123456789ABCDEF",
		"ASIA0123456789ABCDEF",
	} {
		for _, around := range []string{"", "a %s b", "/reset/%s/now", "x=%s&y", "(%s)", "tok:%s", `"%s"`} {
			s := secret
			if around != "" {
				s = strings.Replace(around, "%s", secret, 1)
			}
			for name, f := range map[string]func(string) string{"text": Text, "path": Path} {
				if got := f(s); strings.Contains(got, secret) || strings.Contains(got, secret[len(secret)-8:]) {
					t.Errorf("%s of %q is %q", name, s, got)
				}
			}
		}
	}
}

func TestNamedSecretsDoNotStay(t *testing.T) {
	for _, s := range []string{
		"password=hunter2", "login failed: password: hunter2", `{"password":"hunter2"}`, `{"api_key": "hunter2"}`, "?access_token=hunter2&a=b",
		"X-Api-Key: hunter2", "x_secret='hunter2'",
		"https://kim:hunter2@db/x", "https://hunter2@db/x", "Authorization: Bearer hunter2hunter2", "bearer  hunter2hunter2",
		"Bearer%20hunter2hunter2", "Basic aHVudGVyMjpodW50ZXIy=hunter2",
		"sig=hunter2", "X-Amz-Signature=hunter2", "session_id=hunter2", "sessionid=hunter2", "Cookie: hunter2", "token%3Dhunter2",
		"GET /a?b=hunter2 failed", "https://h/?hunter2=1", "-----BEGIN PRIVATE KEY-----hunter2-----END PRIVATE KEY-----",
	} {
		if got := Text(s); strings.Contains(got, "hunter2") {
			t.Errorf("%q is %q", s, got)
		}
	}
	for _, s := range []string{"/a;jsessionid=hunter2", "/a;jsessionid=hunter2/b;x=hunter2", "/reset/token=hunter2/x", "/p;hunter2"} {
		if got := Path(s); strings.Contains(got, "hunter2") {
			t.Errorf("%q is %q", s, got)
		}
	}
}

func TestHarmlessTextStays(t *testing.T) {
	for _, s := range []string{
		"", "/orders/123", "python-httpx/0.28.1", "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)",
		"84961386-6d84-929d-98bd-c5aee93b5c88", "HeyJohnathanSmithAndHisFamily",
		"spiffe://cluster.local/ns/a/sa/b", "httpbin:8000", "refund-helper-042", "outbound|443||shop.prod.svc", "tools/call", "via_upstream",
		"delayed connect error: 111", "Go-http-client/1.1", "kim@example.org",
		"task-12345678901234567890", "disk-0123456789abcdef", "claude-cli/2.1 (external, cli)", "the basic plan", "MAKING", "ROADBOOK-I",
		"user:9", "region=eu",
	} {
		if got := Text(s); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
	for _, s := range []string{"/v1/tokens:revoke", "/v1/token:revoke", "/a@b/c", "/p/x=y", "/secret/manager"} {
		if got := Path(s); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
}

func TestEscapesHideNoSecret(t *testing.T) {
	for _, s := range []string{"/k/sk%5Flive%5Fhunter2hunter2", "/k/sk%255Flive%255Fhunter2hunter2", "/k/sk%5flive%5fhunter2hunter2%zz",
		"/k/gh%70_hunter2hunter2hunter2", "/token%3Dhunter2/x", "/t%6fken=hunter2/x",
		"/p/https%3A%2F%2Fkim%3Ahunter2%40h", "/p/https%3A%2F%2Fh%2Fx%3Fa%3Dhunter2", "/%65yJhbGciOiJub25lIn0.hunter2.c2ln"} {
		if got := Path(s); strings.Contains(got, "hunter2") || strings.Count(got, "/") != strings.Count(s, "/") {
			t.Errorf("%q is %q", s, got)
		}
	}
	for _, s := range []string{"/docs/Our%20Plans%202025.docx", "/a%2fb/%zz/%", "/v1/token%3Arevoke", "/users/kim%40example.org",
		"/caf%C3%A9/%E2%82%AC", "/100%25", "/%25%32%35"} {
		if got := Path(s); got != s {
			t.Errorf("%q became %q", s, got)
		}
	}
}

func TestNamesThatAreNotKept(t *testing.T) {
	for _, name := range []string{"authorization", "Proxy-Authorization", "cookie", "set-cookie", "x-api-key", "apikey", "api_key",
		"X-Auth-Token", "access_token", "client_secret", "password", "db_passwd",
		"session_token", "raw_request", "signature", "llm.input_messages.0.message.content", "input.value", "output.value", "gen_ai.prompt",
		"gen_ai.completion.0.content", "gen_ai.tool.call.result",
		"gen_ai.tool.call.arguments", "request_body", "http.request.body", "exception.stacktrace", "db.statement", "referer", "http_referrer",
		"query_string", "jwt", "x_jwt_assertion", "x-amz-credential"} {
		if !Field(name, "v") {
			t.Errorf("%s would be kept", name)
		}
	}
	if !Field("pin_token", "1234") || !Field("otp", "1234") {
		t.Error("a number is a secret, too")
	}
	for name, value := range map[string]string{"gen_ai.usage.total_tokens": "12", "llm.token_count.total": "3", "team": "a", "route_name": "r",
		"gen_ai.usage.cache_read.input_tokens": "4", "http.request.body.size": "5",
		"response_flags": "UF", "k8s.pod.name": "p", "author": "x", "zone_name": "z"} {
		if Field(name, value) {
			t.Errorf("%s would be dropped", name)
		}
	}
}

// The cheap check must not return false where Text would change the string.
func FuzzSuspicious(f *testing.F) {
	for _, s := range []string{token, "password: x", "Bearer abcdefgh", "https://a:b@c", "sk-0123456789ab", "xoxb-0123456789", "session_id=1",
		"Basic\taGVsbG8="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		full := query.ReplaceAllString(pemBlock.ReplaceAllString(tokens(s), redacted), "?"+redacted)
		full = scheme.ReplaceAllString(userinfo.ReplaceAllString(full, "://"+redacted+"@"), redacted)
		full = named.ReplaceAllString(vendorKey.ReplaceAllString(full, redacted), "${1}"+redacted)
		if got := Text(s); got != full {
			t.Errorf("%q is %q, and %q when everything is looked for", s, got, full)
		}
	})
}
