package check

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"flyball/detect/enforce/enforcetest"
	"flyball/schema"
)

// FuzzCheck: for every request of a client the check answers, and an irreversible call of an agent
// whose manifest does not grant it is never allowed.
func FuzzCheck(f *testing.F) {
	c := newChecker(f, func(o *enforcetest.Options) { o.Armed = func(string, string) bool { return true } })
	c.replay(schema.Command{ID: "m", Kind: schema.CommandManifest, Tenant: "t",
		Manifest: &schema.Manifest{Text: "version: 1\nagent: \"*\"\nscope: {routes: [GET /**]}\n"}})
	f.Add("DELETE", "/v1/orders/1", "billing", "r1", "Bearer x", "trace", `{"amount": 5}`)
	f.Add("POST", "/mcp", "", "", "", "", `{"jsonrpc":"2.0","method":"tools/call","params":{"name":"x","arguments":{}}}`)
	f.Fuzz(func(t *testing.T, method, path, consumer, runKey, authorization, trace, body string) {
		q := httptest.NewRequest("POST", "/check", strings.NewReader(body))
		for k, v := range map[string]string{"X-Original-Method": method, "X-Original-Uri": path, "X-Consumer": consumer,
			"X-Agent-Run-Id": runKey, "Authorization": authorization, "Traceparent": trace} {
			q.Header[k] = []string{v}
		}
		w := httptest.NewRecorder()
		c.Handler().ServeHTTP(w, q)
		if w.Code != http.StatusOK && w.Code != http.StatusForbidden {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if m := strings.ToUpper(method); w.Code == http.StatusOK && (m == "DELETE" || m == "PUT" || m == "PATCH") {
			t.Fatalf("%s %q passed", method, path)
		}
	})
}
