package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"flyball/dashboards/plugin"
	"flyball/schema"
	"flyball/schema/clickhouse"
)

// marks returns the marks of a kind, the latest first, with the time between begin and end in minutes.
func marks(v *viewer, kinds, agent string) (out []string) {
	v.t.Helper()
	r := v.query(plugin.Query{Type: "annotations", Kinds: kinds, Agent: agent})
	if r.Error != nil {
		v.t.Fatal(r.Error)
	}
	f := r.Frames[0]
	at, _ := f.FieldByName("time")
	end, _ := f.FieldByName("timeEnd")
	titles, texts := column(f, "title"), column(f, "text")
	for i := range titles {
		length := ""
		if e := end.At(i).(*time.Time); e != nil {
			length = " " + e.Sub(*at.At(i).(*time.Time)).String()
		}
		out = append(out, titles[i]+": "+texts[i]+length)
	}
	return out
}

func TestBypassHasNoMark(t *testing.T) {
	s := newStore(t)
	b := clickhouse.AuditTable.NewBlock()
	minute := func(n int) int64 { return s.at.Add(time.Duration(n) * time.Minute).UnixNano() }
	for i, e := range []schema.AuditEntry{
		{At: minute(-3000), Kind: "bypass", Subject: "tenant:acme", Reason: "an old one", By: "ana"}, // its time ended it before the window
		{At: minute(-65), Kind: "bypass", Subject: "agent:team/t", Reason: "before [for 4m0s]", By: "ana"},
		{At: minute(-62), Kind: "bypass", Subject: "agent:team/u", Reason: "short [for 5m0s]", By: "ana"},
		{At: minute(-58), Kind: "bypass", Subject: "agent:team/u", Reason: "long [for 24h0m0s]", By: "ana"},
		{At: minute(1), Kind: "bypass", Subject: "agent:team/a", Reason: "a migration", By: "ana"},
		{At: minute(2), Kind: "bypass", Subject: "tenant:acme", Reason: "an incident", By: "bob"},
		{At: minute(3), Kind: "bypass", Subject: "agent:team/b", Reason: "refused", By: "eve", Outcome: "rejected"},
		{At: minute(4), Kind: "trip", Subject: "agent:team/a", Reason: "x", By: "eve"},
		{At: minute(5), Kind: "bypass", Subject: "agent:team/t", Reason: "a test [for 10m0s]", By: "ana"}, // its time has ended it
		{At: minute(11), Kind: "bypass_end", Subject: "agent:team/a", Reason: "done", By: "kim"},
		{At: minute(20), Kind: "bypass", Subject: "agent:team/a", Reason: "again", By: "ana"},
		{At: minute(25), Kind: "bypass", Subject: "agent:team/a", Reason: "longer", By: "ana"},
	} {
		e.Seq, e.Tenant = uint64(i)+1, "acme"
		if e.Outcome == "" {
			e.Outcome = "applied"
		}
		b.AppendValue(e)
	}
	s.insert(b)
	v := s.viewer("")
	const unknown = ", in force, or ended by its time or by another one"
	incident := "Bypass of the tenant acme: an incident (by bob)" + unknown
	same(t, "bypasses", marks(v, "bypass", ""), "Bypass of team/a: longer (by ana)"+unknown,
		"Bypass of team/a: again (by ana)"+unknown, "Bypass of team/t: a test (by ana), ended by its time 10m0s", incident,
		"Bypass of team/a: a migration (by ana), ended by kim 10m0s", "Bypass of team/u: long (by ana), in force 24h0m0s",
		"Bypass of team/u: short (by ana), until another one began 4m0s")
	same(t, "of an agent", marks(v, "bypass", "team/b"), incident)
	control := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"bypasses": []map[string]any{{"agent": "team/a", "until": s.at.Add(time.Hour),
			"by": "ana", "reason": "longer"}, {"until": s.at.Add(time.Hour), "by": "bob", "reason": "of another tenant"}}})
	}))
	t.Cleanup(control.Close)
	same(t, "in force", marks(s.viewer(control.URL), "bypass", "")[:1], "Bypass of team/a: longer (by ana), in force 35m0s")
	if r := s.ask("rival", plugin.Query{Type: "annotations"}); r.Error != nil || r.Frames[0].Rows() != 0 {
		t.Errorf("another tenant: %v", r)
	}
}

func TestDeployHasNoMark(t *testing.T) {
	s := newStore(t)
	b := clickhouse.RunsTable.NewBlock()
	for i, r := range []struct {
		tenant, agent, version string
		after                  time.Duration
	}{
		{"acme", "team/a", "1.3", -40 * time.Hour}, {"acme", "team/a", "1.4", 10 * time.Minute}, {"acme", "team/a", "1.4", 20 * time.Minute},
		{"acme", "team/a", "1.3", 30 * time.Minute}, {"acme", "team/b", "2", 5 * time.Minute}, {"acme", "team/c", "", 0},
		{"rival", "team/a", "1.4", -10 * time.Hour}, {"rival", "team/a", "9", 40 * time.Minute},
	} {
		at := s.at.Add(r.after).UnixNano()
		actor := "g:" + r.agent
		b.Append(&schema.RunSnapshot{RunID: schema.RunID{byte(i + 1)}, Tenant: r.tenant, Actor: actor, AgentID: r.agent, AgentVersion: r.version,
			StartedAt: at, LastAt: at, Calls: 1})
	}
	s.insert(b)
	s.run("INSERT INTO {db}.postings (tenant, kind, value, day, actor_hash) SELECT DISTINCT tenant, 'agent_id', agent_id, " +
		"toDate(started_at), actor_hash FROM {db}.runs_v5")
	v := s.viewer("")
	same(t, "deploys", marks(v, "version", ""), "team/a has version 9: before it 1.4", "team/a has version 1.4: before it 1.3",
		"team/b has version 2: the first that is stored")
	same(t, "of an agent", marks(v, "version", "team/b"), "team/b has version 2: the first that is stored")
	bound := s.ask("acme", plugin.Query{Type: "annotations", Kinds: "version"})
	same(t, "of a tenant", column(bound.Frames[0], "title"), "team/a has version 1.4", "team/b has version 2")
	if r := s.ask("", plugin.Query{Type: "annotations", Kinds: "trips, parties"}); r.Error == nil || !strings.Contains(r.Error.Error(),
		`"parties" is none of trips, bypass, baseline, version`) {
		t.Errorf("%v", r)
	}
}

// An agent that goes on under another run is seen in the trace of the first.
func TestTraceHidesLinkedRuns(t *testing.T) {
	s := newStore(t)
	run := s.deletes("acme", "team/a", 1, schema.LevelTrip, times(30, ok)...)
	child := s.deletes("acme", "team/b", 2, schema.LevelAlert, ok, ok, denied)
	s.deletes("rival", "team/secret", 3, schema.LevelTrip, ok)
	s.run("ALTER TABLE {db}.runs_v5 UPDATE parent_run_id = '" + run.String() + "' WHERE agent_id != 'team/a' SETTINGS mutations_sync = 1")
	s.run("ALTER TABLE {db}.runs_v5 UPDATE last_at = last_at + INTERVAL 5 HOUR WHERE agent_id = 'team/b' SETTINGS mutations_sync = 1")
	trace := clickhouse.CallsTable.NewBlock()
	at := s.at.Add(10 * time.Second).UnixNano()
	for i, r := range []schema.RunID{run, {4}} { // another caller with the trace of the run
		trace.AppendValue(schema.Call{Source: schema.Source{Topic: "edge"}, Pos: schema.Position{Offset: int64(1e6 + i)}, Tenant: "acme",
			RunID: r, ActorHash: schema.HashActor("g:team/a"), Start: at, TraceID: [16]byte{7}, Method: "GET", AgentID: "team/a", Outcome: ok})
	}
	runs := clickhouse.RunsTable.NewBlock()
	runs.Append(&schema.RunSnapshot{RunID: schema.RunID{4}, Tenant: "acme", Actor: "g:team/a", AgentID: "team/a", StartedAt: at, LastAt: at,
		Calls: 1})
	s.insert(trace, runs)
	s.run("INSERT INTO {db}.call_ids (tenant, kind, id, actor_hash, day, filed_day) SELECT tenant, 'trace_id', " +
		"toUInt32(xxHash64(trace_id)), actor_hash, toDate(start_time), toDate(start_time) FROM {db}.calls_v5 WHERE NOT empty(trace_id)")
	b := clickhouse.FindingsTable.NewBlock()
	for i := range 210 {
		f := schema.Finding{ID: schema.FindingID(run, strings.Repeat("x", i+1)), Version: 1, Tenant: "acme", RunID: run, Family: "f",
			OpenedAt: s.at.Add(time.Duration(i) * time.Millisecond).UnixNano(), UpdatedAt: s.at.UnixNano()}
		if i == 0 {
			f.Level = schema.LevelTrip
		}
		b.Append(&f)
	}
	s.insert(b)
	f := s.frames(plugin.Query{Type: "trace", Run: run.String()})[0]
	ids, operations, durations := column(f, "spanID"), column(f, "operationName"), column(f, "duration")
	same(t, "spans", ids[:3], "run", "run "+child.String(), "run "+schema.RunID{4}.String())
	same(t, "how", operations[1:3], "linked run: was started by this run", "linked run: called on behalf of this run")
	if durations[1] != durations[0] {
		t.Errorf("a linked run of five hours lasts %s ms beside %s: it presses the calls together", durations[1], durations[0])
	}
	tags := column(f, "tags")[1]
	for _, want := range []string{`"irreversible","value":2`, `"denied","value":1`, child.String(), `"team/b"`} {
		if !strings.Contains(tags, want) {
			t.Errorf("%s is not in %s", want, tags)
		}
	}
	logs := column(f, "logs")[0]
	if strings.Contains(strings.Join(ids, " ")+tags, "secret") || strings.Count(logs, `"timestamp"`) != 200 || !strings.Contains(logs, `"trip"`) {
		t.Errorf("events: %d", strings.Count(logs, `"timestamp"`))
	}
	if len(f.Meta.Notices) != 1 || !strings.HasPrefix(f.Meta.Notices[0].Text, "There are more findings or decisions") {
		t.Errorf("%+v", f.Meta.Notices)
	}
}
