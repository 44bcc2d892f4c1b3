package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"flyball/dashboards/plugin"
	"flyball/detect/enforce/breaker"
	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// A filter selects the same rows in every panel that it is said to apply to.
func TestFilterShowsOtherRows(t *testing.T) {
	s := newStore(t)
	s.at = time.Now().Add(-time.Hour).Truncate(time.Hour)
	names := []string{"team/a", "team/b", "other/a"}
	l := &breakerLog{State: breaker.New(breaker.DefaultBudget()), at: time.Now().Add(-time.Minute)}
	gates := clickhouse.GatesTable.NewBlock()
	for i, name := range names {
		run := s.deletes("acme", name, byte(i+1), schema.LevelAlert, ok, denied)
		s.finding("acme", name, run, []schema.Level{schema.LevelAnnotate, schema.LevelAlert, schema.LevelTrip}[i], schema.FamilyLoop, "loops")
		l.apply(0, trip(byte(i+1), name, schema.ModeArmed, time.Hour))
		gates.AppendValue(schema.Gate{ID: fmt.Sprint("g", i), Tenant: "acme", AgentID: name, State: schema.GatePending, Generation: uint64(i) + 1,
			AskedAt: time.Now().UnixNano(), Expires: time.Now().Add(time.Hour).UnixNano(), Mode: schema.ModeArmed})
	}
	b := clickhouse.BreakersTable.NewBlock()
	for i := range l.stored {
		b.Append(&l.stored[i])
	}
	s.insert(b, gates)
	for _, f := range []plugin.Filter{{Key: "agent", Operator: "=", Value: "team/a"}, {Key: "agent", Operator: "!=", Value: "team/a"},
		{Key: "agent", Operator: "=|", Values: []string{"team/a", "other/a", "team/none"}}, {Key: "agent", Operator: "=~", Value: "team/.*"},
		{Key: "agent", Operator: "!~", Value: ".*/a"}, {Key: "agent", Operator: "!=|", Values: names},
		{Key: "agent", Operator: "=~", Value: "team"}} {
		selects := query.Names{{Not: strings.HasPrefix(f.Operator, "!"), Pattern: f.Value}}
		if !strings.HasSuffix(f.Operator, "~") {
			selects[0].Any = f.Values
			if f.Values == nil {
				selects[0].Any = []string{f.Value}
			}
		}
		want := slices.DeleteFunc(slices.Clone(names), func(n string) bool { return !selects.Fit(n) })
		slices.Sort(want)
		for _, q := range []plugin.Query{{Type: "runs"}, {Type: "runs", Sort: "latest"}, {Type: "findings"}, {Type: "held"}, {Type: "breakers"},
			{Type: "breakers", State: "trips"}, {Type: "gates"}, {Type: "gates", State: "waiting"}, {Type: "agents"}} {
			q.Filters = []plugin.Filter{f}
			var got []string
			if frame := s.frames(q)[0]; len(frame.Fields) > 0 {
				got = column(frame, "agent")
			}
			slices.Sort(got)
			same(t, fmt.Sprint(q.Type, " ", q.State, " ", &f), got, want...)
		}
		for _, of := range []string{"trips", "findings", "gates_waiting", "held", "calls", "denied", "irreversible"} {
			each := len(want)
			if of == "calls" {
				each *= 2
			}
			same(t, of+" "+f.String(), column(s.frames(plugin.Query{Type: "count", Of: of, Filters: []plugin.Filter{f}})[0], of), fmt.Sprint(each))
		}
		sum := 0.0
		calls := s.frames(plugin.Query{Type: "calls", Filters: []plugin.Filter{f}})[0]
		if field, _ := calls.FieldByName("calls"); field != nil {
			for i := range field.Len() {
				if v := field.At(i).(*float64); v != nil {
					sum += *v
				}
			}
		}
		same(t, "calls over time "+f.String(), []string{fmt.Sprint(sum)}, fmt.Sprint(2*len(want)))
	}
	for _, tc := range []struct {
		f    plugin.Filter
		want string
	}{{plugin.Filter{Key: "level", Operator: "=", Value: "alert"}, "team/b"},
		{plugin.Filter{Key: "level", Operator: "!=", Value: "alert"}, "other/a team/a"},
		{plugin.Filter{Key: "level", Operator: "=~", Value: "a.*"}, "team/b team/a"},
		{plugin.Filter{Key: "family", Operator: "!=", Value: schema.FamilyLoop}, ""},
		{plugin.Filter{Key: "family", Operator: "=~", Value: schema.FamilyLoop[:3] + ".*"}, "other/a team/b team/a"},
		{plugin.Filter{Key: "state", Operator: "!=", Value: "open"}, ""}, {plugin.Filter{Key: "level", Operator: "=", Value: "severe"}, ""}} {
		f := s.frames(plugin.Query{Type: "findings", Filters: []plugin.Filter{tc.f}})[0]
		if got := column(f, "agent"); tc.want == "" && f.Rows() > 0 || tc.want != "" && strings.Join(got, " ") != tc.want {
			t.Errorf("%s: %v", &tc.f, got)
		}
	}
}

// Every table of agents would read every manifest; who owns which is asked for once in a while.
func TestTableOfAgentsReadsEveryManifest(t *testing.T) {
	s := newStore(t)
	s.deletes("acme", "team/a", 1, schema.LevelTrip, ok)
	s.deletes("acme", "team/b", 2, schema.LevelTrip, ok, ok)
	s.deletes("rival", "team/c", 3, schema.LevelTrip, ok, ok, ok)
	var asked, away atomic.Int64
	control := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		if away.Load() > 0 {
			panic(http.ErrAbortHandler)
		}
		_ = json.NewEncoder(w).Encode([]map[string]string{{"tenant": "acme", "agent": "team/*", "owner": "orders@example", "text": "x"},
			{"tenant": "acme", "agent": "team/b", "owner": "bills@example"}, {"tenant": "rival", "agent": "team/c", "owner": "secret@example"}})
	}))
	t.Cleanup(control.Close)
	v := s.viewer(control.URL)
	for i := range 5 {
		got := v.query(plugin.Query{Type: "agents", Limit: 10 + i, Tenant: "acme"})
		same(t, "owners", column(got.Frames[0], "owner"), "bills@example", "orders@example")
	}
	same(t, "choices", column(v.query(plugin.Query{Type: "variable", Of: "owners"}).Frames[0], "value"), "bills@example", "orders@example",
		"secret@example")
	same(t, "of a tenant", column(v.query(plugin.Query{Type: "variable", Of: "owners", Tenant: "acme", Prefix: "o"}).Frames[0], "value"),
		"orders@example")
	owner := func(operator, value string) []plugin.Filter {
		return []plugin.Filter{{Key: "owner", Operator: operator, Value: value}}
	}
	for operator, want := range map[string]string{"=": "team/b", "!=": "team/c team/a", "=~": "team/b"} {
		same(t, operator, column(v.query(plugin.Query{Type: "runs", Filters: owner(operator, "bills@example")}).Frames[0], "agent"),
			strings.Fields(want)...)
	}
	if asked.Load() != 1 {
		t.Errorf("the manifests were read %d times", asked.Load())
	}
	if r := s.ask("", plugin.Query{Type: "runs", Filters: owner("=", "x")}); r.Error == nil || r.Status != backend.StatusBadRequest ||
		!strings.Contains(r.Error.Error(), "controlUrl") {
		t.Errorf("without a control API: %v", r)
	}
	if r := s.ask("", plugin.Query{Type: "variable", Of: "owners"}); r.Error != nil || len(r.Frames[0].Meta.Notices) == 0 {
		t.Errorf("without a control API: %v", r)
	}
	away.Store(1)
	v = s.viewer(control.URL)
	before := asked.Load()
	for i := range 5 {
		if r := v.query(plugin.Query{Type: "agents", Limit: 10 + i}); r.Error != nil || r.Frames[0].Rows() != 3 {
			t.Errorf("the control API is away: %v", r)
		}
	}
	if r := v.query(plugin.Query{Type: "runs", Filters: owner("=", "x")}); r.Error == nil || r.Status != backend.StatusBadGateway {
		t.Errorf("the control API is away: %v", r)
	}
	if n := asked.Load() - before; n > 2 { // Go's client asks again on a new connection
		t.Errorf("a control API that is away was asked %d times", n)
	}
}
