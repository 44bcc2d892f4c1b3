package report

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"flyball/schema"
	"flyball/schema/clickhouse/query"
	"flyball/schema/ocsf"
)

// valid validates events against the extract of the framework's schema.
func valid(t *testing.T, class string, events []ocsf.Event) {
	t.Helper()
	f, err := os.Open("../../../schema/ocsf/testdata/" + class + ".schema.json")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	doc, err := jsonschema.UnmarshalJSON(f)
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("s.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("s.json")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range events {
		text, err := e.JSON()
		if err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(schema.VisibleJSON(text))))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Validate(value); err != nil {
			t.Errorf("%s\n%#v", text, err)
		}
	}
}

func TestStoredFindingIsNoEvent(t *testing.T) {
	at := time.Date(2026, 11, 30, 2, 0, 0, 0, time.UTC)
	events, err := FindingEvents(ocsf.Producer{}, []query.Finding{{ID: "f_1", RunID: "0f1e0000-0000-0000-0000-000000000000",
		Family: schema.FamilyLoop, Level: "trip", State: "open",
		OpenedAt: at, UpdatedAt: at.Add(time.Second), Summary: "a\x1b[31mb\n"}, {Level: "of a newer version"}})
	if err != nil || len(events) != 2 || events[0]["severity_id"] != 4 {
		t.Fatalf("%v %v", events, err)
	}
	valid(t, "detection_finding", events)
}

func TestStoredCallIsNoEvent(t *testing.T) {
	at := query.Time{Time: time.Date(2026, 11, 30, 2, 0, 0, 0, time.UTC)}
	events, err := RunEvents(ocsf.Producer{}, &query.RunReport{Run: query.Run{RunID: "r", Tenant: "acme"}, CallList: []map[string]any{
		{"record_id": "t/0/1/0", "start_time": at, "method": "DELETE", "path": "/orders/7|x=1\n", "status": uint16(204), "outcome": "ok",
			"effect": "delete", "reversibility": "irreversible", "client_ip": "::ffff:192.0.2.1", "resources": []string{"order:7"},
			"agent_id": "a", "duration_ns": int64(5e6), "bytes_out": uint64(1 << 40), "trace_id": strings.Repeat("a", 32), "span_id": "b"},
		{}}})
	if err != nil || len(events) != 2 || events[0]["duration"] != int64(5) || events[0]["metadata"].(map[string]any)["tenant_uid"] != "acme" {
		t.Fatalf("%v %v", events, err)
	}
	valid(t, "api_activity", events)
}

func TestTouchedResourceIsNoEvent(t *testing.T) {
	at := query.Time{Time: time.Date(2026, 11, 30, 2, 0, 0, 0, time.UTC)}
	report := &query.Touched{Subject: query.Subject{Kind: "credential", Value: "k_1"}, Resources: []query.TouchedResource{
		{Resource: "order:7", Method: "DELETE", Route: "/orders/{id}", Effect: "delete", Calls: 9, OK: 5, Denied: 2, Failed: 1,
			FirstAt: at, LastAt: at,
			Agents: []string{"a"}, Runs: []string{"r"}}}}
	events, err := TouchedEvents(ocsf.Producer{}, report)
	if err != nil || len(events) != 4 {
		t.Fatalf("%d events, %v: want ok, denied, failed and unknown", len(events), err)
	}
	valid(t, "api_activity", events)
	again, _ := TouchedEvents(ocsf.Producer{}, report)
	ids := map[string]bool{}
	for i, e := range events {
		ids[e.ID()] = true
		if e.ID() != again[i].ID() {
			t.Error("the same calls have another id in the next report")
		}
	}
	if len(ids) != 4 {
		t.Errorf("%d ids of 4 events", len(ids))
	}
}
