package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"flyball/dashboards/plugin"
	"flyball/schema"
	"flyball/schema/clickhouse"
)

// hostile are texts that somebody can enter or an agent can be named.
var hostile = []string{"x' OR 1=1 --", "`; DROP TABLE calls", "${agent}", "[[run]]", "{{.Value}}", "{agent:String}",
	"<img src=x onerror=alert(1)>", "\u202e\u2028\x00\x1b[2K", "%s%d%n", `\`, `\x1b`, "')) UNION ALL SELECT 1 --", "(a+)+$", ".*", "team/ä", strings.Repeat("A", 20_000)}

// Every text in every member and every filter is answered, or refused as the user's mistake: never an error of the engine, never a row of
// something else, never a text that a browser does not show as it is.
func TestHostileTextBreaksAQuery(t *testing.T) {
	s := newStore(t)
	run := s.deletes("acme", "team/a", 1, schema.LevelTrip, ok, denied)
	s.finding("acme", "team/a", run, schema.LevelTrip, schema.FamilyLoop, "loops")
	v := s.viewer("")
	check := func(q plugin.Query, what string) {
		t.Helper()
		r := v.query(q)
		if r.Error != nil && r.Status != backend.StatusBadRequest {
			t.Errorf("%s: %s: status %d: %.300v", q.Type, what, r.Status, r.Error)
		}
		for _, f := range r.Frames {
			if f.Rows() > 0 && !strings.Contains(what, ".*") && q.Type != "health" && q.Type != "quality" && q.Type != "variable" &&
				!saysZero(f.Fields[0].At(0)) && !strings.Contains(what, "!") {
				t.Errorf("%s: %s: %d rows of nothing", q.Type, what, f.Rows())
			}
			for _, field := range f.Fields {
				for _, text := range column(f, field.Name) {
					if strings.IndexFunc(text, func(c rune) bool { return !unicode.IsPrint(c) }) >= 0 {
						t.Errorf("%s: %q is not visible", q.Type, text)
					}
				}
			}
		}
	}
	for i, text := range hostile {
		for _, typ := range plugin.Types {
			if typ == "sql" {
				continue
			}
			check(plugin.Query{Type: typ, Run: text, Agent: text, Resource: text, Family: text, Prefix: text, Of: askedOf(typ)}, "members")
		}
		if i%3 > 0 { // each operator and word with some of them
			continue
		}
		for _, q := range []plugin.Query{{Type: "calls", By: text}, {Type: "count", Of: "trips", By: text}, {Type: "findings", State: text},
			{Type: "gates", State: text}, {Type: "breakers", State: text}, {Type: "health", Part: text}, {Type: "annotations", Kinds: text},
			{Type: "runs", MinLevel: text}, {Type: "runs", Sort: text}, {Type: "count", Of: text}, {Type: "variable", Of: text}} {
			check(q, "words")
		}
		for _, key := range []string{"agent", "family", "level", "state", "tenant"} {
			for _, operator := range []string{"=", "=~", "!~", "=|", "!="} {
				f := plugin.Filter{Key: key, Operator: operator, Value: text, Values: []string{text}}
				check(plugin.Query{Type: "findings", Filters: []plugin.Filter{f}, Agent: map[bool]string{true: "none"}[key != "agent"]},
					key+operator+text[:min(len(text), 20)])
			}
		}
		check(plugin.Query{Type: "sql", SQL: text}, "sql")
	}
}

func saysZero(v any) bool {
	n, is := v.(*float64)
	return is && (n == nil || *n == 0)
}

// A range of a year, and one of all of time, are answered with few points, in the time that a panel waits for.
func TestRangeOfAYearIsTooMuch(t *testing.T) {
	s := newStore(t)
	run := s.deletes("acme", "team/a", 1, schema.LevelTrip, append(times(200, ok), denied)...)
	s.finding("acme", "team/a", run, schema.LevelTrip, schema.FamilyLoop, "loops")
	d := s.viewer("").source
	for name, from := range map[string]time.Time{"a year": s.at.AddDate(-1, 0, 0), "all of time": time.Unix(0, 0),
		"the future": s.at.AddDate(1, 0, 0)} {
		for _, typ := range plugin.Types {
			to := from.AddDate(1, 0, 1)
			if name == "all of time" {
				to = time.Unix(1<<32, 0)
			}
			text := fmt.Sprintf(`{"queryType":%q,"run":"task-1","agent":"team/a","resource":"order:1","of":%q,"sql":`+
				`"SELECT count() AS n FROM calls WHERE $__timeFilter(start_time)"}`, typ, askedOf(typ))
			began := time.Now()
			resp, err := d.QueryData(t.Context(), &backend.QueryDataRequest{Queries: []backend.DataQuery{{RefID: "A", JSON: []byte(text),
				Interval: time.Millisecond, TimeRange: backend.TimeRange{From: from, To: to}}}})
			r := resp.Responses["A"]
			if err != nil || r.Error != nil || len(r.Frames) == 0 {
				t.Errorf("%s, %s: %v %v", name, typ, err, r.Error)
				continue
			}
			if n := r.Frames[0].Rows(); n > 5002 || time.Since(began) > 20*time.Second {
				t.Errorf("%s, %s: %d rows in %s", name, typ, n, time.Since(began))
			}
		}
	}
}

// A run whose rows have expired, in part or all, is not stored: panels that name it say so, and a link to it is no error.
func TestRunDeletedByRetentionIsAnError(t *testing.T) {
	s := newStore(t)
	run := s.deletes("acme", "team/a", 1, schema.LevelTrip, ok, denied)
	s.finding("acme", "team/a", run, schema.LevelTrip, schema.FamilyLoop, "loops")
	ask := func(typ string) backend.DataResponse {
		return s.ask("", plugin.Query{Type: typ, Run: run.String(), Agent: "team/a", Of: askedOf(typ)})
	}
	s.run("ALTER TABLE {db}.calls_v5 DELETE WHERE 1 SETTINGS mutations_sync = 1") // calls expire before runs
	for _, typ := range []string{"trace", "touched", "touched_graph", "logs"} {
		r, rows := ask(typ), 0
		if typ == "logs" {
			rows = 1 // the finding
		}
		if r.Error != nil || r.Frames[0].Rows() != rows || r.Frames[0].Meta == nil || len(r.Frames[0].Meta.Notices) == 0 {
			t.Errorf("%s, without calls: %v, %+v", typ, r.Error, r.Frames)
		}
	}
	runs := s.frames(plugin.Query{Type: "runs"})[0]
	same(t, "the run", column(runs, "calls"), "2")
	same(t, "denied, not known", column(runs, "denied"), "-")
	s.run("ALTER TABLE {db}.runs_v5 DELETE WHERE 1 SETTINGS mutations_sync = 1")
	for _, typ := range []string{"trace", "touched", "touched_graph", "score", "logs"} {
		r := ask(typ)
		if r.Error != nil || r.Frames[0].Rows() != 0 || !strings.Contains(r.Frames[0].Meta.Notices[0].Text, "Not stored") {
			t.Errorf("%s, without the run: %v, %+v", typ, r.Error, r.Frames)
		}
	}
	findings := s.frames(plugin.Query{Type: "findings"})[0]
	same(t, "the finding stays", column(findings, "run"), run.String())
	same(t, "and what it did is not known", column(findings, "denied"), "-")
}

// An agent that has another name now is two agents: rows of before have the old one, each is found by its own, and a run goes by the
// latest.
func TestRenamedAgentLosesItsPast(t *testing.T) {
	s := newStore(t)
	old := s.deletes("acme", "team/old", 1, schema.LevelTrip, ok)
	s.finding("acme", "team/old", old, schema.LevelTrip, schema.FamilyLoop, "loops")
	renamed := s.deletes("acme", "team/new", 2, schema.LevelNone, ok, ok)
	b := clickhouse.RunsTable.NewBlock() // the first segment of the run had the old name
	b.Append(&schema.RunSnapshot{RunID: renamed, Segment: -1, Version: 1, Tenant: "acme", Actor: "g:team/new", AgentID: "team/old",
		StartedAt: s.at.UnixNano(), LastAt: s.at.UnixNano(), Calls: 1})
	s.insert(b)
	same(t, "choices", column(s.frames(plugin.Query{Type: "variable", Of: "agents"})[0], "value"), "team/new", "team/old")
	same(t, "of the old name", column(s.frames(plugin.Query{Type: "runs", Agent: "team/old"})[0], "run"), old.String())
	same(t, "of the new name", column(s.frames(plugin.Query{Type: "runs", Agent: "team/new"})[0], "run"), renamed.String())
	both := []plugin.Filter{{Key: "agent", Operator: "=|", Values: []string{"team/old", "team/new"}}}
	same(t, "of both", column(s.frames(plugin.Query{Type: "runs", Filters: both})[0], "agent"), "team/old", "team/new")
	same(t, "calls of both", column(s.frames(plugin.Query{Type: "count", Of: "calls", Filters: both})[0], "calls"), "3")
	same(t, "findings stay with the old name", column(s.frames(plugin.Query{Type: "findings", Agent: "team/old"})[0], "agent"), "team/old")
	for _, typ := range []string{"logs", "calls", "agents", "annotations", "held"} {
		if r := s.ask("", plugin.Query{Type: typ, Agent: "team/gone"}); r.Error != nil || r.Frames[0].Rows() != 0 {
			t.Errorf("%s of a name that is no more: %v", typ, r)
		}
	}
}

// The health check says what is wrong and what to do, for the store and the control API together.
func TestHealthSaysOnlyThatItFailed(t *testing.T) {
	s := newStore(t)
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	other := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(other.Close)
	f := deploy(t)
	for _, tc := range []struct {
		name, addr, control, token string
		status                     backend.HealthStatus
		want                       []string
	}{
		{"all is well", s.addr, f.url, tokenGrafana, backend.HealthStatusOk, []string{"0 calls are stored in",
			"Actions are sent as token grafana"}},
		{"no control", s.addr, "", "", backend.HealthStatusOk, []string{"Actions are off: controlUrl is empty"}},
		{"control away", s.addr, closed.URL, tokenGrafana, backend.HealthStatusError, []string{"0 calls are stored in", "Actions do not work",
			"start flyball up or the role control there, or correct controlUrl"}},
		{"another service", s.addr, other.URL, tokenGrafana, backend.HealthStatusError, []string{"controlUrl names another service"}},
		{"engine away", "127.0.0.1:1", f.url, tokenGrafana, backend.HealthStatusError, []string{"ClickHouse at 127.0.0.1:1",
			"start flyball up or ClickHouse, or correct addr", "Actions are sent as token grafana"}},
		{"both away", "127.0.0.1:1", closed.URL, tokenGrafana, backend.HealthStatusError, []string{"correct addr", "correct controlUrl"}},
		{"wrong token", s.addr, f.url, "wrong", backend.HealthStatusError, []string{"flyball token"}},
	} {
		d := source(t, tc.control, tc.token, "addr", tc.addr, "database", s.conn.Database())
		got, err := d.CheckHealth(t.Context(), nil)
		if err != nil || got.Status != tc.status {
			t.Errorf("%s: %v %+v", tc.name, err, got)
			continue
		}
		for _, want := range tc.want {
			if !strings.Contains(got.Message, want) {
				t.Errorf("%s: %q does not say %q", tc.name, got.Message, want)
			}
		}
	}
}

// A plugin that is newer or older than the tables says so before a panel fails.
func TestPluginOfAnotherVersionLooksWell(t *testing.T) {
	s := newStore(t)
	d := source(t, "", "", "addr", s.addr, "database", s.conn.Database())
	for _, tc := range []struct {
		version int
		status  backend.HealthStatus
		want    string
	}{
		{clickhouse.Version, backend.HealthStatusOk, ""},
		{clickhouse.Version - 1, backend.HealthStatusError, "run flyball migrate of the plugin's version, or install the plugin of that Flyball"},
		{clickhouse.Version + 1, backend.HealthStatusOk, "of a newer Flyball (schema version "},
	} {
		s.run("TRUNCATE TABLE {db}.migrations")
		s.run(fmt.Sprintf("INSERT INTO {db}.migrations (version, number, name) VALUES (3, 1, 'first'), (%d, 2, 'x')", tc.version))
		got, err := d.CheckHealth(t.Context(), nil)
		if err != nil || got.Status != tc.status || !strings.Contains(got.Message, tc.want) ||
			strings.Contains(got.Message, "schema version") != (tc.want != "") {
			t.Errorf("%d: %+v %v, want %q", tc.version, got, err, tc.want)
		}
	}
}
