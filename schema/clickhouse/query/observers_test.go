package query

import (
	"fmt"
	"testing"
	"time"
)

// For a call with three observers, each field comes from the most reliable one.
func TestFoldTakesTheBestObserversWord(t *testing.T) {
	rows := []map[string]any{
		{"record_id": "gw/0/1/0", "observer_kind": "gateway", "format": "envoy_json/1", "status": uint16(502), "duration_ns": int64(50),
			"agent_id": "key-7"},
		{"record_id": "sp/0/9/2", "observer_kind": "server", "observer": "orders", "format": "otlp_spans/1", "status": uint16(500),
			"duration_ns": int64(40), "attrs": map[string]string{"observation_of": "gw/0/1/0"}},
		{"record_id": "sp/0/9/1", "observer_kind": "agent_runtime", "observer": "planner", "format": "otlp_spans/1", "tool_name": "refund",
			"agent_id": "planner", "attrs": map[string]string{"observation_of": "gw/0/1/0"}},
		{"record_id": "gw/0/2/0", "observer_kind": "gateway", "status": uint16(200)},
		{"record_id": "gw/0/3/0", "observer_kind": "server", "attrs": map[string]string{"observation_of": "gw/0/0/0"}},
	}
	out := mergeObservations(rows)
	if len(out) != 3 {
		t.Fatalf("%d calls: %v", len(out), out)
	}
	c := out[0]
	if c["status"] != uint16(500) || c["duration_ns"] != int64(40) || c["agent_id"] != "planner" ||
		c["tool_name"] != "refund" || len(c["observers"].([]string)) != 3 {
		t.Errorf("%v", c)
	}
	if out[1]["record_id"] != "gw/0/2/0" || out[2]["record_id"] != "gw/0/3/0" {
		t.Errorf("%v", out[1:])
	}
}

// Each row of the check is shown with the line of its call, and names its observer; one without a
// line stays a call of its own.
func TestRowOfTheCheckIsShownAsAnotherCall(t *testing.T) {
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	row := func(id, kind, path, request string, after time.Duration, resources ...string) map[string]any {
		return map[string]any{"record_id": id, "observer_kind": kind, "format": kind + "/1", "method": "POST", "path": path,
			"request_id": request, "start_time": Time{at.Add(after)}, "resources": resources, "counted": kind != "gate"}
	}
	only := row("c/0/4/0", "gate", "/d", "q4", 0)
	only["counted"] = true
	out := mergeObservations([]map[string]any{
		row("c/0/1/0", "gate", "/a", "q1", 0, "order:7"), row("c/0/2/0", "gate", "/a", "q2", 0), row("c/0/3/0", "gate", "/a", "", 0),
		row("gw/0/2/0", "gateway", "/a", "q2", time.Second), row("gw/0/1/0", "gateway", "/a", "q1", time.Second),
		row("gw/0/3/0", "gateway", "/a", "", time.Second),
		row("c/0/5/0", "gate", "/a", "q5", 0), // nobody logged it
		only,
		row("c/0/6/0", "gate", "/e", "q6", 0), row("gw/0/6/0", "gateway", "/e", "other", 0), // in doubt two calls
	})
	var got []string
	for _, c := range out {
		observers, _ := c["observers"].([]string)
		resources, _ := c["resources"].([]string)
		if _, has := c["counted"]; has {
			t.Errorf("%v has the column counted", c["record_id"])
		}
		got = append(got, fmt.Sprintf("%v %d %v", c["record_id"], len(observers), resources))
	}
	want := []string{"gw/0/2/0 2 []", "gw/0/1/0 2 [order:7]", "gw/0/3/0 2 []", "c/0/5/0 0 []", "c/0/4/0 0 []", "c/0/6/0 0 []",
		"gw/0/6/0 0 []"}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// A line to another host, of another tool or with other arguments is not shown as that of a row of the check.
func TestRowOfTheCheckIsShownWithTheLineOfItsHostToolAndArguments(t *testing.T) {
	row := func(id, kind, column string, value any) map[string]any {
		return map[string]any{"record_id": id, "observer_kind": kind, "method": "POST", "path": "/a", "args_digest_basis": "body", column: value,
			"counted": kind != "gate"}
	}
	for name, c := range map[string]struct {
		column      string
		asked, line any
		calls       int
	}{
		"another host":      {"host", "a.example", "b.example", 2},
		"host with a port":  {"host", "a.example", "a.example:8443", 1},
		"host of one":       {"host", "a.example", "", 1},
		"another tool":      {"tool_name", "refund", "lookup", 2},
		"another arguments": {"args_digest", uint64(1), uint64(2), 2},
		"the same":          {"args_digest", uint64(1), uint64(1), 1},
	} {
		rows := []map[string]any{row("c/0/1/0", "gate", c.column, c.asked), row("gw/0/1/0", "gateway", c.column, c.line)}
		if out := mergeObservations(rows); len(out) != c.calls {
			t.Errorf("%s: %d calls, want %d", name, len(out), c.calls)
		}
	}
}
