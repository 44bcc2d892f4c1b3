package query

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// What Fit says of a name in memory is what the statement says of it in the database: see TestFilterShowsOtherRows of gpx_flyball.
func TestNameFitsAPartOfTheExpression(t *testing.T) {
	for _, tc := range []struct {
		names Names
		name  string
		want  bool
	}{
		{nil, "", true}, {Names{{Any: []string{"a"}}}, "a", true}, {Names{{Any: []string{"a"}}}, "ab", false},
		{Names{{Pattern: "a"}}, "ab", false}, {Names{{Pattern: "a.*"}}, "a\nb", true}, {Names{{Pattern: "a|b"}}, "bc", false},
		{Names{{Pattern: "(?i)TEAM/.+"}}, "team/a", true}, {Names{{Not: true, Pattern: "team/.*"}}, "team/a", false},
		{Names{{Not: true, Any: []string{"a", "b"}}}, "b", false}, {Names{{Not: true, Any: []string{"a"}}}, "", true},
		{Names{{Pattern: "team/.*"}, {Not: true, Any: []string{"team/a"}}}, "team/b", true}, {Names{{Any: []string{}}}, "", false},
	} {
		if err := tc.names.Check(); err != nil || tc.names.Fit(tc.name) != tc.want {
			t.Errorf("%+v %q: not %t (%v)", tc.names, tc.name, tc.want, err)
		}
	}
	for _, bad := range []Names{{{Pattern: "("}}, {{Pattern: "\xff"}}, {{Pattern: strings.Repeat("x", 501)}}, {{Pattern: "a{1001}"}},
		{{Any: make([]string, 1001)}}} {
		if bad.Check() == nil {
			t.Errorf("%.80v is taken", bad)
		}
	}
}

// A name stands in a statement as a parameter, never as its text.
func TestFilterChangesAStatement(t *testing.T) {
	hostile := "x') OR 1 = 1 --{agents_0:String}"
	names := Names{{Any: []string{hostile}}, {Not: true, Pattern: "q') OR 1 --"}}
	some := SomeAgents{Agents: names}
	for what, ask := range map[string]func(context.Context, DB) error{
		"runs": func(ctx context.Context, db DB) error {
			_, err := Runs(ctx, db, RunFilter{Agents: names, Until: time.Unix(1, 0)})
			return err
		},
		"worst": func(ctx context.Context, db DB) error {
			_, _, err := WorstRuns(ctx, db, RunFilter{Agents: names})
			return err
		},
		"held": func(ctx context.Context, db DB) error {
			_, err := Held(ctx, db, HeldFilter{Agents: names}, time.Unix(1, 0))
			return err
		},
		"gates": func(ctx context.Context, db DB) error {
			_, err := AskedGates(ctx, db, GateFilter{Agents: names}, time.Unix(1, 0))
			return err
		},
		"trips": func(ctx context.Context, db DB) error {
			_, err := CountTrips(ctx, db, "", some, Window{})
			return err
		},
		"calls": func(ctx context.Context, db DB) error {
			_, err := CountCallsOf(ctx, db, "calls", true, some, Window{})
			return err
		},
		"series": func(ctx context.Context, db DB) error {
			_, _, err := CallsBy(ctx, db, CallSeries{SomeAgents: some})
			return err
		},
		"breakers": func(ctx context.Context, db DB) error {
			_, err := BreakerHistory(ctx, db, BreakerFilter{Agents: names})
			return err
		},
		"findings": func(ctx context.Context, db DB) error {
			_, err := WorstFindings(ctx, db, FindingFilter{Agents: names, FamilyNames: names, Levels: []string{"trip"}})
			return err
		},
	} {
		db := &refusing{}
		if err := ask(t.Context(), db); !errors.Is(err, errRefused) {
			t.Errorf("%s: %v", what, err)
		}
		if db.asked == "" || strings.Contains(db.asked, "OR 1") || !strings.Contains(db.asked, "_0:String}") {
			t.Errorf("%s: %q", what, db.asked)
		}
	}
}
