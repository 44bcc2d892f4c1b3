package e2e

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

// In a mesh a request is logged by the gateway and by the sidecar behind it.
// It is one call of its run and one touch of its resource; both rows are kept.
func TestObserversOfOneCallAreCountedOnce(t *testing.T) {
	f := install(t, "", "").start()
	var lines []string
	const n = 40
	at := time.Now().Add(-time.Minute)
	for i := range n {
		start := at.Add(time.Duration(i) * 100 * time.Millisecond).UTC().Format(time.RFC3339Nano)
		for _, cluster := range []string{"outbound|443||orders.prod.svc", "inbound|8080||"} {
			lines = append(lines,
				fmt.Sprintf(`{"start_time":%q,"duration":5,"method":"DELETE","path":"/v1/orders/%d","response_code":204,"x_consumer":"mesh-bot","x_agent_run_id":"mesh","request_id":"q-%d","upstream_cluster":%q}`, start, i, i, cluster))
		}
	}
	f.send(lines...)
	f.until("both rows of each call", 30*time.Second, fmt.Sprint(2*n),
		func() (string, error) { return f.sql("SELECT count() FROM flyball.calls") })
	f.until("the run", 30*time.Second, fmt.Sprint(n), func() (string, error) {
		return f.sql("SELECT calls FROM flyball.runs WHERE run_key = 'mesh'")
	})
	if got, err := f.sql("SELECT countIf(attrs['observation_of'] != ''), countIf(attrs['observation_of'] IN (SELECT record_id FROM " +
		"flyball.calls)) FROM flyball.calls"); err != nil || got != fmt.Sprintf("%d\t%d", n, n) {
		t.Error(got, err)
	}
	var run struct {
		Calls []struct{ Observers []string }
	}
	f.json(&run, "run", "mesh")
	both := 0
	for _, c := range run.Calls {
		if len(c.Observers) == 2 {
			both++
		}
	}
	if len(run.Calls) != n || both != n {
		t.Errorf("%d calls, %d by two observers", len(run.Calls), both)
	}
	var report struct {
		Calls     int
		Resources []struct{ Calls int }
	}
	f.json(&report, "touched", "mesh")
	if report.Calls != n || len(report.Resources) != n {
		t.Errorf("%d calls of %d resources, want %d of %d", report.Calls, len(report.Resources), n, n)
	}
}

// Spans of a service that do not name a caller belong to the agent of their trace: they form a
// sub-run of its run, under its name, in any order of arrival.
func TestServerSpansWithoutACallerAreTheAgents(t *testing.T) {
	f := install(t, "", "").start()
	f.send(spansOfTwoTraces()...)
	f.until("two runs of the agent, each with a sub-run of two calls", 30*time.Second, "plan-1\t2\nplan-2\t2", func() (string, error) {
		return f.sql(ownedSpans)
	})
	if got, err := f.sql("SELECT count() FROM flyball.runs"); err != nil || got != "4" {
		t.Errorf("%s runs, want 4: %v", got, err)
	}
	var run struct {
		Tree []struct {
			Depth int
			What  string
		}
	}
	f.json(&run, "run", "plan-2")
	if len(run.Tree) != 3 || run.Tree[0].What != "agent planner" || run.Tree[1].Depth != 0 || run.Tree[2].Depth != 0 {
		t.Errorf("tree of plan-2, whose spans name another parent: %+v", run.Tree)
	}
	f.json(&run, "run", "plan-1")
	if len(run.Tree) != 3 || run.Tree[0].What != "agent planner" || run.Tree[1].Depth != 1 || run.Tree[2].Depth != 1 {
		t.Errorf("tree: %+v", run.Tree)
	}
	if testing.Verbose() {
		fmt.Println(f.run([]int{0}, "run", "plan-1"))
	}
	var report struct {
		Resources []struct{ Resource, Effect string }
	}
	if err := json.Unmarshal([]byte(f.run([]int{0, 3}, "touched", "plan-2", "-o", "json")), &report); err != nil {
		t.Fatal(err)
	}
	if len(report.Resources) < 2 {
		t.Errorf("touched by the agent's run: %+v", report.Resources)
	}
}

// spansOfTwoTraces returns spans of an agent and of the service behind it, which do not name a
// caller. In the second trace one of the latter comes before those of the agent.
func spansOfTwoTraces() []string {
	now := time.Now().Add(-time.Minute)
	span := func(service, trace, id, parent string, kind int, at time.Duration, attributes string) string {
		return fmt.Sprintf(`{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":%q}}]},"scopeSpans":[{"spans":[{"traceId":%q,"spanId":%q,"parentSpanId":%q,"name":"x","kind":%d,"startTimeUnixNano":"%d","endTimeUnixNano":"%d","attributes":[%s]}]}]}]}`,
			service, trace, id, parent, kind, now.Add(at).UnixNano(), now.Add(at+time.Millisecond).UnixNano(), attributes)
	}
	text := func(k, v string) string { return fmt.Sprintf(`{"key":%q,"value":{"stringValue":%q}}`, k, v) }
	const early, late = "11111111111111111111111111111111", "22222222222222222222222222222222"
	var lines []string
	agent := func(trace, id string) {
		lines = append(lines, span("planner-svc", trace, id, "", 1, 0,
			text("gen_ai.operation.name", "invoke_agent")+","+text("gen_ai.agent.name", "planner")+","+text("agent.run.id", "plan-"+trace[:1])))
	}
	server := func(trace, id string) {
		lines = append(lines, span("orders-svc", trace, id, "00000000000000a1", 2, time.Second,
			text("http.request.method", "DELETE")+","+text("url.path",
				"/orders/"+id[15:])+`,{"key":"http.response.status_code","value":{"intValue":"204"}}`))
	}
	agent(early, "00000000000000a1")
	server(early, "00000000000000b1")
	server(early, "00000000000000b2")
	server(late, "00000000000000c1") // before the owner of the trace is known
	agent(late, "00000000000000a2")
	server(late, "00000000000000c2")
	return lines
}

const ownedSpans = "SELECT owner.run_key, sub.calls FROM flyball.runs AS sub INNER JOIN flyball.runs AS owner ON sub.parent_run_id = " +
	"owner.run_id WHERE sub.agent_id = 'planner-svc/planner' AND sub.calls = 2 ORDER BY 1"

// The process is killed after the owners of traces and the calls are durable, and before the
// input is committed: both are written again, and no call counts twice.
func TestKilledBetweenOwnerAndCommit(t *testing.T) {
	f := install(t, "", "").start("FLYBALL_TEST_FAILPOINT=ingest.durable|committed:1")
	left := f.trySend(spansOfTwoTraces()...)
	if !f.waitKilled(30 * time.Second) {
		t.Fatal("the fail point was not reached")
	}
	f.start()
	f.send(left...)
	f.until("two runs, each with a sub-run of two calls", 30*time.Second, "plan-1\t2\nplan-2\t2",
		func() (string, error) { return f.sql(ownedSpans) })
	if got, err := f.sql("SELECT (SELECT count() FROM flyball.runs), (SELECT count() FROM flyball.calls)"); err != nil || got != "4\t6" {
		t.Errorf("runs and calls %q, %v", got, err)
	}
}
