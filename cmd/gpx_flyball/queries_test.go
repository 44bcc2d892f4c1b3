package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/dashboards/plugin"
	"flyball/detect/enforce"
	"flyball/detect/enforce/breaker"
	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// words of outcomes that make tests short.
const (
	ok     = schema.OutcomeOK
	denied = schema.OutcomeDenied
	failed = schema.OutcomeServerError
)

func times(n int, outcome schema.Outcome) []schema.Outcome {
	return slices.Repeat([]schema.Outcome{outcome}, n)
}

// The worst run is the first row, whatever came later, and says what it did apart from what was denied.
func TestWorstRunIsBelowTheLatest(t *testing.T) {
	s := newStore(t)
	s.deletes("acme", "team/calm", 1, schema.LevelNone, times(40, ok)...)
	s.deletes("acme", "team/bad", 2, schema.LevelTrip, ok, ok, denied, denied, denied, failed)
	s.deletes("acme", "team/odd", 3, schema.LevelAlert, ok)
	f := s.frames(plugin.Query{Type: "runs"})[0]
	same(t, "agents", column(f, "agent"), "team/bad", "team/odd", "team/calm")
	same(t, "irreversible", column(f, "irreversible"), "2", "1", "40")
	same(t, "denied", column(f, "denied"), "3", "0", "0")
	same(t, "failed", column(f, "failed"), "1", "0", "0")
	same(t, "first columns", []string{f.Fields[0].Name, f.Fields[1].Name, f.Fields[2].Name}, "agent", "score", "level")
	f = s.frames(plugin.Query{Type: "runs", Sort: "latest", Limit: 1})[0]
	same(t, "latest", column(f, "agent"), "team/calm")
	if len(f.Meta.Notices) != 1 {
		t.Errorf("more runs than the limit are not said: %v", f.Meta.Notices)
	}
	f = s.frames(plugin.Query{Type: "runs", Limit: 2})[0]
	if f.Rows() != 2 || len(f.Meta.Notices) != 1 {
		t.Errorf("the worst two: %d rows, %v", f.Rows(), f.Meta.Notices)
	}
	same(t, "alerts", column(s.frames(plugin.Query{Type: "runs", MinLevel: "alert"})[0], "agent"), "team/bad", "team/odd")
	filters := []plugin.Filter{{Key: "agent", Operator: "=", Value: "team/odd"}}
	same(t, "by filter", column(s.frames(plugin.Query{Type: "runs", Filters: filters})[0],
		"agent"), "team/odd")
}

// An agent that is named as a variable of a dashboard is not hidden by it, and a filter without an effect is named.
func TestAgentNamedAsAVariableIsHidden(t *testing.T) {
	s := newStore(t)
	const hides = "pay ${agent}"
	run := s.deletes("acme", hides, 1, schema.LevelTrip, ok, denied)
	s.finding("acme", hides, run, schema.LevelTrip, schema.FamilyLoop, "loops")
	s.deletes("acme", "team/calm", 2, schema.LevelNone, ok)
	same(t, "runs", column(s.frames(plugin.Query{Type: "runs", Agent: hides})[0], "agent"), hides)
	same(t, "calls", column(s.frames(plugin.Query{Type: "count", Of: "calls", Agent: hides})[0], "calls"), "2")
	byFilter := []plugin.Filter{{Key: "agent", Operator: "=", Value: hides}, {Key: "state", Operator: "=", Value: "open"}}
	got := s.frames(plugin.Query{Type: "agents", Filters: byFilter})[0]
	if same(t, "agents", column(got, "agent"), hides); len(got.Meta.Notices) != 1 || !strings.Contains(got.Meta.Notices[0].Text,
		`state = "open" has no effect here`) {
		t.Errorf("%v", got.Meta.Notices)
	}
	same(t, "agents at a level", column(s.frames(plugin.Query{Type: "agents", MinLevel: "alert"})[0], "agent"), hides)
	for _, q := range []plugin.Query{{Type: "runs", Agent: "${agent}"}, {Type: "touched", Run: "$run"}, {Type: "trace", Run: "[[run]]"},
		{Type: "count", Of: "calls", Agent: "${agent:raw}"}, {Type: "runs", Filters: []plugin.Filter{{Key: "agent", Operator: "=",
			Value: "$agent"}}}} {
		if f := s.frames(q)[0]; f.Rows() != 0 || len(f.Meta.Notices) != 1 || !strings.Contains(f.Meta.Notices[0].Text, "Nothing is chosen") {
			t.Errorf("%+v: %d rows, %+v", q, f.Rows(), f.Meta)
		}
	}
}

// The worst rows of an agent were read, and the browser chose those of the run: of a run that is not among them, or before the time range,
// a person read that nothing was found in it.
func TestRunIsHiddenByWorseOnes(t *testing.T) {
	s := newStore(t)
	s.tell()
	calm := schema.RunID{2}
	at := s.at
	s.at = at.Add(-30 * 24 * time.Hour)
	old := s.deletes("acme", "team/bad", 7, schema.LevelAlert, ok, denied)
	s.finding("acme", "team/bad", old, schema.LevelAlert, schema.FamilyRetry, "asked long ago")
	s.at = at
	for _, tc := range []struct {
		q    plugin.Query
		want string
	}{
		{plugin.Query{Type: "runs", Run: calm.String(), Limit: 1}, calm.String()},
		{plugin.Query{Type: "runs", Run: "task-2", Limit: 1}, calm.String()},
		{plugin.Query{Type: "runs", Run: old.String()}, old.String()},
		{plugin.Query{Type: "runs", Run: old.String(), Agent: longName}, ""},
		{plugin.Query{Type: "runs", Run: old.String(), MinLevel: "trip"}, ""},
		{plugin.Query{Type: "findings", Run: "task-2", Limit: 1}, calm.String()},
		{plugin.Query{Type: "findings", Run: old.String(), Limit: 1}, old.String()},
		{plugin.Query{Type: "held", Run: "task-1", Limit: 1}, schema.RunID{1}.String()},
		{plugin.Query{Type: "held", Run: calm.String()}, ""},
		{plugin.Query{Type: "gates", Run: calm.String(), Limit: 1}, calm.String()},
		{plugin.Query{Type: "gates", Run: old.String()}, ""},
	} {
		f := s.frames(tc.q)[0]
		if tc.want == "" {
			if f.Rows() != 0 {
				t.Errorf("%+v: %v", tc.q, column(f, "run"))
			}
			continue
		}
		same(t, fmt.Sprintf("%+v", tc.q), column(f, "run"), tc.want)
	}
	for _, typ := range []string{"runs", "findings", "held", "gates"} {
		if f := s.frames(plugin.Query{Type: typ, OneRun: true})[0]; f.Rows() != 0 ||
			!strings.Contains(f.Meta.Notices[0].Text, "No run is chosen") {
			t.Errorf("%s of no run: %d rows", typ, f.Rows())
		}
		if f := s.frames(plugin.Query{Type: typ, Run: "no such"})[0]; f.Rows() != 0 || !strings.Contains(f.Meta.Notices[0].Text, "Not stored") {
			t.Errorf("%s of an unknown run: %d rows, %v", typ, f.Rows(), f.Meta)
		}
	}
	if f := s.frames(plugin.Query{Type: "runs", Run: calm.String(), Live: true})[0]; f.Meta.Channel != "" || len(f.Meta.Notices) == 0 {
		t.Errorf("one run, live: %+v", f.Meta)
	}
}

// Of a name that an agent chose no part becomes a statement, and a statement about one agent finds it among any number.
func TestNameOfAnAgentChangesAStatement(t *testing.T) {
	s := newStore(t)
	names := []string{"team/bad", `') OR 1 = 1 --`, `\') OR (''='`, "$__agent", "${agent}", "ü\x00", "it's", "unhex('')"}
	for i, name := range names {
		s.deletes("acme", name, byte(i+1), schema.LevelNone, ok)
	}
	for _, name := range names {
		f := s.frames(plugin.Query{Type: "sql", Agent: name, SQL: "SELECT count() AS n FROM runs WHERE agent_id = $__agent"})[0]
		same(t, name, column(f, "n"), "1")
	}
	same(t, "none", column(s.frames(plugin.Query{Type: "sql", SQL: "SELECT count() AS n FROM runs WHERE agent_id = $__agent"})[0], "n"), "0")
}

// A table shows characters without width as escapes, and the link of a row has the name as it is shown.
func TestLinkToAnAgentWithAHiddenCharacterShowsNothing(t *testing.T) {
	s := newStore(t)
	run := s.deletes("acme", "team/\u200bbot", 1, schema.LevelTrip, ok, denied)
	s.finding("acme", "team/\u200bbot", run, schema.LevelTrip, schema.FamilyLoop, "loops")
	shown := column(s.frames(plugin.Query{Type: "runs"})[0], "agent")[0]
	if shown != `team/\u200bbot` {
		t.Fatal(shown)
	}
	for _, typ := range []string{"runs", "findings", "agents", "logs", "calls"} {
		if f := s.frames(plugin.Query{Type: typ, Agent: shown})[0]; f.Rows() == 0 {
			t.Errorf("%s: no row", typ)
		}
	}
	same(t, "calls", column(s.frames(plugin.Query{Type: "count", Of: "calls", Agent: shown})[0], "calls"), "2")
}

// An agent can give a harmless run the key of another one.
func TestHarmlessRunOfTheSameKeyIsTakenForTheOther(t *testing.T) {
	s := newStore(t)
	s.deletes("acme", "team/a", 1, schema.LevelTrip, ok)
	s.deletes("acme", "team/a", 2, schema.LevelNone, ok)
	s.run("ALTER TABLE {db}.runs_v5 UPDATE run_key = 'same' WHERE 1 SETTINGS mutations_sync = 1")
	for _, typ := range []string{"touched", "touched_graph", "trace", "score", "logs"} {
		f := s.frames(plugin.Query{Type: typ, Run: "same"})[0]
		if !slices.ContainsFunc(f.Meta.Notices, func(n data.Notice) bool { return strings.Contains(n.Text, "2 runs have the key") }) {
			t.Errorf("%s: %+v", typ, f.Meta.Notices)
		}
	}
}

func TestFindingOfADeniedRunLooksDone(t *testing.T) {
	s := newStore(t)
	bad := s.deletes("acme", "team/bad", 2, schema.LevelTrip, ok, denied, denied)
	s.finding("acme", "team/bad", bad, schema.LevelAnnotate, schema.FamilyRetry, "a retry")
	id := s.finding("acme", "team/bad", bad, schema.LevelTrip, schema.FamilyLoop, "deletes order after order")
	f := s.frames(plugin.Query{Type: "findings"})[0]
	same(t, "levels", column(f, "level"), "trip", "annotate")
	same(t, "done", column(f, "done irreversible"), "1", "1")
	same(t, "denied", column(f, "denied"), "2", "2")
	same(t, "finding", column(f, "finding")[:1], id)
	for _, field := range f.Fields {
		for _, v := range column(f, field.Name) {
			if strings.Contains(v, "e-") && field.Name != "finding" && field.Name != "run" {
				t.Errorf("%s has an exponent: %s", field.Name, v)
			}
		}
	}
	same(t, "of a family", column(s.frames(plugin.Query{Type: "findings", Family: schema.FamilyRetry})[0], "level"), "annotate")
}

// breakerLog applies commands as a point does and stores every state that they make.
type breakerLog struct {
	*breaker.State
	stored []schema.Breaker
	offset int64
	at     time.Time
}

func (l *breakerLog) apply(after time.Duration, c *schema.Command) {
	l.offset, l.at = l.offset+1, l.at.Add(after)
	at := enforce.LogPosition{Offset: l.offset, Time: l.at.UnixNano()}
	events := l.Advance(at)
	if c != nil {
		c.ID = fmt.Sprint(l.offset)
		_, more := l.Apply(at, c)
		events = append(events, more...)
	}
	for _, e := range events {
		if e.Breaker != nil {
			l.stored = append(l.stored, *e.Breaker)
		}
	}
}

func trip(run byte, agent string, mode schema.Mode, ttl time.Duration) *schema.Command {
	id := schema.RunID{run}
	sc := schema.Scope{Kind: schema.ScopeRun, Value: id.String()}
	return &schema.Command{Kind: schema.CommandTrip, Tenant: "acme", Scope: sc, TTL: int64(ttl), ActiveAgents: 1000, Reason: "loop",
		Decision: &schema.Decision{ID: fmt.Sprint("d", run), Mode: mode, Action: schema.ActionDeny, Scope: sc, AgentID: agent, RunID: id}}
}

// What Grafana shows as held is what the fold of the log holds, after each command: a new trip, a trip by hand, a reset, an end of
// time, a trip that is only recorded.
func TestHeldDisagreesWithTheLogOfBreakers(t *testing.T) {
	s := newStore(t)
	l := &breakerLog{State: breaker.New(breaker.DefaultBudget()), at: s.at}
	agent := schema.Scope{Kind: schema.ScopeAgent, Value: "team/hand"}
	steps := []struct {
		after time.Duration
		c     *schema.Command
	}{
		{time.Second, trip(1, "team/a", schema.ModeArmed, time.Minute)},
		{time.Second, trip(2, "team/b", schema.ModeObserve, time.Minute)},
		{time.Second, trip(1, "team/a", schema.ModeArmed, 2*time.Minute)},
		{time.Second, &schema.Command{Kind: schema.CommandForceOpen, Tenant: "acme", Scope: agent, Reason: "stop", By: "ana"}},
		{time.Second, &schema.Command{Kind: schema.CommandForceOpen, Tenant: "other", Scope: agent, Reason: "stop", By: "bob",
			TTL: int64(time.Minute)}},
		{time.Second, trip(3, "team/c", schema.ModeArmed, time.Hour)},
		{time.Second, &schema.Command{Kind: schema.CommandReset, Tenant: "acme", Scope: schema.Scope{Kind: schema.ScopeRun,
			Value: schema.RunID{3}.String()}, By: "ana", Reason: "it was a test"}},
		{5 * time.Minute, nil}, // the first trip becomes half-open, the one by bob ends
		{time.Second, trip(3, "team/c", schema.ModeArmed, time.Hour)},
		{25 * time.Hour, nil},
	}
	for i, step := range steps {
		before := len(l.stored)
		l.apply(step.after, step.c)
		b := clickhouse.BreakersTable.NewBlock()
		for j := range l.stored[before:] {
			b.Append(&l.stored[before+j])
		}
		s.insert(b)
		held, err := query.Held(t.Context(), s.conn, query.HeldFilter{Limit: 100}, l.at)
		if err != nil {
			t.Fatal(err)
		}
		var got, want []string
		for _, h := range held {
			got = append(got, fmt.Sprint(h.Tenant, " ", h.Kind, " ", h.Value, " ", h.State, " ", h.Generation, " ", h.HeldSince.UnixNano()))
		}
		for _, x := range l.Breakers() {
			want = append(want, fmt.Sprint(x.Tenant, " ", x.Scope.Kind, " ", x.Scope.Value, " ", x.State, " ", x.Generation, " ", x.HeldSince))
		}
		slices.Sort(got)
		slices.Sort(want)
		same(t, fmt.Sprint("after step ", i), got, want...)
	}
}

// A trip by hand on an agent has no agent of its own in the log; it is found by that agent all the same.
func TestTripByHandIsNotFoundByItsAgent(t *testing.T) {
	s := newStore(t)
	l := &breakerLog{State: breaker.New(breaker.DefaultBudget()), at: time.Now().Add(-time.Minute)}
	run := s.deletes("acme", "team/a", 1, schema.LevelTrip, ok, denied, denied)
	l.at = s.at
	l.apply(0, trip(1, "team/a", schema.ModeArmed, 0))
	l.apply(0, &schema.Command{Kind: schema.CommandForceOpen, Tenant: "acme", Scope: schema.Scope{Kind: schema.ScopeAgent, Value: "team/hand"},
		Reason: "stop", By: "ana"})
	l.apply(0, &schema.Command{Kind: schema.CommandForceOpen, Tenant: "acme", Scope: schema.Scope{Kind: schema.ScopeVersion,
		Value: "team/hand@1.4"}, Reason: "stop", By: "ana"})
	b := clickhouse.BreakersTable.NewBlock()
	for i := range l.stored {
		b.Append(&l.stored[i])
	}
	s.insert(b)
	f := s.frames(plugin.Query{Type: "held", Agent: "team/hand"})[0]
	same(t, "scopes", column(f, "scope"), "version team/hand@1.4", "agent team/hand")
	same(t, "by", column(f, "by"), "ana", "ana")
	same(t, "until", column(f, "until"), "-", "-")
	f = s.frames(plugin.Query{Type: "held", Agent: "team/a"})[0]
	same(t, "stopped", column(f, "stopped calls"), "2")
	same(t, "run", column(f, "run"), run.String())
	same(t, "history", column(s.frames(plugin.Query{Type: "breakers", Agent: "team/hand"})[0], "agent"), "team/hand", "team/hand")
	count := s.frames(plugin.Query{Type: "count", Of: "held", By: "agent"})[0]
	if len(count.Fields) != 2 || count.Fields[0].Labels["agent"] != "team/hand" || *count.Fields[0].At(0).(*float64) != 2 {
		t.Errorf("count by agent: %v", count.Fields)
	}
	same(t, "count", column(s.frames(plugin.Query{Type: "count", Of: "held"})[0], "held"), "3")
	same(t, "trips", column(s.frames(plugin.Query{Type: "count", Of: "trips"})[0], "trips"), "1")
}

func TestAnsweredQuestionStillWaits(t *testing.T) {
	s := newStore(t)
	b := clickhouse.GatesTable.NewBlock()
	now := time.Now()
	gate := func(id string, generation uint64, state schema.GateState, mode schema.Mode, expires time.Time) {
		g := schema.Gate{ID: id, Tenant: "acme", AgentID: "team/a", RunID: schema.RunID{1}, Route: "DELETE /orders/{id}", Resource: "order:7",
			State: state, Generation: generation, AskedAt: now.Add(-10 * time.Minute).UnixNano(), Expires: expires.UnixNano(), Mode: mode}
		if state == schema.GateGranted {
			g.DecidedAt, g.By = now.Add(-8*time.Minute).UnixNano(), "ana"
		}
		b.AppendValue(g)
	}
	later, past := now.Add(time.Hour), now.Add(-time.Minute)
	gate("g-waits", 1, schema.GatePending, schema.ModeArmed, later)
	gate("g-answered", 2, schema.GatePending, schema.ModeArmed, later)
	gate("g-answered", 3, schema.GateGranted, schema.ModeArmed, later)
	gate("g-late", 4, schema.GatePending, schema.ModeArmed, past)
	gate("g-observed", 5, schema.GatePending, schema.ModeObserve, later)
	gate("g-ended", 6, schema.GateEnded, schema.ModeArmed, later)
	s.insert(b)
	f := s.frames(plugin.Query{Type: "gates", State: "waiting"})[0]
	same(t, "waiting", column(f, "gate"), "g-waits")
	if w := column(f, "waits"); w[0] != "600" && w[0] != "601" && w[0] != "602" {
		t.Errorf("waits %v s, want 600", w)
	}
	f = s.frames(plugin.Query{Type: "gates"})[0]
	if f.Rows() != 5 || column(f, "gate")[0] != "g-waits" {
		t.Errorf("all: %v", column(f, "gate"))
	}
	for i, id := range column(f, "gate") { // nobody waits for one that held no call, or that ended without an answer
		if w := column(f, "waits")[i]; (w == "-") != (id == "g-observed" || id == "g-ended") {
			t.Errorf("%s waits %s s", id, w)
		}
	}
	same(t, "count", column(s.frames(plugin.Query{Type: "count", Of: "gates_waiting"})[0], "gates_waiting"), "1")
}

// Of a long run the trace keeps what was destroyed, not what was read first.
func TestLongRunIsCutAtTheWrongEnd(t *testing.T) {
	s := newStore(t)
	s.deletes("acme", "team/a", 1, schema.LevelTrip, append(append(times(60, failed), times(30, ok)...), denied, denied)...)
	f := s.frames(plugin.Query{Type: "trace", Run: "task-1", Limit: 40})[0]
	if f.Rows() != 41 || len(f.Meta.Notices) != 1 || !strings.HasPrefix(f.Meta.Notices[0].Text, "52 of 92 calls are left out") {
		t.Fatalf("%d rows, %v", f.Rows(), f.Meta.Notices)
	}
	outcomes := map[string]int{}
	for _, m := range column(f, "statusMessage")[1:] {
		outcomes[m]++
	}
	if outcomes[""] != 30 || outcomes["denied 403"] != 2 || outcomes["server_error 204"] != 8 {
		t.Errorf("kept: %v", outcomes)
	}
	if length := column(f, "duration")[0]; length != "91005" {
		t.Errorf("the run took %s ms, want 91005", length)
	}
	for _, want := range []string{`"path"`, `"/orders/89"`, `"order:89"`, `"irreversible"`, `"delete"`} {
		if tags := strings.Join(column(f, "tags"), ""); !strings.Contains(tags, want) {
			t.Errorf("no span has %s", want)
		}
	}
	touched := s.frames(plugin.Query{Type: "touched", Run: "task-1", Limit: 5000})[0]
	sum := map[string]int{}
	for _, name := range []string{"ok", "failed", "denied"} {
		for _, v := range column(touched, name) {
			if v == "1" {
				sum[name]++
			}
		}
	}
	if sum["ok"] != 30 || sum["failed"] != 60 || sum["denied"] != 2 {
		t.Errorf("touched: %v", sum)
	}
	graph := s.frames(plugin.Query{Type: "touched_graph", Run: "task-1"})
	if len(graph) != 2 || graph[0].Rows() != 94 || graph[1].Rows() != 93 || column(graph[0], "id")[1] != "service shop" {
		t.Errorf("graph: %d frames, %d nodes", len(graph), graph[0].Rows())
	}
	who := s.frames(plugin.Query{Type: "resource", Resource: "order:90"})[0]
	same(t, "who", column(who, "agent"), "team/a")
	same(t, "denied", column(who, "denied"), "1")
}

func TestCallsHaveNoLabels(t *testing.T) {
	s := newStore(t)
	s.deletes("acme", "team/a", 1, schema.LevelNone, append(times(70, ok), denied, failed)...)
	for _, tc := range []struct {
		q    plugin.Query
		want map[string]float64
	}{
		{plugin.Query{Type: "calls", By: "outcome"}, map[string]float64{"ok": 70, "denied": 1, "failed": 1, "unknown": 0}},
		{plugin.Query{Type: "calls", By: "outcome", Agent: "team/a"}, map[string]float64{"ok": 70, "denied": 1, "failed": 1, "unknown": 0}},
		{plugin.Query{Type: "calls", By: "reversibility"}, map[string]float64{"irreversible": 70, "read_only": 0}},
		{plugin.Query{Type: "calls"}, map[string]float64{"calls": 72, "irreversible": 70}},
	} {
		f := s.frames(tc.q)[0]
		got, labels := map[string]float64{}, map[string]bool{}
		for _, field := range f.Fields[1:] {
			for i := range field.Len() {
				if v := field.At(i).(*float64); v != nil {
					got[field.Name] += *v
				}
			}
			labels[field.Labels.String()] = true
		}
		if len(labels) != len(f.Fields)-1 {
			t.Errorf("%+v: two series have the same labels: %v", tc.q, labels)
		}
		for name, want := range tc.want {
			if got[name] != want {
				t.Errorf("%+v: %s is %v, want %v", tc.q, name, got[name], want)
			}
		}
	}
	for of, want := range map[string]string{"calls": "72", "denied": "1", "irreversible": "70", "findings": "0", "dead_letters": "0"} {
		same(t, of, column(s.frames(plugin.Query{Type: "count", Of: of})[0], of), want)
	}
	same(t, "calls of an agent", column(s.frames(plugin.Query{Type: "count", Of: "calls", Agent: "team/a"})[0], "calls"), "72")
}

// An empty database answers every type of query with a sentence or a zero, without an error.
func TestEmptyDatabaseIsAnError(t *testing.T) {
	s := newStore(t)
	for _, typ := range plugin.Types {
		q := plugin.Query{Type: typ, Run: "task-7", Resource: "order:7", Of: askedOf(typ), SQL: "SELECT 1 FROM calls"}
		r := s.ask("", q)
		if r.Error != nil || len(r.Frames) == 0 {
			t.Errorf("%s: %v", typ, r.Error)
			continue
		}
		if f := r.Frames[0]; f.Rows() == 0 && (f.Meta == nil || len(f.Meta.Notices) == 0) && typ != "variable" && typ != "annotations" {
			t.Errorf("%s: neither a row nor a sentence", typ)
		}
	}
}

// askedOf returns the member of for a type that needs one.
func askedOf(typ string) string {
	return map[string]string{"count": "trips", "variable": "agents"}[typ]
}

// A data source that is bound to a tenant answers nothing about another, whatever is asked.
func TestTenantSeesAnother(t *testing.T) {
	s := newStore(t)
	s.deletes("acme", "team/own", 1, schema.LevelTrip, ok, denied)
	other := s.deletes("rival", "team/secret", 2, schema.LevelTrip, ok, ok, denied)
	s.finding("acme", "team/own", schema.RunID{1}, schema.LevelTrip, schema.FamilyLoop, "own")
	s.finding("rival", "team/secret", other, schema.LevelTrip, schema.FamilyLoop, "secret")
	l := &breakerLog{State: breaker.New(breaker.DefaultBudget()), at: s.at}
	for _, tenant := range []string{"acme", "rival"} {
		l.apply(0, &schema.Command{Kind: schema.CommandForceOpen, Tenant: tenant, Scope: schema.Scope{Kind: schema.ScopeAgent,
			Value: map[string]string{"acme": "team/own", "rival": "team/secret"}[tenant]}, Reason: "stop", By: "ana"})
	}
	b := clickhouse.BreakersTable.NewBlock()
	for i := range l.stored {
		b.Append(&l.stored[i])
	}
	s.insert(b)
	for _, typ := range plugin.Types {
		for _, q := range []plugin.Query{{Type: typ, Run: "task-1", Resource: "order:1", Of: askedOf(typ)},
			{Type: typ, Run: other.String(), Agent: "team/secret", Resource: "order:1", Of: askedOf(typ)},
			{Type: typ, Run: "task-2", By: "agent", Of: "held"}} {
			r := s.ask("acme", q)
			for _, f := range r.Frames {
				text, _ := f.StringTable(-1, -1)
				if strings.Contains(text, "secret") && q.Agent == "" || strings.Contains(text, other.String()) {
					t.Errorf("%+v shows another tenant:\n%s", q, text)
				}
			}
		}
	}
	same(t, "own runs", column(s.ask("acme", plugin.Query{Type: "runs"}).Frames[0], "agent"), "team/own")
	same(t, "own calls", column(s.ask("acme", plugin.Query{Type: "count", Of: "calls"}).Frames[0], "calls"), "2")
	same(t, "by query", column(s.frames(plugin.Query{Type: "runs", Tenant: "rival"})[0], "agent"), "team/secret")
	if r := s.ask("acme", plugin.Query{Type: "trace", Run: "task-1"}); r.Error != nil || r.Frames[0].Rows() != 3 {
		t.Errorf("own trace: %v", r.Error)
	}
}

// Texts of an agent are texts: they change no statement, and nothing in them is hidden.
func TestHostileTextIsHidden(t *testing.T) {
	s := newStore(t)
	hostile := "x' OR 1=1 --\u202e${__all}\x1b[2K<script>\u2028{{x}}"
	run := s.deletes("acme", hostile, 1, schema.LevelTrip, ok, denied)
	s.finding("acme", hostile, run, schema.LevelTrip, schema.FamilyLoop, hostile)
	for _, typ := range plugin.Types {
		for _, q := range []plugin.Query{{Type: typ, Run: "task-1", Resource: "order:1", Of: askedOf(typ)},
			{Type: typ, Run: "'; DROP", Agent: "a' OR '1'='1", Resource: "' OR 1", Family: "') OR (1=1", Of: askedOf(typ)}} {
			r := s.ask("", q)
			if r.Error != nil && typ != "sql" {
				t.Errorf("%+v: %v", q, r.Error)
			}
			for _, f := range r.Frames {
				for _, field := range f.Fields {
					of, lines := strings.CutSuffix(field.Name, " in lines")
					for row, v := range column(f, field.Name) {
						if lines { // they have line breaks, and no other difference from what they show
							if v = strings.ReplaceAll(v, "\n", ""); v != column(f, of)[row] {
								t.Errorf("%s, %s: %q is not %q", typ, field.Name, v, column(f, of)[row])
							}
						}
						if i := strings.IndexFunc(v, func(c rune) bool { return !unicode.IsPrint(c) }); i >= 0 {
							t.Errorf("%s, %s: %q is not visible", typ, field.Name, v)
						}
					}
				}
				if q.Agent != "" && f.Rows() > 1 && typ != "health" { // which is of no agent
					t.Errorf("%s: %d rows of an agent that does not exist", typ, f.Rows())
				}
			}
		}
	}
}
