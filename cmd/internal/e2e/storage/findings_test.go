package storage

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// storedFindings stores four findings of two runs, and returns their ids.
func storedFindings(t *testing.T, c *clickhouse.Conn) (ids [4]string, runs [2]schema.RunID) {
	t.Helper()
	rows := clickhouse.FindingsTable.NewBlock()
	for i, f := range []struct {
		run    byte
		family string
		level  schema.Level
		state  schema.FindingState
	}{
		{1, schema.FamilyLoop, schema.LevelTrip, schema.FindingOpen}, {1, schema.FamilyRetry, schema.LevelAlert, schema.FindingClosed},
		{2, schema.FamilyScope, schema.LevelAlert, schema.FindingOpen}, {2, schema.FamilyLoop, schema.LevelAnnotate, schema.FindingOpen},
	} {
		var id schema.RunID
		id[0] = f.run
		runs[f.run-1] = id
		at := time.Date(2026, 5, 4, 10, i, 0, 0, time.UTC).UnixNano()
		one := schema.Finding{Tenant: "acme", RunID: id, AgentID: fmt.Sprintf("agent/%d", f.run), Family: f.family, Level: f.level,
			State: f.state, OpenedAt: at, UpdatedAt: at, Summary: "test", Version: 1, ExpectedOf: "tail", ExpectedRuns: 340,
			Acquaintance: schema.NewPopulation}
		one.ID = schema.FindingID(id, f.family)
		ids[i] = one.ID
		rows.Append(&one)
	}
	if err := c.Insert(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
	return ids, runs
}

func TestFilterOfFindingsSelectsOthers(t *testing.T) {
	c := migrated(t)
	ids, runs := storedFindings(t, c)
	for _, tc := range []struct {
		filter query.FindingFilter
		want   []int // latest first
	}{
		{query.FindingFilter{}, []int{3, 2, 1, 0}},
		{query.FindingFilter{Level: "alert"}, []int{2, 1}},
		{query.FindingFilter{MinLevel: "alert"}, []int{2, 1, 0}},
		{query.FindingFilter{State: "closed"}, []int{1}},
		{query.FindingFilter{Families: []string{schema.FamilyLoop, schema.FamilyRetry}}, []int{3, 1, 0}},
		{query.FindingFilter{Agent: "agent/2"}, []int{3, 2}},
		{query.FindingFilter{RunID: runs[0].String()}, []int{1, 0}},
		{query.FindingFilter{Tenants: []string{"other"}}, nil},
		{query.FindingFilter{Since: time.Date(2026, 5, 4, 10, 2, 0, 0, time.UTC)}, []int{3, 2}},
		{query.FindingFilter{Until: time.Date(2026, 5, 4, 10, 1, 0, 0, time.UTC), Limit: 1}, []int{1}},
	} {
		list, err := query.FindingsMatching(t.Context(), c, tc.filter)
		var got, want []string
		for _, f := range list {
			got = append(got, f.ID)
			if f.ExpectedRuns != 340 || f.Tenant != "acme" || f.Acquaintance != "new_population" {
				t.Errorf("%+v", f)
			}
		}
		for _, i := range tc.want {
			want = append(want, ids[i])
		}
		if err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%+v: %v, %v; want %v", tc.filter, got, err, want)
		}
	}
}

func TestPartOfAFindingsIdNamesNone(t *testing.T) {
	c := migrated(t)
	ids, runs := storedFindings(t, c)
	for _, tc := range []struct{ tenant, term, want string }{
		{"acme", ids[0], ids[0]}, {"", ids[0][:9], ids[0]}, {"other", ids[0], "none"}, {"acme", ids[0][:4], "none"},
		{"acme", runs[0].String(), "2"}, {"acme", "nosuch", "none"},
	} {
		f, err := query.ResolveFinding(t.Context(), c, tc.tenant, tc.term)
		got := f.ID
		var several *query.AmbiguousFinding
		switch {
		case errors.Is(err, query.ErrNotFound):
			got = "none"
		case errors.As(err, &several):
			got = fmt.Sprint(len(several.Candidates))
		case err != nil:
			t.Fatal(err)
		}
		if got != tc.want {
			t.Errorf("%q of %q is %s, want %s", tc.term, tc.tenant, got, tc.want)
		}
	}
}

func TestVerdictThatWasReplacedIsForgotten(t *testing.T) {
	c := migrated(t)
	ids, _ := storedFindings(t, c)
	record := func(label schema.VerdictLabel, generation uint64, why string, inHistory bool) {
		t.Helper()
		v := &schema.Verdict{Tenant: "acme", FindingID: ids[0], Label: label, By: "ops", Why: why, Generation: generation,
			At: time.Date(2026, 5, 4, 11, int(generation), 0, 0, time.UTC).UnixNano()}
		latest, history := clickhouse.VerdictsTable.NewBlock(), clickhouse.VerdictHistoryTable.NewBlock()
		latest.Append(v)
		tables := []clickhouse.Rows{latest}
		if inHistory {
			history.Append(v)
			tables = append(tables, history)
		}
		for _, rows := range tables {
			if err := c.Insert(t.Context(), rows); err != nil {
				t.Fatal(err)
			}
		}
	}
	history := func() (out string) {
		list, err := query.Verdicts(t.Context(), c, "acme", ids[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range list {
			out += v.Verdict + " " + v.Why + ";"
		}
		return out
	}
	record(schema.VerdictTest, 1, "of the version before", false)
	if got := history(); got != "test of the version before;" {
		t.Errorf("a verdict of the version before: %q", got)
	}
	record(schema.VerdictTrue, 2, "seen", true)
	record(schema.VerdictTrue, 2, "seen", true) // stored again after a crash
	record(schema.VerdictBenign, 3, "looked again", true)
	if got := history(); got != "benign looked again;true seen;" {
		t.Errorf("%q", got)
	}
	f, err := query.ResolveFinding(t.Context(), c, "acme", ids[0])
	if err != nil || f.Verdict != "benign" || f.Judge != "ops" || f.JudgedAt == nil || f.JudgedAt.Minute() != 3 {
		t.Errorf("the one in force: %+v, %v", f, err)
	}
}

func TestRecordOfEvidenceIsNotFound(t *testing.T) {
	c := migrated(t)
	for _, term := range []string{"5/269/0", "0/0/0"} {
		if hits, err := query.Find(t.Context(), c, term, 10); err != nil || len(hits) != 0 {
			t.Errorf("%s: %v, %v", term, hits, err)
		}
	}
}
