package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"flyball/cmd/internal/realparts"
)

// bearer sends a request of a caller that the gateway identifies only by its token.
func bearer(gateway, path string, headers ...string) (int, error) {
	req, err := http.NewRequest(http.MethodDelete, gateway+path, nil)
	if err != nil {
		return 0, err
	}
	for i := 0; i+1 < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer r.Body.Close()
	_, err = io.Copy(io.Discard, r.Body)
	return r.StatusCode, err
}

// Logs do not contain the bearer token of a request. A run that was tripped because of the log
// must still be denied at the check, also when it returns under another name.
func TestRealEnvoyDeniesTheRunawayWithABearerToken(t *testing.T) {
	k := realKafka(t)
	stampOnArrival(t, k.Addr(), "gateway-logs")
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, r.Method) }))
	defer upstream.Close()
	f := withLoopOn(t, k.Addr(), "")
	envoy := realparts.StartGateway(t, "envoy-grpc", "../../../deploy/gateways", upstream.Listener.Addr().String(),
		fmt.Sprintf("127.0.0.1:%d", f.ports["check"]), fmt.Sprintf("127.0.0.1:%d", f.ports["grpc"]))
	realparts.StartRsyslog(t, envoy.Log, k.Addr(), "gateway-logs")

	token := "Bearer tok-7f3a"
	for name, headers := range map[string][]string{
		"named run": {"Authorization", token + "1", "X-Agent-Id", "bot", "X-Agent-Run-Id", "run-1"},
		"session":   {"Authorization", token + "2"},
	} {
		denied := 0
		for n := 1; n <= 600 && denied == 0; n++ {
			code, err := bearer(envoy.URL, fmt.Sprint("/v1/accounts/", n), headers...)
			if err != nil {
				t.Fatal(err)
			}
			if code == http.StatusForbidden {
				denied = n
			}
			time.Sleep(20 * time.Millisecond)
		}
		if denied == 0 {
			s, _ := f.sql("SELECT family, toString(level), run_id, credential_id, agent_id FROM flyball.findings FORMAT TSV")
			t.Fatalf("%s: 600 deletes passed; findings:\n%s\nbreakers: %s", name, s, f.run([]int{0}, "breakers", "list"))
		}
		t.Logf("%s: denied at call %d", name, denied)
		auth := headers[1]
		// The run ids differ per caller: a run that was first seen before the trip is not held.
		another := func(run string) string { return run + " of the " + name }
		for how, other := range map[string][]string{
			"another run id":   {"Authorization", auth, "X-Agent-Id", "bot", "X-Agent-Run-Id", another("run-9")},
			"no run id":        {"Authorization", auth},
			"another name":     {"Authorization", auth, "X-Agent-Id", "somebody", "X-Agent-Run-Id", another("run-10")},
			"a key beside it":  {"Authorization", auth, "X-Api-Key", "made-up", "X-Agent-Run-Id", another("run-11")},
			"a forged receipt": {"Authorization", auth, "X-Flyball-Receipt", "AQ", "X-Flyball-Run", "00000000-0000-8000-8000-000000000001"},
			"another method":   {"Authorization", auth, "X-Original-Method", "GET", "X-Forwarded-Method", "GET", "X-Original-URI", "/"},
		} {
			if code, err := bearer(envoy.URL, "/v1/accounts/7000", other...); err != nil || code != http.StatusForbidden {
				t.Errorf("%s, %s: %d %v", name, how, code, err)
			}
		}
	}
	// Another caller with a different token is not denied.
	if code, err := bearer(envoy.URL, "/v1/accounts/8000", "Authorization", "Bearer of-another"); err != nil || code != http.StatusOK {
		t.Errorf("another caller: %d %v", code, err)
	}
	// One request, one run: the check's record and the line of the log. No token is stored.
	f.until("each caller has one run for what it did before it was denied", 60*time.Second, "1 1", func() (string, error) {
		s, err := f.sql("SELECT uniqExactIf(run_id, run_key = 'run-1'), uniqExactIf(run_id, run_key = '' AND observer_kind != 'gate' AND " +
			"credential_id IN " +
			"(SELECT credential_id FROM flyball.calls WHERE run_key = '' AND path LIKE '/v1/accounts/%' AND path != '/v1/accounts/8000' AND " +
			"path != '/v1/accounts/7000') " +
			"AND path != '/v1/accounts/7000' AND path != '/v1/accounts/8000' AND agent_id != 'bot') FROM flyball.calls WHERE path LIKE '/v1/" +
			"accounts/%'")
		return strings.ReplaceAll(strings.TrimSpace(s), "\t", " "), err
	})
	if out := f.run([]int{0}, "breakers", "history", "-o", "json"); strings.Contains(out, "tok-7f3a") {
		t.Error("a token is in the history of breakers")
	}
}
