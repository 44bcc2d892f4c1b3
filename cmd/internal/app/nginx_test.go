package app

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"flyball/cmd/internal/realparts"
	"flyball/detect/stitch"
	"flyball/ingest/decode"
	"flyball/schema"
)

// The shipped nginx file on a real nginx: whatever a caller shows, the row of the check and the line
// of the log are in one run, and one of the two counts. A consumer that a client names itself
// establishes nobody.
func TestNginxAsShippedSplitsACallerInTwo(t *testing.T) {
	b := sides(t)
	checks := httptest.NewServer(b.point.checker.Handler())
	defer checks.Close()
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "served") }))
	defer service.Close()
	addr := checks.Listener.Addr().String()
	g := realparts.StartGateway(t, "nginx", "../../../deploy/gateways", service.Listener.Addr().String(), addr, addr)
	callers := map[string][]string{
		"bearer":   {"Authorization", "Bearer sk_live_leaked"},
		"api-key":  {"X-Api-Key", "key-leaked"},
		"both":     {"Authorization", "Bearer sk_live_both", "X-Api-Key", "key-both"},
		"consumer": {"X-Login", "billing/bot"}, // by which the gateway of the tests identifies the caller
		"neither":  {},
		"forged":   {"X-Consumer", "billing/bot", "x_consumer", "billing/bot"},
	}
	const each = 2
	sent := 0
	for name, headers := range callers {
		for _, run := range []string{"", "run-of-" + name} {
			for range each {
				sent++
				deleteAs(t, name, run, fmt.Sprint(g.URL, "/v1/accounts/", sent), headers)
			}
		}
	}
	var lines [][]byte
	for end := time.Now().Add(20 * time.Second); bytes.Count(bytes.Join(lines, nil), []byte("/v1/accounts/")) != sent; time.Sleep(
		10 * time.Millisecond) {
		raw, err := os.ReadFile(g.Log)
		if lines = bytes.Split(bytes.TrimSpace(raw), []byte("\n")); time.Now().After(end) {
			t.Fatalf("%d lines are in the log, %d were sent: %v", len(lines), sent, err)
		}
	}
	p := stitch.NewPartition(0, stitch.DefaultLimits())
	offset, counted := int64(0), 0
	runs, runsOf := map[schema.RunID]bool{}, map[string]map[schema.RunID]bool{} // runsOf: by request id
	apply := func(c *schema.Call) {
		if !strings.HasPrefix(c.Path, "/v1/accounts/") {
			return // the gateway was asked whether it is ready
		}
		offset++
		p.Apply(c, offset)
		if runsOf[c.RequestID] == nil {
			runsOf[c.RequestID] = map[schema.RunID]bool{}
		}
		runs[c.RunID], runsOf[c.RequestID][c.RunID] = true, true
		if c.Counted() {
			counted++
		}
		if believed := c.AgentTrust >= schema.TrustInfrastructure; believed != (c.UserAgent == "agent-consumer") {
			t.Errorf("%s %s: agent %q is %s by %s", c.ObserverKind, c.UserAgent, c.AgentID, c.AgentTrust, c.AgentSource)
		}
	}
	for _, c := range b.observed(t, len(lines)) {
		apply(&c)
	}
	for i, line := range lines {
		calls, dead := b.pipeline.Decode(&decode.Record{Topic: "in", Timestamp: time.Now().UnixNano(), Offset: int64(i), Value: line}, nil)
		if len(calls) != 1 || len(dead) != 0 {
			t.Fatalf("%d calls %v of %s", len(calls), dead, line)
		}
		apply(&calls[0])
	}
	p.AdvanceLogClock(time.Now().Add(time.Hour).UnixNano())
	if err := p.EachAskedOnly(offset, func(_ *stitch.Run, c *schema.Call) {
		counted++
		t.Errorf("%s: the row of the check counts beside the line", c.UserAgent)
	}); err != nil {
		t.Fatal(err)
	}
	if counted != sent || len(runs) != 2*len(callers) || len(runsOf) != sent {
		t.Errorf("%d of %d requests count, in %d runs of %d callers, with %d request ids", counted, sent, len(runs), 2*len(callers), len(runsOf))
	}
	for id, in := range runsOf {
		if len(in) != 1 {
			t.Errorf("request %s is in %d runs", id, len(in))
		}
	}
}

// deleteAs sends a DELETE of a caller that is known by its user agent.
func deleteAs(t *testing.T, name, run, url string, headers []string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodDelete, url, nil)
	if err != nil {
		t.Fatal(err)
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
		t.Fatal(err)
	}
	defer r.Body.Close()
	if _, err := io.Copy(io.Discard, r.Body); err != nil || r.StatusCode != http.StatusOK {
		t.Fatalf("%s: %d %v", name, r.StatusCode, err)
	}
}
