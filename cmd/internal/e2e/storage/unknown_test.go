package storage

import (
	"encoding/json"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/cmd/internal/report"
	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

var reportTime = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

var clientAddress = netip.MustParseAddr("192.0.2.7")

// airline is a stored run of one agent, with one call for each of some resources.
func airline(t *testing.T, c *clickhouse.Conn, n byte, agent string, resources ...schema.Resource) query.Run {
	t.Helper()
	id := schema.RunID{n, 1}
	var calls []schema.Call
	runs, touches := clickhouse.RunsTable.NewBlock(), clickhouse.TouchesTable.NewBlock()
	for i, v := range resources {
		call := schema.Call{Source: schema.Source{Topic: "gw"}, Pos: schema.Position{Offset: int64(n)*100 + int64(i)}, Tenant: "default",
			RunID: id, RunKey: fmt.Sprint("trip-", n), Start: reportTime.Add(time.Duration(i) * time.Second).UnixNano(), DurationNs: -1,
			ObserverKind: schema.ObserverGateway, Observer: "edge", Method: "DELETE", Path: "/x/" + v.ID, Status: 204,
			Outcome: schema.OutcomeOK, RunRule: schema.RunExplicit, RunConfidence: 95, AgentID: agent, AgentTrust: schema.TrustInfrastructure,
			CredentialID: "k_" + agent, PrincipalID: "kim@example.com", RequestID: fmt.Sprint("req-", n), ClientIP: clientAddress,
			Effect: schema.EffectDelete, Reversibility: schema.Irreversible, Resources: []schema.Resource{v}}
		calls = append(calls, call)
		touches.AppendValue(schema.Touch{Tenant: "default", Actor: schema.HashActor(""), Resource: v, RunID: id,
			Effect: call.Effect, Reversibility: call.Reversibility,
			First: call.Start, Last: call.Start})
	}
	insertCalls(t, c, calls...)
	runs.AppendValue(schema.RunSnapshot{RunID: id, Version: 2, RunKey: fmt.Sprint("trip-", n), Tenant: "default", AgentID: agent,
		AgentTrust: schema.TrustInfrastructure, CredentialID: "k_" + agent, PrincipalID: "kim@example.com", Rule: schema.RunExplicit,
		StartedAt: reportTime.UnixNano(), LastAt: reportTime.Add(time.Minute).UnixNano(), Calls: uint64(len(calls))})
	insert(t, c, runs, touches)
	run, err := query.ResolveRun(t.Context(), c, id.String())
	if err != nil {
		t.Fatal(err)
	}
	return run
}

func reportOn(t *testing.T, c *clickhouse.Conn, kind, value string, win query.Window) *query.Touched {
	t.Helper()
	report, err := query.TouchedBy(t.Context(), c, query.Subject{Kind: kind, Value: value}, nil, win)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// hasCaveat reports whether a report has a caveat with a key.
func hasCaveat(report *query.Touched, key string) bool {
	return slices.ContainsFunc(report.Caveats, func(c string) bool { return strings.HasPrefix(c, key+":") })
}

// A subject that is not stored is unknown, and the report names what may have been meant.
func TestTypoInANameIsCalledComplete(t *testing.T) {
	c := migrated(t)
	airline(t, c, 1, "airline/booking", schema.Resource{Type: "user", ID: "yara_garcia_1905"})
	airline(t, c, 2, "airline/refunds", schema.Resource{Type: "order", ID: "123"})
	for _, v := range []struct {
		kind, value string
		near        query.Near
	}{
		{"agent", "airline/bookin", query.Near{Kind: "agent", Value: "airline/booking", How: "part"}},
		{"agent", "airline/boking", query.Near{Kind: "agent", Value: "airline/booking", How: "spelling"}},
		{"agent", "Airline/Booking", query.Near{Kind: "agent", Value: "airline/booking", How: "case"}},
		{"agent", "airline/*", query.Near{Kind: "agent", Value: "airline/booking", How: "pattern"}},
		{"agent", "airline/*", query.Near{Kind: "agent", Value: "airline/refunds", How: "pattern"}},
		{"agent", "kim@example.com", query.Near{Kind: "principal", Value: "kim@example.com", How: "other_kind"}},
		{"principal", "kim@…", query.Near{}},
		{"principal", "kim@example.co", query.Near{Kind: "principal", Value: "kim@example.com", How: "part"}},
		{"principal", "airline/refunds", query.Near{Kind: "agent", Value: "airline/refunds", How: "other_kind"}},
		{"credential", "trip-1", query.Near{Kind: "run", Value: "trip-1", How: "other_kind"}},
		{"credential", "k_airline/refund", query.Near{Kind: "credential", Value: "k_airline/refunds", How: "part"}},
		{"resource", "yara_garcia_1905", query.Near{Kind: "resource", Value: "user:yara_garcia_1905", How: "other_type"}},
		{"resource", "customer:yara_garcia_1905", query.Near{Kind: "resource", Value: "user:yara_garcia_1905", How: "other_type"}},
		{"resource", "user:Yara_Garcia_1905", query.Near{Kind: "resource", Value: "user:yara_garcia_1905", How: "case"}},
		{"resource", "user:yara_garcia_1906", query.Near{Kind: "resource", Value: "user:yara_garcia_1905", How: "spelling"}},
		{"resource", "user:*", query.Near{Kind: "resource", Value: "user:yara_garcia_1905", How: "pattern"}},
		{"resource", "airline/refunds", query.Near{Kind: "agent", Value: "airline/refunds", How: "other_kind"}},
		{"agent", "100%_nobody*'\\", query.Near{}},
	} {
		report := reportOn(t, c, v.kind, v.value, query.Window{})
		if report.Complete || !hasCaveat(report, "subject_unknown") || report.Calls != 0 {
			t.Errorf("%s %q: complete %v, caveats %q", v.kind, v.value, report.Complete, report.Caveats)
		}
		if v.near != (query.Near{}) && !slices.ContainsFunc(report.Near, func(n query.Near) bool {
			return n.Kind == v.near.Kind && n.Value == v.near.Value && n.How == v.near.How
		}) {
			t.Errorf("%s %q: near are %+v, want %+v", v.kind, v.value, report.Near, v.near)
		}
		if !report.Since.IsZero() || !report.Until.IsZero() || !report.StoredSince.Equal(reportTime) {
			t.Errorf("%s %q: window %s to %s, stored since %s", v.kind, v.value, report.Since, report.Until, report.StoredSince)
		}
	}
}

// A subject that is stored and has no calls in the window is not unknown.
func TestSubjectWithoutCallsInTheWindowIsUnknown(t *testing.T) {
	c := migrated(t)
	airline(t, c, 1, "airline/booking", schema.Resource{Type: "user", ID: "yara"})
	later := query.Window{Since: reportTime.Add(time.Hour), Until: reportTime.Add(2 * time.Hour)}
	for kind, value := range map[string]string{"agent": "airline/booking", "credential": "k_airline/booking",
		"principal": "kim@example.com", "resource": "user:yara"} {
		report := reportOn(t, c, kind, value, later)
		if report.Complete || !hasCaveat(report, "nothing_found") || hasCaveat(report, "subject_unknown") || len(report.Near) > 0 {
			t.Errorf("%s: complete %v, caveats %q, near %+v", kind, report.Complete, report.Caveats, report.Near)
		}
		if !report.Since.Equal(later.Since) || !report.Until.Equal(later.Until) {
			t.Errorf("%s: window %s to %s", kind, report.Since, report.Until)
		}
		if report := reportOn(t, c, kind, value, query.Window{}); !report.Complete || report.Calls != 1 {
			t.Errorf("%s in all time: %d calls, caveats %q", kind, report.Calls, report.Caveats)
		}
	}
}

// Dead letters and lost records are caveats of every subject, also of one without calls.
func TestDeadLettersAreLookedAtOnlyWithCalls(t *testing.T) {
	c := migrated(t)
	run := airline(t, c, 1, "airline/booking", schema.Resource{Type: "user", ID: "yara"})
	letters := clickhouse.DeadLettersTable.NewBlock()
	// The letter was written a day after the record, because ingest was behind.
	letters.AppendValue(clickhouse.DeadLetter{At: reportTime.Add(24 * time.Hour).UnixNano(), Reason: "not_json", SourceTopic: "gw",
		SourceAt: reportTime.UnixNano()})
	if err := c.Insert(t.Context(), letters); err != nil {
		t.Fatal(err)
	}
	around := query.Window{Since: reportTime.Add(-time.Hour), Until: reportTime.Add(time.Hour)}
	for _, v := range []struct {
		kind, value string
		win         query.Window
		want        bool
	}{
		{"agent", "nobody", query.Window{}, true}, {"agent", "nobody", around, true}, {"resource", "user:nobody", around, true},
		{"credential", "nobody", query.Window{Until: around.Until}, true}, {"principal", "nobody", query.Window{Since: around.Since}, true},
		{"agent", "nobody", query.Window{Since: reportTime.Add(48 * time.Hour)}, false}, {"agent", "airline/booking", around, true},
	} {
		if got := hasCaveat(reportOn(t, c, v.kind, v.value, v.win), "dead_letters"); got != v.want {
			t.Errorf("%s %s %v: caveat %v", v.kind, v.value, v.win, got)
		}
	}
	report, err := query.TouchedBy(t.Context(), c, query.Subject{Kind: "run", Value: run.RunID}, &run, query.Window{})
	if err != nil || !hasCaveat(report, "dead_letters") {
		t.Errorf("run: %v, %q", err, report.Caveats)
	}
}

// A report names each partition that lost records whose calls may not be stored.
func TestLostRecordsAreNoCaveat(t *testing.T) {
	c := migrated(t)
	run := airline(t, c, 1, "airline/booking", schema.Resource{Type: "user", ID: "yara"})
	rows := clickhouse.LogLossesTable.NewBlock()
	for i, l := range []schema.LogLoss{
		{Topic: "gateway-logs", Kind: schema.LossExpired, Records: 7, Read: 2, Component: "ingest"},
		{Topic: "read-all", Kind: schema.LossExpired, Records: 7, Read: 7, Component: "ingest"},
		{Topic: "flyball.calls", Partition: 3, Kind: schema.LossCut, Records: 7, Read: 7, Component: "detect"},
		{Topic: "flyball.commands", Kind: schema.LossCut, Component: "control"},
		{Topic: "of-another", Tenant: "other", Kind: schema.LossCut, Component: "ingest"},
	} {
		l.From, l.NoticedAt = int64(i), reportTime.Add(time.Hour).UnixNano()
		rows.Append(&l)
	}
	if err := c.Insert(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	report, err := query.TouchedBy(t.Context(), c, query.Subject{Kind: "run", Value: run.RunID}, &run, query.Window{})
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(report.Caveats, "\n")
	if report.Complete || len(report.Caveats) != 2 || !strings.Contains(text, "7 records of gateway-logs/0 were lost, 2 of them read") ||
		!strings.Contains(text, "at least 7 records of flyball.calls/3 were lost") {
		t.Errorf("complete %v, caveats %s", report.Complete, text)
	}
	for _, v := range []struct {
		since time.Duration
		want  bool
	}{{0, true}, {2 * time.Hour, false}} {
		r := reportOn(t, c, "agent", "nobody", query.Window{Since: reportTime.Add(v.since)})
		if hasCaveat(r, "log_lost") != v.want {
			t.Errorf("since %s: %q", v.since, r.Caveats)
		}
	}
}

// Who deleted order 123: each row names the agent and the run, and find names the same.
func TestWhoDeletedAResourceTakesSeveralCommands(t *testing.T) {
	c := migrated(t)
	order := schema.Resource{Type: "order", ID: "123"}
	first := airline(t, c, 1, "airline/booking", order, schema.Resource{Type: "order", ID: "7"})
	second := airline(t, c, 2, "airline/refunds", order, order)
	report := reportOn(t, c, "resource", "order:123", query.Window{})
	if len(report.Resources) != 2 || !report.Complete {
		t.Fatalf("%+v, %q", report.Resources, report.Caveats)
	}
	for i := range report.Resources {
		r := &report.Resources[i]
		want, calls := first, uint64(1)
		if r.Runs[0] == second.RunID {
			want, calls = second, 2
		}
		if !slices.Equal(r.Runs, []string{want.RunID}) || r.RunCount != 1 || !slices.Equal(r.Agents, []string{want.AgentID}) || r.Calls != calls {
			t.Errorf("row %+v, want run %s of %s", r, want.RunID, want.AgentID)
		}
	}
	if len(report.Runs) != 2 || report.Runs[0].AgentID == "" || report.Runs[0].RunKey == "" {
		t.Errorf("runs %+v", report.Runs)
	}
	hits := map[string]uint64{"order:123": 2, "req-2": 2, clientAddress.String(): 2, "airline/refunds": 2, "k_airline/refunds": 2}
	for term, calls := range hits {
		found, err := query.Find(t.Context(), c, term, 10)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %v, %v", term, found, err)
		}
		for _, h := range found {
			if h.AgentID == "" || h.RunKey == "" || h.Calls == 0 || h.FirstAt.IsZero() || h.RunID == second.RunID && h.Calls != calls {
				t.Errorf("%s: %+v, want all fields and %d calls", term, h, calls)
			}
		}
	}
}

// A change of a resource that the log does not name may have been of this one.
func TestUnnamedDeletesAreNotMentioned(t *testing.T) {
	c := migrated(t)
	airline(t, c, 1, "airline/booking", schema.Resource{Type: "order", ID: "123"})
	airline(t, c, 2, "airline/refunds", schema.Resource{Type: "order", ID: "*"})
	report := reportOn(t, c, "resource", "order:123", query.Window{})
	if !hasCaveat(report, "resource_not_logged") || report.Complete {
		t.Errorf("caveats %q", report.Caveats)
	}
	report = reportOn(t, c, "resource", "order:123", query.Window{Since: reportTime.Add(time.Hour)})
	if hasCaveat(report, "resource_not_logged") {
		t.Errorf("caveats of a later window %q", report.Caveats)
	}
}

// A row that names no agent, in a run of the agent, and a row of the agent in a run that ended up
// with another name, are in the report on the agent.
func TestCallsUnderAnotherNameOfTheRunAreMissing(t *testing.T) {
	c := migrated(t)
	airline(t, c, 1, "airline/booking", schema.Resource{Type: "user", ID: "yara"})
	call := func(offset int64, agent, id string) schema.Call {
		return schema.Call{Source: schema.Source{Topic: "inner"}, Pos: schema.Position{Offset: offset}, Tenant: "default",
			RunID: schema.RunID{1, 1}, Start: reportTime.UnixNano() + offset, DurationNs: -1, ObserverKind: schema.ObserverServer,
			Method: "DELETE", Path: "/x/" + id, Status: 204, Outcome: schema.OutcomeOK, AgentID: agent, Effect: schema.EffectDelete,
			RunRule: schema.RunExplicit, RunConfidence: 95, Resources: []schema.Resource{{Type: "user", ID: id}}}
	}
	insertCalls(t, c, call(1, "", "unnamed"), call(2, "airline/impostor", "other"))
	for agent, want := range map[string][]string{"airline/booking": {"user:unnamed", "user:yara"}, "airline/impostor": {"user:other"}} {
		var got []string
		for _, r := range reportOn(t, c, "agent", agent, query.Window{}).Resources {
			got = append(got, r.Resource)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) {
			t.Errorf("%s touched %q, want %q", agent, got, want)
		}
	}
}

// A score without humans has NaN in the database. The report on the run is JSON all the same, and
// has the score, the finding, the decision and the breakers.
func TestReportOnAScoredRunIsNoJSON(t *testing.T) {
	c := migrated(t)
	run := airline(t, c, 1, "airline/booking", schema.Resource{Type: "user", ID: "yara"})
	id := schema.RunID{1, 1}
	unknown := schema.OptionalFloat(math.NaN())
	scores, findings := clickhouse.ScoresTable.NewBlock(), clickhouse.FindingsTable.NewBlock()
	decisions, breakers := clickhouse.DecisionsTable.NewBlock(), clickhouse.BreakersTable.NewBlock()
	scores.AppendValue(schema.Score{Tenant: "default", RunID: id, At: reportTime.UnixNano(), Value: 7.25, Level: schema.LevelTrip,
		Top: []schema.Contribution{{Feature: "repeats", Observed: 40, Usual: 1.5, Peers: unknown, Humans: unknown}}})
	findings.AppendValue(schema.Finding{Tenant: "default", ID: "f_1", Version: 1, RunID: id, Family: "runaway.loop", Level: schema.LevelTrip,
		Score: math.NaN(), ExpectedRate: math.Inf(1), Summary: "The same call, 40 times"})
	decisions.AppendValue(schema.Decision{Tenant: "default", ID: "d_1", RunID: id, At: reportTime.UnixNano(), FindingID: "f_1",
		Scope: schema.Scope{Kind: schema.ScopeRun, Value: run.RunID}, Mode: schema.ModeArmed, Reason: "loop"})
	for i, b := range []schema.Breaker{{State: schema.BreakerOpen, RunID: id, Scope: schema.Scope{Kind: schema.ScopeRun, Value: run.RunID}},
		{State: schema.BreakerOpen, Scope: schema.Scope{Kind: schema.ScopeAgent, Value: "airline/booking"}, By: "ana"},
		{State: schema.BreakerClosed, Scope: schema.Scope{Kind: schema.ScopeAgent, Value: "airline/booking"}, By: "ana"},
		{State: schema.BreakerOpen, Scope: schema.Scope{Kind: schema.ScopeAgent, Value: "another"}}} {
		b.Tenant, b.Generation, b.Mode, b.Since = "default", uint64(i+1), schema.ModeArmed, reportTime.UnixNano()
		breakers.Append(&b)
	}
	for _, b := range []clickhouse.Rows{scores, findings, decisions, breakers} {
		if err := c.Insert(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	full, err := query.RunInFull(t.Context(), c, run, 100)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := report.JSON(&b, full); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Scores []struct {
			Call  string
			Value float64
			Top   []map[string]any
		}
		Findings  []map[string]any
		Decisions []map[string]any
		Breakers  []query.RunBreaker
	}
	if err := json.Unmarshal([]byte(b.String()), &got); err != nil {
		t.Fatalf("%v: %s", err, b.String())
	}
	if len(got.Scores) != 1 || got.Scores[0].Value != 7.25 || len(got.Scores[0].Top) != 1 || got.Scores[0].Top[0]["observed"] != 40.0 ||
		got.Scores[0].Top[0]["humans"] != nil || len(got.Findings) != 1 || len(got.Decisions) != 1 || len(got.Breakers) != 2 {
		t.Errorf("%s", b.String())
	}
	if got.Breakers[0].State != "closed" || got.Breakers[0].Caused || got.Breakers[1].State != "open" || !got.Breakers[1].Caused {
		t.Errorf("breakers %+v", got.Breakers)
	}
}

// A caller sends PURGE, or a path that cannot be read: what such a call does is not known, and it may be the worst of its run.
func TestReportIsCompleteWithoutCallsOfUnknownEffect(t *testing.T) {
	c := migrated(t)
	run := airline(t, c, 1, "airline/booking", schema.Resource{Type: "order", ID: "123"})
	if report := reportOn(t, c, "agent", "airline/booking", query.Window{}); !report.Complete {
		t.Fatalf("%q", report.Caveats)
	}
	id, err := schema.ParseRunID(run.RunID)
	if err != nil {
		t.Fatal(err)
	}
	insertCalls(t, c, schema.Call{Source: schema.Source{Topic: "gw"}, Pos: schema.Position{Offset: 900}, Tenant: "default", RunID: id,
		RunKey: run.RunKey, Start: reportTime.Add(5 * time.Second).UnixNano(), DurationNs: -1, ObserverKind: schema.ObserverGateway,
		Observer: "edge", Method: "PURGE", Path: "/v1/accounts", Status: 200, Outcome: schema.OutcomeOK, RunRule: schema.RunExplicit,
		RunConfidence: 95, AgentID: run.AgentID, AgentTrust: schema.TrustInfrastructure,
		Resources: []schema.Resource{{Type: "account", ID: "?", Source: schema.ProvenanceNotLogged}}})
	report := reportOn(t, c, "agent", "airline/booking", query.Window{})
	if report.Complete || report.Calls != 2 || !hasCaveat(report, "resource_not_logged") {
		t.Errorf("complete %v, %d calls, caveats %q", report.Complete, report.Calls, report.Caveats)
	}
}
