package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"
)

// The same thousand requests are sent to the check and read from the log. Caller, run, route,
// effect and resources must be equal; otherwise a breaker would not match the calls that the
// detector saw.
func TestCheckAndLogSideSeeTheSame(t *testing.T) {
	f := install(t, "", "", "agents:", "  - {id: billing/registered, consumer: reg-1}",
		"  - {id: mesh/registered, spiffe: 'spiffe://shop/ns/a/sa/pay'}",
		"routes:", "  - {method: DELETE, template: '/v1/orders/{order_id}', effect: delete, reversibility: irreversible, resources: "+
			"['order_id:order']}")
	f.start()
	r := rand.New(rand.NewPCG(6, 6))
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	maybe := func(v string) string {
		if r.IntN(3) == 0 {
			return ""
		}
		return v
	}
	const n = 1000
	var lines []string
	for i := range n {
		id := fmt.Sprintf("both-%d", i)
		method := pick("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")
		path := pick("/v1/orders/", "/v1/refunds/", "/v2/users/", "/api/files/a%20b/", "/") + pick("7", "123e4567-e89b-12d3-a456-426614174000",
			"", "export?all=1&limit=5", "deadbeefdeadbeef")
		headers := map[string]string{
			"x-request-id": id, "x-agent-id": maybe(pick("alpha", "beta/1", "gämma")), "x-agent-run-id": maybe(fmt.Sprint("run-", r.IntN(20))),
			"x-task-id":  maybe(fmt.Sprint("task-", r.IntN(5))),
			"x-consumer": maybe(pick("reg-1", "shop-app", "partner")), "x-principal": maybe(pick("ann", "bob@example.com")),
			"user-agent": maybe(pick("python-httpx/0.28.1", "claude-code/2.1", "Mozilla/5.0 (X11; Linux) Chrome/140", "curl/8")),
			"x-api-key":  maybe(pick("key-one-secret", "key-two-secret")), "x-session-id": maybe("s-1"),
			"x-forwarded-client-cert": maybe(`By=spiffe://shop/ns/b/sa/gw;Hash=aa;URI=spiffe://shop/ns/a/sa/pay`),
			"traceparent":             maybe(fmt.Sprintf("00-%032x-%016x-01", r.Uint64()|1, r.Uint64()|1)),
		}
		ip := fmt.Sprintf("10.0.%d.%d", r.IntN(3), 1+r.IntN(9))
		line := map[string]any{"start_time": time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), "method": method, "path": path,
			"authority": "shop.example", "response_code": 200, "duration": 3, "bytes_sent": 10,
			"x_forwarded_for": ip, "downstream_remote_address": ip + ":4711"}
		req, err := http.NewRequest("GET", fmt.Sprintf("http://127.0.0.1:%d/check", f.ports["check"]), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Original-Method", method)
		req.Header.Set("X-Original-URI", path)
		req.Header.Set("X-Forwarded-For", ip)
		req.Header.Set("User-Agent", "") // without this, Go sends its default value
		for name, v := range headers {
			if v != "" {
				req.Header.Set(name, v)
				line[strings.ReplaceAll(strings.Replace(name, "x-request-id", "request_id", 1), "-", "_")] = v
			}
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != 200 {
			t.Fatalf("%s: %d", id, resp.StatusCode)
		}
		text, err := json.Marshal(line)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(text))
	}
	f.send(lines...)
	f.until("both sides are stored", time.Minute, fmt.Sprintf("%d\t%d", n, n), func() (string, error) {
		return f.sql("SELECT countIf(observer_kind = 'gate'), countIf(observer_kind != 'gate') FROM flyball.calls WHERE request_id LIKE 'both-%'")
	})
	for _, column := range []string{"tenant", "agent_id", "agent_trust", "agent_source", "agent_asserted", "agent_version", "credential_id",
		"credential_kind", "credential_trust", "principal_id", "principal_kind", "principal_trust",
		"caller_kind", "task_id", "conversation_id", "run_key", "run_id", "method", "path", "route", "route_key", "effect", "reversibility",
		"resources", "trace_id", "toString(client_ip)"} {
		out, err := f.sql(fmt.Sprintf(`SELECT count(), any(request_id), any(toString(a)), any(toString(b)) FROM (
SELECT request_id, anyIf(%[1]s, observer_kind = 'gate') AS a, anyIf(%[1]s, observer_kind != 'gate') AS b FROM flyball.calls WHERE request_id LIKE 'both-%%' %[2]s GROUP BY request_id HAVING a != b)`, column,
			map[bool]string{true: "AND run_key != ''"}[column == "run_id"])) // the id of a run without a key depends on its first call
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(out+"\t", "0\t") {
			t.Errorf("%s differs: %s (how many, an example, at the check, in the log)", column, out)
		}
	}
}
