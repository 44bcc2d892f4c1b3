package storage

import (
	"testing"
	"time"

	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// The calls of a closed run that goes on are stored before the state that says so.
func TestReportLeavesOutCallsOfAResumedRun(t *testing.T) {
	c := migrated(t)
	w := &named{at: time.Now().Add(-72 * time.Hour), runs: clickhouse.RunsTable.NewBlock(), touches: clickhouse.TouchesTable.NewBlock()}
	run := &schema.RunSnapshot{RunID: schema.RunID{1}, Actor: "g:team/a"}
	w.call(run, func(v *schema.Call) { v.Resources = []schema.Resource{{Type: "order", ID: "before"}} })
	w.call(run, func(v *schema.Call) {
		v.Start, v.Resources = time.Now().UnixNano(), []schema.Resource{{Type: "order", ID: "after the pause"}}
	})
	insertCalls(t, c, w.calls...)
	insert(t, c, w.runs, w.touches)
	stored, err := query.ResolveRun(t.Context(), c, run.RunID.String())
	if err != nil {
		t.Fatal(err)
	}
	full, err := query.RunInFull(t.Context(), c, stored, 100)
	if err != nil || len(full.CallList) != 2 {
		t.Errorf("%d calls, %v", len(full.CallList), err)
	}
	touched, err := query.TouchedBy(t.Context(), c, query.Subject{Kind: "run", Value: stored.RunID}, &stored, query.Window{})
	if err != nil || touched.Calls != 2 || len(touched.Resources) != 2 {
		t.Errorf("%+v, %v", touched, err)
	}
	ranked, err := query.RunsWithOutcomes(t.Context(), c, []query.Run{stored})
	if err != nil || ranked[0].Outcomes == nil || ranked[0].Outcomes.Done != 2 {
		t.Errorf("%+v, %v", ranked, err)
	}
}
