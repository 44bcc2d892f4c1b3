package report

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"flyball/schema/clickhouse/query"
)

// The page of a run is what is handed on: who, the score, the findings, what is stopped, what it touched, how to undo it, its calls.
func TestPageOfARunLacksWhatItWasStoppedFor(t *testing.T) {
	score, at := 7.25, query.Time{Time: tableTime}
	run := query.Run{RunID: "0190aaaa-0000-5000-8000-000000000001", RunKey: "nightly<script>", AgentID: "billing/bot", Level: "trip",
		Score: &score}
	r := &query.RunReport{Run: run, Identity: map[string]any{"agent_id": "billing/bot (registry)"}, TotalCalls: 3,
		CallList: []map[string]any{{"start_time": at, "status": "403", "outcome": "denied", "method": "DELETE", "path": "/orders/9\u202e",
			"effect": "delete", "reversibility": "irreversible", "resources": []string{"order:9"}}},
		Findings: []map[string]any{{"finding_id": "f_1", "family": "runaway.destroy", "level": "trip", "state": "open", "summary": "deletes"}},
		Decisions: []map[string]any{{"decision_id": "d_1", "at": at, "action": "deny", "scope_kind": "run",
			"scope_value": run.RunID, "mode": "armed",
			"reason": "runaway"}},
		Breakers: []query.RunBreaker{{Scope: "run " + run.RunID, State: "open", Mode: "armed", At: at, Reason: "deletes"}},
		Caveats:  []string{"lag: 3 records are not stored yet"}}
	touched := &query.Touched{Subject: query.Subject{Kind: "run", Value: run.RunID}, Run: &run, Calls: 3, Complete: true,
		Resources: []query.TouchedResource{{Resource: "order:9", Route: "/orders/{id}", Method: "DELETE", Reversibility: "irreversible", Calls: 3,
			FirstAt: at, LastAt: at, Agents: []string{"billing/bot"}, Runs: []string{run.RunID}, RunCount: 1}},
		Undo: []query.Undo{{State: query.UndoOpen, Method: "DELETE", Path: "/orders/9", Command: "curl -X POST /orders/9/restore", LastAt: at}}}
	var b bytes.Buffer
	if err := RunHTML(&b, r, touched, time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Run <code>" + run.RunID, "7.25", "billing/bot (registry)", "runaway.destroy", "f_1", "decision d_1",
		"breaker run ",
		"order:9", "/orders/9/restore", "Its calls, in order", "2 calls more", "lag: 3 records", "nightly&lt;script&gt;",
		`/orders/9\u202e`, "size:landscape"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the page does not have %q", want)
		}
	}
	if strings.Contains(b.String(), "<script>") {
		t.Error("a run key is markup")
	}
}
