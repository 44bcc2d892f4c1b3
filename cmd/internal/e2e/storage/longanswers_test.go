package storage

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// A run that the check denied every attempt on a resource touched nothing, and is listed apart: of an actor that the counts of hours
// name, and of one whose calls are newer than these.
func TestRunThatWasDeniedEveryAttemptIsLeftOut(t *testing.T) {
	c := migrated(t)
	airline(t, c, 1, "airline/booking", schema.Resource{Type: "order", ID: "7"})
	attempt := func(n int, run byte, agent, id string, at time.Time) schema.Call {
		return schema.Call{Source: schema.Source{Topic: "flyball.check/p"}, Pos: schema.Position{Offset: int64(n)}, Tenant: "default",
			RunID: schema.RunID{run, 9}, ActorHash: schema.HashActor(agent), Start: at.UnixNano(), DurationNs: -1, AgentID: agent,
			ObserverKind: schema.ObserverGate, AskedOnly: true, Method: "DELETE", Route: "/orders/{id}", Path: "/orders/" + id,
			Outcome: schema.OutcomeDenied, DeniedBy: "flyball", Effect: schema.EffectDelete,
			Resources: []schema.Resource{{Type: "order", ID: id}}}
	}
	insertCalls(t, c, attempt(1, 7, "airline/thief", "7", reportTime), attempt(2, 7, "airline/thief", "7", reportTime.Add(time.Minute)),
		attempt(3, 8, "airline/other", "8", reportTime))
	of := func(value string, win query.Window) string {
		report := reportOn(t, c, "resource", value, win)
		out := fmt.Sprint(report.Calls, " calls")
		for _, d := range report.DeniedOnly {
			out += fmt.Sprintf("; %s %v%v%v%d last %v", d.RunID[:4], d.Agents, d.Effects, d.Routes, d.Attempts, d.LastAt.Sub(reportTime))
		}
		return out + "; " + strings.Join(report.Caveats, ", ")
	}
	const thief = "; 0709 [airline/thief][delete][DELETE /orders/{id}]2 last 1m0s"
	if got := of("order:7", query.Window{}); got != "1 calls"+thief+"; " {
		t.Errorf("order:7: %s", got)
	}
	if got := of("order:7", query.Window{Until: reportTime.Add(time.Second)}); !strings.Contains(got, "[DELETE /orders/{id}]1 last 0s") {
		t.Errorf("order:7 until the first attempt: %s", got)
	}
	if got := of("order:8", query.Window{}); !strings.Contains(got, "0809") || !strings.Contains(got, "nothing_found: no run touched") ||
		strings.Contains(got, "misspelt") {
		t.Errorf("order:8, which nobody touched: %s", got)
	}
	// The counts of hours come later than the calls.
	sql(t, c, "TRUNCATE TABLE {db}."+stored("hours"))
	if got := of("order:7", query.Window{}); got != "1 calls"+thief+"; " {
		t.Errorf("without counts: %s", got)
	}
}

// What has expired is not called misspelt.
func TestExpiredResourceIsCalledMisspelt(t *testing.T) {
	c := connect(t)
	days := clickhouse.Retention{Calls: 10, Runs: 20}
	migrateTo(t, c, clickhouse.MigrateOptions{Retention: &days, Now: time.Now().Add(-200 * 24 * time.Hour)})
	old := time.Now().Add(-15 * 24 * time.Hour).UnixNano() // too old for calls, not for runs
	actor := schema.HashActor("actor")
	insertRuns(t, c, agentRun{RunSnapshot: schema.RunSnapshot{RunID: schema.RunID{1}, OpenedDay: schema.DayOf(old), Tenant: "default",
		RunKey: "key", Actor: "actor", AgentID: "team/archivist", StartedAt: old, LastAt: old, Calls: 1}})
	postings := clickhouse.PostingsTable.NewBlock()
	postings.AppendValue(schema.Posting{Tenant: "default", Kind: schema.PostingAgent, Value: "team/archivist", Day: schema.DayOf(old),
		Actor: actor})
	insertRows(t, c, []clickhouse.Rows{postings})
	today := time.Now().UTC().Truncate(24 * time.Hour)
	calls, runs := today.AddDate(0, 0, -9).Format(time.DateOnly), today.AddDate(0, 0, -19).Format(time.DateOnly)
	for _, v := range []struct{ kind, value, want string }{
		{"resource", "order:7", "or they are older than the calls that are kept (since " + calls},
		{"agent", "team/nobody", "or they are older than the runs that are kept (since " + runs},
		{"agent", "team/archivist", "older than the calls that are kept (since " + calls},
	} {
		report := reportOn(t, c, v.kind, v.value, query.Window{})
		if text := strings.Join(report.Caveats, "\n"); !strings.Contains(text, v.want) || report.Complete {
			t.Errorf("%s %s: %s", v.kind, v.value, text)
		}
	}
	if why, err := query.ExplainUnknown(t.Context(), c, ""); err != nil || !strings.Contains(why, "calls that are kept (since "+calls) {
		t.Errorf("of a term: %s, %v", why, err)
	}

	// Nothing has expired of a database that keeps everything.
	if report := reportOn(t, migrated(t), "resource", "order:7", query.Window{}); strings.Contains(fmt.Sprint(report.Caveats), "older") {
		t.Errorf("%q", report.Caveats)
	}
}
