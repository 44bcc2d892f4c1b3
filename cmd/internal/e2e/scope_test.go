package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A learned scope must hold the same runs at the check, where a call waits, and in the log,
// where the call was made.
func TestLearnedScopeHoldsTheSameRunsOnBothSides(t *testing.T) {
	f := install(t, "", "", "routes:",
		"  - {method: POST, template: '/v1/accounts/{account}/refunds', effect: pay, reversibility: compensable, resources: ['account:account']}")
	configure(t, f, fmt.Sprintf(`detect: {armed: ["family:scope"]}
control: {point: test, trip_budget: {per_hour: 0, agents_percent: 0}, listen: "127.0.0.1:%d"}
learn: {quarantine: 0s, window: 240h, every: 10h, min_runs: 50}`, f.ports["control"]))
	f.start()
	line := func(at time.Time, agent, run, task, method, path string) string {
		return strings.TrimSuffix(record(at, agent, run, path, method, 200, 400), "}") + fmt.Sprintf(`,"x_task_id":%q}`, task)
	}
	start, n := time.Now().Add(-20*time.Hour), 0
	var past []string
	for agent := range 6 {
		for run := range 10 {
			at := start.Add(time.Duration(run)*time.Hour + time.Duration(agent)*time.Minute)
			key, who := fmt.Sprintf("past-%d-%d", agent, run), fmt.Sprintf("shop/a%d", agent)
			for i, call := range []string{"GET /v1/orders/7", "POST /v1/accounts/main/refunds", "PUT /v1/orders/" + fmt.Sprint(1000+n)} {
				method, path, _ := strings.Cut(call, " ")
				past = append(past, line(at.Add(time.Duration(i)*time.Second), who, key, "refund", method, path))
				n++
			}
		}
	}
	f.send(past...)
	f.until("the past is stored", time.Minute, fmt.Sprint(len(past)),
		func() (string, error) { return f.sql("SELECT count() FROM flyball.calls") })
	f.until("the past has runs", time.Minute, "60", func() (string,
		error) {
		return f.sql("SELECT count() FROM flyball.runs WHERE calls = 3")
	})
	if out := f.run([]int{0}, "learn", "--once"); !strings.Contains(out, "60 runs") {
		t.Fatalf("learned of another past: %s", out)
	}
	ask := func(agent, run, task, method, path string) (int, string) {
		req, err := http.NewRequest("GET", fmt.Sprintf("http://127.0.0.1:%d/check", f.ports["check"]), nil)
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range map[string]string{"X-Original-Method": method, "X-Original-URI": path, "X-Consumer": agent, "X-Agent-Run-Id": run,
			"X-Task-Id": task} {
			req.Header.Set(k, v)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode, resp.Header.Get("x-flyball-why")
	}
	f.until("the check knows the scopes", 30*time.Second, "403", func() (string, error) {
		code, _ := ask("shop/a0", "first", "refund", "DELETE", "/v1/users/1")
		return fmt.Sprint(code), nil
	})
	held := map[string]string{}
	var lines []string
	for i, tc := range []struct{ agent, task, method, path string }{
		{"shop/a0", "refund", "POST", "/v1/accounts/main/refunds"},
		{"shop/a0", "refund", "POST", "/v1/accounts/thief/refunds"},
		{"shop/a0", "refund", "PUT", "/v1/orders/999999"}, // new ids each time
		{"shop/a0", "refund", "GET", "/v1/users/7"},
		{"shop/a0", "refund", "DELETE", "/v1/users/7"},
		{"shop/new", "refund", "POST", "/v1/users"},
		{"shop/new", "never-seen", "POST", "/v1/users"},
		{"bank/other", "refund", "POST", "/v1/users"},
		{"shop/a1", "", "POST", "/v1/users"},
	} {
		key := fmt.Sprint("now-", i)
		code, why := ask(tc.agent, key, tc.task, tc.method, tc.path)
		if code == http.StatusForbidden {
			held[key] = why
		}
		lines = append(lines, line(time.Now(), tc.agent, key, tc.task, tc.method, tc.path))
	}
	want := map[string]string{"now-1": "scope.learned:target_outside", "now-4": "scope.learned:write_outside",
		"now-5": "scope.learned:write_outside"}
	if fmt.Sprint(held) != fmt.Sprint(want) {
		t.Errorf("held at the check: %v, want %v", held, want)
	}
	f.send(lines...)
	f.until("the log says the same", 30*time.Second, "now-1,now-4,now-5", func() (string, error) {
		return f.sql("SELECT arrayStringConcat(arraySort(groupUniqArray(r.run_key)), ',') FROM flyball.findings AS f INNER JOIN flyball.runs " +
			"AS r ON f.run_id = r.run_id WHERE f.family = 'scope'")
	})
	var rates []struct {
		Level, Rule string
		Findings    uint64
		Held        float64 `json:"held_per_1000"`
	}
	f.until("the rates have them", 20*time.Second, "[{hold targets 1} {hold task 2}]", func() (string, error) {
		rates = nil
		if err := json.Unmarshal([]byte(f.run([]int{0}, "findings", "rates", "-o", "json")), &rates); err != nil {
			return "", err
		}
		var out []string
		for _, r := range rates {
			if r.Level != "hold" {
				continue
			}
			if r.Held <= 0 {
				return "without a denominator", nil
			}
			out = append(out, fmt.Sprintf("{%s %s %d}", r.Level, r.Rule, r.Findings))
		}
		return "[" + strings.Join(out, " ") + "]", nil
	})
	if text := f.run([]int{0}, "findings", "rates"); !strings.Contains(text, "HELD IN 1,000") {
		t.Errorf("%s", text)
	}
}
