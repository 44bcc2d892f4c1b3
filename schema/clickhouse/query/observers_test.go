package query

import "testing"

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
