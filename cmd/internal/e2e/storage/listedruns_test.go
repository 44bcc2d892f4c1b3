package storage

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// Version 8 replaces the index of run ids: no row of version 7 may be lost by it, runs that version 7 stored are found by the new index,
// and the old one stays until the new one is made, and for a day.
func TestUpgradeFromVersion7LosesRowsOrItsIndexOfRuns(t *testing.T) {
	c := released(t, "7")
	insertDays(t, c, "calls_v5", "runs_v5", "touches_v5")
	before := sql(t, c, storedRows)
	keep := clickhouse.Retention{Runs: 400, Calls: 90}
	o := clickhouse.MigrateOptions{Retention: &keep}
	if took := migrateTo(t, c, o); !slices.Contains(took, "022 runs_v5.ix_run_id: index missing") {
		t.Errorf("no step for the index in %q", took)
	}
	until(t, "the index of the stored parts", func() bool {
		return sql(t, c, "SELECT count() FROM system.mutations WHERE database = '{db}' AND NOT is_done") == "0"
	})
	indexes := "SELECT arrayStringConcat(arraySort(groupArray(name)), ' ') FROM system.data_skipping_indices WHERE database = '{db}' " +
		"AND table = '" + stored("runs_v5") + "' AND name LIKE 'ix_run%' AND name != 'ix_run_key'"
	if again := migrateTo(t, c, o); len(again) != 0 || sql(t, c, indexes) != "ix_run ix_run_id ix_run_start" {
		t.Errorf("the second run took %q, indexes %s", again, sql(t, c, indexes))
	}
	asked := "SELECT actor_hash FROM {db}.run_states WHERE run_id IN (SELECT run_id FROM {db}.runs_v5 ORDER BY run_id LIMIT 1)"
	old := reads(t, c, asked)["runs_v5"]
	o.Now = time.Now().Add(25 * time.Hour)
	if planned := migrateTo(t, c, clickhouse.MigrateOptions{Plan: true, Now: o.Now}); len(planned) != 0 {
		t.Errorf("a report on these rows would wait for %q", planned)
	}
	if later := migrateTo(t, c, o); !slices.Equal(later, []string{"022 runs_v5.ix_run: index replaced"}) {
		t.Errorf("a day later it took %q", later)
	}
	if again := migrateTo(t, c, o); len(again) != 0 || sql(t, c, indexes) != "ix_run_id ix_run_start" {
		t.Errorf("the run after that took %q, indexes %s", again, sql(t, c, indexes))
	}
	if got := reads(t, c, asked)["runs_v5"]; got > old {
		t.Errorf("%d granules are read for a run, %d with the old index", got, old)
	}
	if after := sql(t, c, storedRows); after != before {
		t.Errorf("after the upgrade\n%s\nbefore\n%s", after, before)
	}
}

// Reports read listed runs where the rows of their calls are, and on the days of these. Random runs, also such as began days before, have a
// second segment, states and calls that are stored twice, calls that do not count and calls that come late, must be described as
// they are by their ids alone, and their calls counted as without any bound.
func TestListedRunIsDescribedDifferentlyThanByItsID(t *testing.T) {
	c := migrated(t)
	r := rand.New(rand.NewPCG(8, uint64(time.Now().UnixNano())))
	from := time.Date(2026, 10, 1, 0, 0, 0, 0, time.UTC)
	const resource = "order:shared"
	runs, touches := clickhouse.RunsTable.NewBlock(), clickhouse.TouchesTable.NewBlock()
	var calls []schema.Call
	for n := range 36 {
		actor := fmt.Sprint("g:actor-", n%7)
		at := from.Add(time.Duration(r.IntN(30*24*60)) * time.Minute)
		id := schema.RunID{byte(r.IntN(256)), byte(n), 8: 0x80 | byte(n)}
		for segment := range 1 + r.IntN(2) {
			s := schema.RunSnapshot{RunID: id, Segment: int64(1000*n + segment), Version: 2, Tenant: "default", Actor: actor,
				State: schema.RunState(r.IntN(2)), AgentID: actor[2:], RunKey: fmt.Sprint("key-", n), OpenedDay: schema.DayOf(at.UnixNano()),
				StartedAt: at.UnixNano(), Level: schema.Level(r.IntN(3)), Score: float64(r.IntN(4))}
			for range 1 + r.IntN(4) {
				at = at.Add(time.Duration(r.IntN(20*60)) * time.Minute)
				late := time.Duration(r.IntN(2)*r.IntN(200)) * time.Hour
				v := schema.Call{Source: schema.Source{Topic: "gw"}, Pos: schema.Position{Offset: int64(len(calls))}, Tenant: "default", RunID: id,
					ActorHash: schema.HashActor(actor), Start: at.UnixNano(), KafkaTime: at.Add(late).UnixNano(), AgentID: actor[2:],
					ObserverKind: schema.ObserverGateway, Observer: "edge", Method: "GET", Route: "/orders/{id}", Status: 200, Effect: schema.EffectRead,
					Reversibility: schema.ReadOnly, Outcome: schema.OutcomeOK, Resources: []schema.Resource{{Type: "order", ID: "shared"}}}
				if r.IntN(5) == 0 {
					v.Duplicate = true
				}
				if r.IntN(3) == 0 {
					v.TraceID = [16]byte{1, byte(r.IntN(12))}
				}
				if n%4 == 3 { // shares traces at most
					v.Resources = []schema.Resource{{Type: "order", ID: fmt.Sprint("of-", n)}}
				}
				s.Calls++
				s.Version += 2
				s.LastAt = v.Start
				calls = append(calls, v)
				touches.AppendValue(touchOf(&v))
				if r.IntN(3) == 0 { // a state in between, which is stored twice
					runs.Append(&s)
					runs.Append(&s)
				}
			}
			runs.Append(&s)
			at = at.Add(time.Duration(r.IntN(5*24)) * time.Hour)
		}
	}
	insert(t, c, runs, touches)
	insertCalls(t, c, calls...)
	insertCalls(t, c, calls[:len(calls)/2]...)                                                                  // once more
	for _, s := range []query.Subject{{Kind: "resource", Value: resource}, {Kind: "agent", Value: "actor-3"}} { // the one names single runs
		report, err := query.TouchedBy(t.Context(), c, s, nil, query.Window{})
		if err != nil {
			t.Fatal(err)
		}
		if len(report.Runs) == 0 {
			t.Fatalf("%s: no run is described", s.Kind)
		}
		for i := range report.Runs {
			got := report.Runs[i].Run
			want, err := query.ResolveRun(t.Context(), c, got.RunID)
			if err != nil {
				t.Fatal(err)
			}
			a, _ := json.Marshal(got)
			b, _ := json.Marshal(want)
			if string(a) != string(b) {
				t.Errorf("%s: %s\nby its id: %s", s.Kind, a, b)
			}
		}
		condition := map[string]string{"resource": "has(resources, '" + resource + "')", "agent": "agent_id = 'actor-3'"}[s.Kind]
		want := sql(t, c, "SELECT countIf(counted), uniqExact(run_id) FROM {db}.calls WHERE "+condition)
		ids := map[string]bool{}
		for i := range report.Resources {
			for _, id := range report.Resources[i].Runs {
				ids[id] = true
			}
		}
		if s.Kind == "resource" {
			if got := fmt.Sprintf("%d\t%d", report.Calls, len(ids)); got != want {
				t.Errorf("%s: %s calls and runs, without a bound %s", s.Kind, got, want)
			}
		}
		own := "FROM {db}.calls WHERE " + condition
		hour := func(at time.Time, by time.Duration) string {
			return at.Truncate(time.Hour).Add(by).UTC().Format("'2006-01-02 15:04:05'")
		}
		others := sql(t, c, "SELECT uniqExact(run_id) FROM {db}.calls WHERE trace_id IN (SELECT trace_id "+own+" AND trace_id != '') "+
			"AND run_id NOT IN (SELECT run_id "+own+") AND start_time >= "+hour(report.Since.Time, -time.Hour)+
			" AND start_time < "+hour(report.Until.Time, 2*time.Hour))
		caveat := slices.IndexFunc(report.Caveats, func(text string) bool { return strings.HasPrefix(text, "linked_runs: "+others+" other") })
		if others != "0" && caveat < 0 {
			t.Errorf("%s: %s other runs share traces; %q", s.Kind, others, report.Caveats)
		}
	}
	compareWorst(t, c)
	hits, err := query.Find(t.Context(), c, resource, 100)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range hits {
		got = append(got, fmt.Sprintf("%s\t%d\t%s\t%s", h.RunID, h.Calls, h.FirstAt.Format(time.RFC3339), h.LastAt.Format(time.RFC3339)))
	}
	slices.Sort(got)
	want := sql(t, c, "SELECT toString(run_id) AS id, greatest(countIf(counted), 1), formatDateTime(min(start_time), '%Y-%m-%dT%H:%i:%SZ'), "+
		"formatDateTime(max(start_time), '%Y-%m-%dT%H:%i:%SZ') FROM {db}.calls "+
		"WHERE has(resources, '"+resource+"') GROUP BY id ORDER BY id")
	if strings.Join(got, "\n") != want {
		t.Errorf("found\n%s\nstored\n%s", strings.Join(got, "\n"), want)
	}
}

// compareWorst compares the worst runs, fewer and more than have a level, with those of the view.
func compareWorst(t *testing.T, c *clickhouse.Conn) {
	t.Helper()
	for _, limit := range []int{1, 3, 7, 100} {
		runs, more, err := query.WorstRuns(t.Context(), c, query.RunFilter{Limit: limit, MinLevel: "annotate"})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i := range runs {
			got = append(got, runs[i].RunID)
		}
		want := sql(t, c, "SELECT toString(run_id) FROM {db}.runs WHERE level >= 'annotate' ORDER BY level DESC, ifNull(score, -1) DESC, "+
			fmt.Sprintf("last_at DESC, toString(run_id) LIMIT %d", limit))
		all := sql(t, c, "SELECT count() FROM {db}.runs WHERE level >= 'annotate'")
		if strings.Join(got, "\n") != want || more != (all != fmt.Sprint(len(got))) {
			t.Errorf("%d worst, more %v\n%s\nof %s in the view\n%s", limit, more, strings.Join(got, "\n"), all, want)
		}
	}
}
