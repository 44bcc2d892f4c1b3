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

func TestRunsOfAFamilyAreOthers(t *testing.T) {
	c := migrated(t)
	_, found := storedFindings(t, c)
	rows := clickhouse.RunsTable.NewBlock()
	at := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC).UnixNano()
	for _, id := range []schema.RunID{found[0], found[1], {3}} {
		for _, tenant := range []string{"acme", "other"} { // the findings are of the first
			rows.Append(&schema.RunSnapshot{RunID: id, Tenant: tenant, Actor: "g:" + id.String(), AgentID: "agent",
				AgentTrust: schema.TrustVerified, State: schema.RunClosed, Calls: 1, StartedAt: at, LastAt: at + int64(id[0]), Version: 1})
		}
	}
	insert(t, c, rows)
	for _, tc := range []struct {
		filter query.RunFilter
		want   string
	}{
		{query.RunFilter{Families: []string{schema.FamilyLoop}}, "[2 1]"},
		{query.RunFilter{Families: []string{schema.FamilyRetry, schema.FamilyScope}}, "[2 1]"},
		{query.RunFilter{Families: []string{schema.FamilyRetry}}, "[1]"},
		{query.RunFilter{Families: []string{schema.FamilyRetry}, Agent: "agent", State: "closed", Since: time.Unix(0, at),
			Until: time.Unix(0, at+9)}, "[1]"},
		{query.RunFilter{Families: []string{schema.FamilyPace}}, "[]"},
	} {
		got := []byte{}
		for tc.filter.Limit = 1; ; {
			page, err := query.RunsPage(t.Context(), c, tc.filter)
			if err != nil {
				t.Fatalf("%+v: %v", tc.filter, err)
			}
			for _, r := range page.Rows {
				id, err := schema.ParseRunID(r.RunID)
				if err != nil || r.Tenant != "acme" {
					t.Errorf("%+v, %v", r, err)
				}
				got = append(got, id[0])
			}
			if tc.filter.After = page.Next; tc.filter.After == "" {
				break
			}
		}
		if fmt.Sprint(got) != tc.want {
			t.Errorf("%+v: %v, want %s", tc.filter, got, tc.want)
		}
	}
}

func TestPeriodOfTheAuditTrailHasOtherEntries(t *testing.T) {
	c := migrated(t)
	rows := clickhouse.AuditTable.NewBlock()
	at := func(hour int) time.Time { return time.Date(2026, 5, 4, hour, 0, 0, 0, time.UTC) }
	for i := range 5 {
		rows.Append(&schema.AuditEntry{Seq: uint64(i + 1), Tenant: "t", At: at(i).UnixNano(), Kind: "reset", Hash: fmt.Sprint("h", i)})
	}
	insert(t, c, rows)
	for _, tc := range []struct {
		win   query.Window
		limit int
		want  string
	}{{query.Window{}, 9, "[5 4 3 2 1]"}, {query.Window{}, 2, "[5 4]"}, {query.Window{Since: at(3)}, 9, "[5 4]"},
		{query.Window{Until: at(1)}, 9, "[2 1]"}, {query.Window{Since: at(1), Until: at(3)}, 2, "[4 3]"}, {query.Window{Since: at(9)}, 9, "[]"}} {
		list, err := query.AuditLatest(t.Context(), c, tc.win, tc.limit)
		got := []uint64{}
		for _, e := range list {
			got = append(got, e.Seq)
		}
		if err != nil || fmt.Sprint(got) != tc.want {
			t.Errorf("%+v: %v, %v, want %s", tc, got, err, tc.want)
		}
	}
}
