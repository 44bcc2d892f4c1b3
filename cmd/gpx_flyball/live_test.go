package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/grafana/grafana-plugin-sdk-go/backend"

	"flyball/dashboards/plugin"
	"flyball/detect/enforce/api"
	"flyball/schema"
)

// query asks with the members of a query.
func (v *viewer) query(q plugin.Query) backend.DataResponse {
	v.t.Helper()
	text, err := json.Marshal(q)
	if err != nil {
		v.t.Fatal(err)
	}
	return v.see(text, nil)
}

// line returns the state and the advice of a line of health that begins with a text.
func (v *viewer) line(part, begin string) string {
	v.t.Helper()
	r := v.query(plugin.Query{Type: "health", Part: part})
	if r.Error != nil {
		v.t.Fatal(r.Error)
	}
	what, state, todo := column(r.Frames[0], "what"), column(r.Frames[0], "state"), column(r.Frames[0], "what to do")
	at := slices.IndexFunc(what, func(text string) bool { return strings.HasPrefix(text, begin) })
	if at < 0 {
		return "none of " + strings.Join(what, ", ")
	}
	return state[at] + ": " + todo[at]
}

// A reader that is late, the owner of an agent and the promised rate are in no table: the control API knows them.
func TestLateReaderLooksWell(t *testing.T) {
	s := newStore(t)
	for i := range 8 {
		run := s.deletes("acme", "team/bad", byte(i+1), schema.LevelTrip, ok)
		s.finding("acme", "team/bad", run, schema.LevelTrip, schema.FamilyLoop, "deletes order after order")
	}
	f := deploy(t)
	manifest := "version: 1\nagent: team/*\nowner: orders@example\nscope: {routes: [GET /**]}\n"
	if code, text := f.Operate(t, "PUT", "/v1/manifests", fields{"text": manifest, "reason": "x"}, tokenRoot); code != 200 {
		t.Fatal(text)
	}
	v := s.viewer(f.url)
	lag := v.query(plugin.Query{Type: "count", Of: "lag_seconds", By: "reader"})
	if lag.Error != nil || len(lag.Frames[0].Fields) != 4 || lag.Frames[0].Fields[0].Labels["reader"] != "store" ||
		*lag.Frames[0].Fields[0].At(0).(*float64) != 90 || lag.Frames[0].Fields[0].Config.Unit != "s" {
		t.Errorf("lag: %v", lag)
	}
	same(t, "longest", column(v.query(plugin.Query{Type: "count", Of: "lag_seconds"}).Frames[0], "lag_seconds"), "90")
	for begin, want := range map[string]string{"lag of store": "look: 9000 records wait", "enforcement point a": "ok",
		"lag of detect": "ok", "lag of alert-ops": "ok", "lag of ingest": "ok"} {
		if got := v.line("", begin); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", begin, got, want)
		}
	}
	same(t, "stale", column(v.query(plugin.Query{Type: "count", Of: "stale_points", By: "point"}).Frames[0], "stale_points"), "0")
	quality := v.query(plugin.Query{Type: "quality"}).Frames[0]
	same(t, "nominal", column(quality, "nominal per 1,000"), "1")
	// 8 trips that nobody judged, less twice 1 in 1,000 of 8 runs.
	same(t, "over", column(v.query(plugin.Query{Type: "count", Of: "trips_over_budget"}).Frames[0], "trips_over_budget"), "7")
	same(t, "owner", column(v.query(plugin.Query{Type: "agents"}).Frames[0], "owner"), "orders@example")
	// The manifests are those of the tenant t, and an agent of another tenant may have the same name.
	same(t, "owner in another tenant", column(v.query(plugin.Query{Type: "agents", Tenant: "acme"}).Frames[0], "owner"), "")
	if got := column(v.query(plugin.Query{Type: "agents"}).Frames[0], "manifest")[0]; !strings.HasPrefix(got, "team/*, version ") {
		t.Errorf("manifest: %s", got)
	}
	for _, of := range []string{"lag_seconds", "stale_points"} {
		if r := v.query(plugin.Query{Type: "count", Of: of, Tenant: "acme"}); r.Error == nil || r.Status != backend.StatusBadRequest {
			t.Errorf("%s of a tenant: %v", of, r)
		}
	}
}

// The owners of agents are in no table either: without the control API their list says why it is empty.
func TestAgentsOfAnotherOwnerAreListed(t *testing.T) {
	s := newStore(t)
	s.deletes("t", "team/bad", 1, schema.LevelTrip, ok)
	s.deletes("t", "other/calm", 2, schema.LevelAlert, ok)
	f := deploy(t)
	for _, manifest := range []string{"version: 1\nagent: team/*\nowner: orders@example\nscope: {routes: [GET /**]}\n",
		"version: 1\nagent: team/good\nowner: orders@example\nscope: {routes: [GET /**]}\n",
		"version: 1\nagent: other/*\nowner: mail@example\nscope: {routes: [GET /**]}\n"} {
		if code, text := f.Operate(t, "PUT", "/v1/manifests", fields{"text": manifest, "reason": "x"}, tokenRoot); code != 200 {
			t.Fatal(text)
		}
	}
	v := s.viewer(f.url)
	for _, tc := range []struct {
		asked plugin.Query
		want  []string
	}{
		{plugin.Query{Of: "owners"}, []string{"mail@example", "orders@example"}},
		{plugin.Query{Of: "owners", Prefix: "or"}, []string{"orders@example"}},
		{plugin.Query{Of: "owners", Tenant: "acme"}, nil},
		{plugin.Query{Of: "agents", Owner: "orders@example"}, []string{"team/bad"}},
		{plugin.Query{Of: "agents", Owner: "nobody@example"}, nil},
		{plugin.Query{Of: "agents"}, []string{"other/calm", "team/bad"}},
	} {
		tc.asked.Type = "variable"
		r := v.query(tc.asked)
		if r.Error != nil {
			t.Fatalf("%+v: %v", tc.asked, r.Error)
		}
		same(t, fmt.Sprintf("%+v", tc.asked), column(r.Frames[0], "value"), tc.want...)
	}
	r := s.viewer("").query(plugin.Query{Type: "variable", Of: "owners"})
	if r.Error != nil || !strings.Contains(r.Frames[0].Meta.Notices[0].Text, "controlUrl") {
		t.Errorf("without a control API: %v", r)
	}
}

// Points that stopped to follow the log deny and allow by an old state.
func TestStalePointLooksWell(t *testing.T) {
	status := api.Status{Point: "a", Points: []api.PointArming{{Point: "a"}, {Point: "b", LagMS: 40_000}, {Point: "c", LagMS: 900}}}
	control := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(status) }))
	t.Cleanup(control.Close)
	s := newStore(t)
	count := func() []string {
		f := s.viewer(control.URL).query(plugin.Query{Type: "count", Of: "stale_points", By: "point"}).Frames[0]
		var out []string
		for _, field := range f.Fields {
			out = append(out, field.Labels["point"])
		}
		return out
	}
	same(t, "stale", count(), "b")
	v := s.viewer(control.URL)
	if got := v.line("breakers", "enforcement point b"); !strings.HasPrefix(got, "look: it is 40s behind the log") {
		t.Error(got)
	}
	if got := v.line("breakers", "enforcement point c"); got != "ok: " {
		t.Error(got)
	}
	status.Stale, status.StaleReason = true, "no record for 9s"
	same(t, "stale", count(), "a", "b")
	if got := s.viewer(control.URL).line("breakers", "enforcement point a"); got != "look: no record for 9s" {
		t.Error(got)
	}
}

// An alert rule takes 0 for "all is well": what is not known must not be 0, and what the tables know must not be lost with it.
func TestUnknownLagIsZero(t *testing.T) {
	s := newStore(t)
	s.deletes("acme", "team/bad", 1, schema.LevelTrip, ok)
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	none, away := s.viewer(""), s.viewer(closed.URL)
	for _, of := range []string{"lag_seconds", "stale_points", "bypasses", "trips_over_budget"} {
		q := plugin.Query{Type: "count", Of: of}
		if r := none.query(q); r.Error != nil || len(r.Frames[0].Fields) != 0 || !strings.Contains(r.Frames[0].Meta.Notices[0].Text,
			"controlUrl") {
			t.Errorf("%s without a control API: %v", of, r)
		}
		if r := away.query(q); r.Error == nil || r.Status != backend.StatusBadGateway || r.ErrorSource != backend.ErrorSourceDownstream {
			t.Errorf("%s, and the control API is away: %v", of, r)
		}
	}
	for _, typ := range []string{"agents", "quality"} {
		r := away.query(plugin.Query{Type: typ})
		if r.Error != nil || len(r.Frames[0].Meta.Notices) == 0 || typ == "agents" && r.Frames[0].Rows() != 1 {
			t.Errorf("%s, and the control API is away: %v", typ, r)
		}
	}
	if got := away.line("breakers", "what the control API knows"); !strings.HasPrefix(got, "unknown: the control API does not answer") {
		t.Error(got)
	}
	same(t, "held", column(none.query(plugin.Query{Type: "health", Part: "breakers"}).Frames[0], "what"), "scopes that are held now")
}

// While a bypass is in force nothing is refused, and a board that does not say so looks as always.
func TestBypassInForceIsNotShown(t *testing.T) {
	s := newStore(t)
	f := deploy(t)
	v := s.viewer(f.url)
	q := plugin.Query{Type: "health", Part: "bypass"}
	if r := v.query(q); r.Error != nil || r.Frames[0].Rows() != 0 {
		t.Errorf("none is in force: %v", r)
	}
	if code, text := f.Operate(t, "POST", "/v1/bypass", fields{"for_seconds": 1800, "reason": "a release"}, tokenRoot); code != 200 {
		t.Fatal(text)
	}
	v = s.viewer(f.url)
	frame := v.query(q).Frames[0]
	same(t, "what", column(frame, "what"), "of the whole tenant, by root: a release")
	same(t, "minutes", column(frame, "value"), "30")
	same(t, "count", column(v.query(plugin.Query{Type: "count", Of: "bypasses"}).Frames[0], "bypasses"), "1")
	if got := v.line("", "of the whole tenant"); !strings.HasPrefix(got, "look: nothing is refused") {
		t.Error(got)
	}
	same(t, "without a control API", column(s.viewer("").query(q).Frames[0], "state"), "unknown")
	if r := s.viewer("http://127.0.0.1:1").query(q); r.Error == nil {
		t.Errorf("the control API is away: %v", r)
	}
}
