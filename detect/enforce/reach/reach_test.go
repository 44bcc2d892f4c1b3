package reach

import (
	"strings"
	"testing"

	"flyball/detect/enforce/manifest"
	"flyball/schema"
)

func route(method, template string, r schema.Reversibility, used, all uint64) Route {
	return Route{Usage: manifest.Usage{Method: method, Route: template, Reversibility: r, Calls: all}, Effect: "x", Used: used}
}

var world = []Route{
	route("GET", "/v1/orders/{id}", schema.ReadOnly, 90, 100),
	route("DELETE", "/v1/orders/{id}", schema.Irreversible, 0, 7),
	route("POST", "/v1/refunds", schema.Irreversible, 12, 12),
	route("POST", "/v1/payouts", schema.Irreversible, 0, 40),
	route("PATCH", "/v1/orders/{id}", schema.Reversible, 3, 3),
}

func TestWithoutAManifestNothingBoundsIt(t *testing.T) {
	r := Analyze("bot", nil, 0, false, true, world)
	if !strings.Contains(r.Worst, "3 routes, 2 of which it never used; on 3 of them nothing bounds") {
		t.Error(r.Worst)
	}
	if r.Lines[0].Reversibility != "irreversible" || r.Lines[len(r.Lines)-1].Reversibility != "read_only" {
		t.Errorf("%+v", r.Lines)
	}
	if r := Analyze("bot", nil, 0, true, true, world); !strings.Contains(r.Worst, "no irreversible call") {
		t.Error(r.Worst)
	}
}

func TestReachIsWhatTheManifestLetsThrough(t *testing.T) {
	m, err := manifest.Parse([]byte(`version: 1
agent: bot
scope: {routes: [GET /v1/**, POST /v1/refunds, "PATCH /v1/orders/{id}", "DELETE /v1/orders/{id}"]}
autonomy: [{routes: [POST /v1/refunds], ask: never}]
quotas: [{name: refunds, routes: [POST /v1/refunds], calls: 30, per: 30m}, {name: day, calls: 480, per: 24h}]
`))
	if err != nil {
		t.Fatal(err)
	}
	r := Analyze("bot", m, 9, false, false, world)
	got := map[string]RouteAccess{}
	for _, l := range r.Lines {
		got[l.Route] = l
	}
	for route, want := range map[string]string{"POST /v1/refunds": "allowed", "DELETE /v1/orders/{id}": "asks", "POST /v1/payouts": "asks",
		"PATCH /v1/orders/{id}": "allowed", "GET /v1/orders/{id}": "allowed"} {
		if got[route].Access != want {
			t.Errorf("%s: %s because %s, want %s", route, got[route].Access, got[route].Why, want)
		}
	}
	// 30 in half an hour are 60 in an hour; all 480 of a day may be in one hour.
	if l := got["POST /v1/refunds"]; l.WorstPerHour != 60 || l.BoundBy != "refunds" {
		t.Errorf("%+v", l)
	}
	if l := got["PATCH /v1/orders/{id}"]; l.WorstPerHour != 480 || l.BoundBy != "day" {
		t.Errorf("%+v", l)
	}
	if !strings.Contains(r.Worst, "on 1 routes, 0 of which it never used; at most 60 an hour") {
		t.Error(r.Worst)
	}
	if len(r.Caveats) != 2 || !strings.Contains(r.Caveats[1], "observed") {
		t.Errorf("%v", r.Caveats)
	}
	// A change that stops no past call comes first.
	var lines []string
	for _, n := range r.Narrowings {
		lines = append(lines, n.Line)
		if strings.HasPrefix(n.Line, "ask always") && (n.Irreversible != 1 || n.Used != 12) {
			t.Errorf("%+v", n)
		}
	}
	if len(lines) != 3 || !strings.Contains(lines[0], "PATCH") {
		t.Errorf("%v", lines)
	}
}
