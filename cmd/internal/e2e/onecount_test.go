package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"flyball/cmd/internal/realparts"
)

// The shipped nginx file on a real nginx: whatever a caller shows, the row of the check and the line
// of the log are in one run, and the call counts once in every command. A consumer that a client
// names itself establishes nobody.
func TestNginxSplitsACallerInTwo(t *testing.T) {
	f := install(t, "", "").start()
	svc := newService(t)
	g := realparts.StartGateway(t, "nginx", "../../../deploy/gateways", svc.Listener.Addr().String(),
		fmt.Sprintf("127.0.0.1:%d", f.ports["check"]), fmt.Sprintf("127.0.0.1:%d", f.ports["grpc"]))
	callers := map[string][]string{
		"bearer":   {"Authorization", "Bearer sk_live_leaked"},
		"api-key":  {"X-Api-Key", "key-leaked"},
		"both":     {"Authorization", "Bearer sk_live_both", "X-Api-Key", "key-both"},
		"consumer": {"X-Login", "billing/bot"},
		"neither":  {},
		"forged":   {"X-Consumer", "billing/bot", "x_consumer", "billing/bot"},
	}
	const each = 2
	sent := 0
	for name, headers := range callers {
		for _, run := range []string{"", "run-of-" + name} {
			for range each {
				sent++
				path := fmt.Sprint("/v1/accounts/", sent)
				if code, err := agentOf(name, run, g.URL+path, headers); err != nil || code != http.StatusOK {
					t.Fatalf("%s: %d %v", name, code, err)
				}
			}
		}
	}
	var lines []string
	f.until("nginx has logged all", 20*time.Second, fmt.Sprint(sent), func() (string, error) {
		raw, err := os.ReadFile(g.Log)
		lines = strings.Split(strings.TrimSpace(string(raw)), "\n")
		return fmt.Sprint(len(lines)), err
	})
	f.send(lines...)
	f.until("both rows of each call are in one run, and one of them counts", 60*time.Second, fmt.Sprint(sent), func() (string, error) {
		return f.sql("SELECT countIf(asked = 1 AND logged = 1 AND runs = 1 AND counted = 1 AND hosts = 1) FROM (SELECT request_id, " +
			"countIf(observer_kind = 'gate') AS asked, countIf(observer_kind != 'gate') AS logged, uniqExact(run_id) AS runs, " +
			"countIf(flyball.calls.counted) AS counted, uniqExact(splitByChar(':', host)[1]) AS hosts FROM flyball.calls GROUP BY request_id)")
	})
	for what, q := range map[string]string{
		"runs":                        "SELECT count() FROM flyball.runs",
		"runs of callers":             "SELECT uniqExact(user_agent, run_key) FROM flyball.calls",
		"agents that are established": "SELECT uniqExactIf(user_agent, agent_trust >= 'infrastructure') * 12 FROM flyball.calls",
	} {
		if got, err := f.sql(q); err != nil || got != fmt.Sprint(2*len(callers)) {
			t.Errorf("%s: %s %v, want %d", what, got, err, 2*len(callers))
		}
	}
	if got, err := f.sql("SELECT countIf(agent_trust >= 'infrastructure') FROM flyball.calls WHERE user_agent = 'agent-forged'"); got != "0" {
		t.Errorf("%s rows believe a consumer that the client named: %v", got, err)
	}
	f.until("the runs are stored", 30*time.Second, fmt.Sprint(sent), func() (string, error) {
		return f.sql("SELECT sum(calls) FROM flyball.runs")
	})
	f.countsEverywhere(uint64(sent))
}

// agentOf sends a DELETE of a caller that is known by its user agent.
func agentOf(name, run, url string, headers []string) (int, error) {
	req, err := http.NewRequest(http.MethodDelete, url, nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("User-Agent", "agent-"+name)
	if run != "" {
		req.Header.Set("X-Agent-Run-Id", run)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer r.Body.Close()
	_, err = io.Copy(io.Discard, r.Body)
	return r.StatusCode, err
}

// countsEverywhere compares the number of stored calls in SQL and in each command that counts calls.
func (f *flyball) countsEverywhere(want uint64) {
	f.t.Helper()
	type row struct {
		RunID string `json:"run_id"`
		Calls uint64
	}
	var runs, agents, routes []row
	f.json(&runs, "runs", "--since", "24h")
	f.json(&agents, "agents", "--since", "24h")
	f.json(&routes, "routes", "--since", "24h")
	counts := map[string]uint64{}
	for what, list := range map[string][]row{"runs": runs, "agents": agents, "routes": routes} {
		for _, r := range list {
			counts[what] += r.Calls
		}
	}
	for _, r := range runs {
		var touched struct{ Calls uint64 }
		f.json(&touched, "touched", r.RunID)
		counts["touched"] += touched.Calls
		var run struct {
			Calls []struct{ Observers []string }
		}
		f.json(&run, "run", r.RunID)
		counts["run"] += uint64(len(run.Calls))
		for _, c := range run.Calls {
			if len(c.Observers) < 2 {
				f.t.Errorf("a call of run %s names the observers %v", r.RunID, c.Observers)
			}
		}
	}
	var hits []row
	f.json(&hits, "find", "127.0.0.1")
	for _, h := range hits {
		counts["find"] += h.Calls
	}
	text, err := f.sql("SELECT countIf(counted) FROM flyball.calls")
	if _, err := fmt.Sscan(text, new(uint64)); err != nil {
		f.t.Error(err)
	}
	if text != fmt.Sprint(want) {
		f.t.Errorf("SQL counts %s calls, want %d: %v", text, want, err)
	}
	for what, n := range counts {
		if n != want {
			f.t.Errorf("%s counts %d calls, want %d", what, n, want)
		}
	}
}
