package main

import (
	"slices"
	"strings"
	"testing"

	"flyball/schema/clickhouse/query"
)

// Without an answer of a point nothing is known about what is armed and which manifests hold; reports
// said "not armed", "no manifest", or nothing.
func TestUnknownArmingIsTakenForNone(t *testing.T) {
	for _, name := range []string{"agents", "start-here", "hygiene"} {
		l := listings()[name]
		f := newFixture(t, "")
		f.db = l.db
		code, out, errs := f.run(l.args...)
		if code != exitIncomplete || !strings.Contains(errs, "unknown: ") || !strings.Contains(errs, "404") {
			t.Errorf("%s: exit %d, %s", name, code, errs)
		}
		for _, claim := range []string{"no_manifest", "gate, manifest, owner"} {
			if strings.Contains(out, claim) {
				t.Errorf("%s claims %q without an answer of a point:\n%s", name, claim, out)
			}
		}
		if name == "agents" && !strings.Contains(out, "verified  -      unknown") {
			t.Errorf("%s", out)
		}
	}
}

// A question has a bound on its rows; above it the answer looked like all there is.
func TestCutAnswerLooksComplete(t *testing.T) {
	for _, tc := range []struct {
		name, in, want string
		rows           int
	}{
		{"agents", "uniqExactIf(agent_version", "unknown: agents with fewer calls: there are more than 10000", query.MaxAgents + 1},
		{"hygiene", "agent_source != 'credential'", "unknown: further problems of the kind shared_credential: there are more than 100",
			query.MaxHygiene + 1},
		{"hygiene", "reversibility_source IN ('operator', 'openapi')) = n",
			"unknown: irreversible routes that agents call seldom, and whether a manifest names them: there are more than 1000", maxUnguarded + 1},
	} {
		l := listings()[tc.name]
		f := newFixture(t, "")
		f.db, f.api = l.db, l.api
		for i, a := range l.db {
			if a.in == tc.in {
				f.db = slices.Clone(l.db)
				f.db[i].rows = slices.Repeat(a.rows[:1], tc.rows)
			}
		}
		code, _, errs := f.run(l.args...)
		if code != exitIncomplete || !strings.Contains(errs, tc.want) {
			t.Errorf("%s: exit %d, %.300s; want %q", tc.name, code, errs, tc.want)
		}
	}
}

func TestListedSilenceIsNotAppliedAndNothingSaysSo(t *testing.T) {
	f := newFixture(t, "")
	f.api = map[string]string{"GET /v1/silences": `[{"id":"s_1","tenant":"default","until":"2026-11-20T12:00:00Z","by":"ana","applied":false},
{"id":"s_2","tenant":"default","until":"2026-11-20T12:00:00Z","by":"ana","applied":true},
{"id":"s_3","tenant":"default","until":"2026-11-20T12:00:00Z"}]`}
	_, out, _ := f.run("alert", "silence", "list")
	if !strings.Contains(out, "NOT APPLIED: s_1: the role alert does not have it") || strings.Count(out, "NOT APPLIED") != 1 {
		t.Error(out)
	}
}
