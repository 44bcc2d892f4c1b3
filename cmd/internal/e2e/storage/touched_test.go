package storage

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// Random calls through two gateways and without the check, with request ids and spans that the
// caller reuses, are stitched, stored and queried. Each resource must be in the report, and
// the rows of the report must be those of query.KeptResources.
func TestReusedRequestIdsHideNoResourceFromTheReport(t *testing.T) {
	c := migrated(t)
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	p := stitch.NewPartition(0, stitch.DefaultLimits())
	runs := clickhouse.RunsTable.NewBlock()
	offset := int64(0)
	for seed := range uint64(12) {
		r := rand.New(rand.NewPCG(seed, 7))
		want := map[string]bool{}
		var calls []schema.Call
		var rows []query.ReportRow
		key := fmt.Sprint("run-", seed)
		for i := range 60 {
			n := r.IntN(8)
			call := schema.Call{Source: schema.Source{Topic: []string{"edge", "inner"}[r.IntN(2)]}, Pos: schema.Position{Offset: offset},
				Tenant: "default", RoutingKey: "c:k", CredentialID: "k", RunKey: key,
				Start: at.Add(time.Duration(offset) * 10 * time.Millisecond).UnixNano(), DurationNs: -1, ObserverKind: schema.ObserverGateway,
				Method: "DELETE", Status: 204, Outcome: schema.OutcomeOK,
				Path: fmt.Sprint("/v1/accounts/", n), RequestID: fmt.Sprint("q", r.IntN(3)), Effect: schema.EffectDelete,
				Reversibility: schema.Irreversible,
				Resources:     []schema.Resource{{Type: "account", ID: fmt.Sprint(n)}}}
			switch r.IntN(4) {
			case 0: // the same path names another resource in the body
				call.Path, call.Resources[0].ID = "/v1/batch", fmt.Sprint("b", i)
			case 1:
				call.ObserverKind, call.Source.Topic = schema.ObserverGate, "flyball.check/p"
			}
			offset++
			p.Apply(&call, offset)
			want[call.Resources[0].String()] = true
			calls = append(calls, call)
			rows = append(rows, query.ReportRow{Run: key, Method: call.Method, Path: call.Path, Resources: []string{call.Resources[0].String()},
				Asked: call.ObserverKind == schema.ObserverGate, Counted: call.Counted()})
		}
		insertCalls(t, c, calls...)
		for _, run := range p.TakeChanged(nil) {
			s := run.Snapshot()
			runs.Append(&s)
		}
		insert(t, c, runs)
		runs.Reset()
		run, err := query.ResolveRun(t.Context(), c, key)
		if err != nil {
			t.Fatal(err)
		}
		report, err := query.TouchedBy(t.Context(), c, query.Subject{Kind: "run", Value: run.RunID}, &run, query.Window{})
		if err != nil {
			t.Fatal(err)
		}
		got := map[string]uint64{}
		for _, v := range report.Resources {
			got[v.Resource] += v.Calls
		}
		expected := map[string]uint64{}
		total := uint64(0)
		resources, counts := query.KeptResources(rows)
		for i, kept := range resources {
			for _, v := range kept {
				expected[v]++
			}
			if counts[i] {
				total++
			}
		}
		for v := range want {
			if got[v] == 0 {
				t.Errorf("seed %d: %s is not in the report", seed, v)
			}
		}
		for v, n := range expected {
			if got[v] != n {
				t.Errorf("seed %d: %s has %d calls in the report, want %d", seed, v, got[v], n)
			}
		}
		if report.Calls != total || len(got) != len(expected) {
			t.Errorf("seed %d: %d calls of %d resources, want %d of %d", seed, report.Calls, len(got), total, len(expected))
		}
	}
}

// Deletes of another established consumer with a run's trace id do not belong to that run.
// Calls of a service in the trace, and calls of a caller without a different identity, do.
func TestPlantedTraceIdIsNotTouchedByTheVictim(t *testing.T) {
	c := migrated(t)
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	runs := clickhouse.RunsTable.NewBlock()
	var calls []schema.Call
	n := 0
	call := func(run byte, agent string, trust schema.Trust, method, path, resource string) {
		n++
		v := schema.Call{Source: schema.Source{Topic: "gw"}, Pos: schema.Position{Offset: int64(n)}, Tenant: "default",
			RunID: schema.RunID{run, 1}, Start: at.Add(time.Duration(n) * time.Second).UnixNano(),
			DurationNs: -1, ObserverKind: schema.ObserverGateway, Method: method, Path: path, Status: 200, Outcome: schema.OutcomeOK,
			TraceID: [16]byte{7}, RunRule: schema.RunExplicit, RunConfidence: 95,
			AgentID: agent, AgentTrust: trust, Effect: schema.EffectDelete, Reversibility: schema.Irreversible,
			Resources: []schema.Resource{{Type: "account", ID: resource}}}
		calls = append(calls, v)
	}
	call('v', "team/victim", schema.TrustInfrastructure, "DELETE", "/v1/accounts/own", "own")
	for i := range 5 {
		call('b', "team/b", schema.TrustInfrastructure, "DELETE", fmt.Sprint("/v1/accounts/planted", i), fmt.Sprint("planted", i))
	}
	call('s', "", schema.TrustNone, "DELETE", "/ledger/1", "ledger")
	insertCalls(t, c, calls...)
	for _, r := range []schema.RunSnapshot{{RunID: schema.RunID{'v', 1}, RunKey: "victim", AgentID: "team/victim",
		AgentTrust: schema.TrustInfrastructure, Calls: 1},
		{RunID: schema.RunID{'b', 1}, AgentID: "team/b", AgentTrust: schema.TrustInfrastructure, Calls: 5},
		{RunID: schema.RunID{'s', 1}, Calls: 1}} {
		r.Tenant, r.StartedAt, r.LastAt, r.Version, r.Rule = "default", at.UnixNano(), at.Add(time.Minute).UnixNano(), 2, schema.RunExplicit
		runs.Append(&r)
	}
	insert(t, c, runs)
	run, err := query.ResolveRun(t.Context(), c, "victim")
	if err != nil {
		t.Fatal(err)
	}
	report, err := query.TouchedBy(t.Context(), c, query.Subject{Kind: "run", Value: run.RunID}, &run, query.Window{})
	if err != nil {
		t.Fatal(err)
	}
	var touched []string
	for _, v := range report.Resources {
		touched = append(touched, v.Resource)
	}
	slices.Sort(touched)
	if !slices.Equal(touched, []string{"account:ledger", "account:own"}) || report.Calls != 2 {
		t.Errorf("touched %q in %d calls", touched, report.Calls)
	}
	if len(report.OtherCallers) != 1 || report.OtherCallers[0].AgentID != "team/b" || report.OtherCallers[0].Calls != 5 ||
		report.OtherCallers[0].Standing != "established" || report.Complete {
		t.Errorf("other callers %+v, complete %v", report.OtherCallers, report.Complete)
	}
	full, err := query.RunInFull(t.Context(), c, run, 100)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(full.LinkedRuns, query.LinkedRun{RunID: (schema.RunID{'b', 1}).String(), How: "trace_of_another_caller"}) ||
		!slices.Contains(full.LinkedRuns, query.LinkedRun{RunID: (schema.RunID{'s', 1}).String(), How: "trace"}) {
		t.Errorf("linked runs %+v", full.LinkedRuns)
	}
}
