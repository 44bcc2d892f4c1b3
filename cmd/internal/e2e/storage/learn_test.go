package storage

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/detect/learn"
	"flyball/detect/model/baseline"
	"flyball/schema"
	"flyball/schema/clickhouse"
)

// agentRun is a run with its stored calls.
type agentRun struct {
	schema.RunSnapshot
	calls []schema.Call
}

func runOf(n int, agent, version string, at time.Time, calls int) agentRun {
	id := schema.RunIdentity{Tenant: "default", RoutingActor: agent, Rule: schema.RunExplicit, Key: fmt.Sprint(n)}.ID()
	r := agentRun{RunSnapshot: schema.RunSnapshot{RunID: id, Tenant: "default", RunKey: fmt.Sprint(n), AgentID: agent, AgentVersion: version,
		AgentTrust: schema.TrustInfrastructure, CallerKind: schema.CallerAgent,
		Rule: schema.RunExplicit, State: schema.RunClosed, Calls: uint64(calls), Version: uint64(2*calls + 1), StartedAt: at.UnixNano(),
		LastAt: at.Add(time.Duration(calls) * time.Second).UnixNano()}}
	for i := range calls {
		r.calls = append(r.calls, schema.Call{Source: schema.Source{Topic: "gw", TopicID: schema.TopicID{1}},
			Pos: schema.Position{Offset: int64(1000*n + i)}, Tenant: "default", RunID: id,
			ActorHash: schema.HashActor(r.Actor), CallsPart: int32(n % 2), CallsOffset: int64(n),
			Start: at.Add(time.Duration(i) * time.Second).UnixNano(), Method: "GET",
			Path: fmt.Sprint("/orders/", i), Route: "/orders/{id}",
			AgentID: agent, ArgsDigest: uint64(i), Outcome: schema.OutcomeOK, ResultDigestBasis: schema.DigestOutcome})
	}
	return r
}

func insertRuns(t testing.TB, c *clickhouse.Conn, runs ...agentRun) {
	t.Helper()
	b := clickhouse.RunsTable.NewBlock()
	var calls []schema.Call
	for i := range runs {
		b.Append(&runs[i].RunSnapshot)
		calls = append(calls, runs[i].calls...)
	}
	if err := c.Insert(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	if len(calls) > 0 {
		insertCalls(t, c, calls...)
	}
}

// between runs the function do before each query that follows the first ones; after is the
// number of these.
type between struct {
	*clickhouse.Conn
	asked, after int
	do           func()
}

func (b *between) Query(ctx context.Context, q string, args ...any) (driver.Rows, error) {
	if b.asked++; b.asked > b.after && b.do != nil {
		do := b.do
		b.do = nil
		do()
	}
	return b.Conn.Query(ctx, q, args...)
}

// A version must be learned from one state of the data: rows that are stored during learning
// belong to the next version.
func TestRowsThatArriveWhileLearningChangeTheVersion(t *testing.T) {
	c := migrated(t)
	now := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	var runs []agentRun
	for n := range 60 {
		runs = append(runs, runOf(n, fmt.Sprint("billing/a", n%3), "1", now.Add(-time.Duration(48+n)*time.Hour), 4))
	}
	insertRuns(t, c, runs...)
	progress := clickhouse.ProgressTable.NewBlock()
	for part := range int32(2) {
		progress.Append(&clickhouse.Progress{CallsTopicID: schema.TopicID{1}, CallsPartition: part, To: 59, At: now.UnixNano()})
	}
	if err := c.Insert(t.Context(), progress); err != nil {
		t.Fatal(err)
	}
	window := learn.Window{Tenant: "default", Since: now.Add(-720 * time.Hour), Until: now.Add(-24 * time.Hour), CallsPerRun: 500}
	version := func(db learn.DB) []*baseline.TrainingRun {
		t.Helper()
		pin, err := learn.ReadPin(t.Context(), db, 24*time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if len(pin) != 2 || pin[0] != 60 {
			t.Fatalf("pin: %v", pin)
		}
		if all, err := learn.ReadPin(t.Context(), db, 0); err != nil || all[0] < 60 {
			t.Fatalf("pin of all that is there: %v, %v", all, err)
		}
		history, err := learn.ReadHistory(t.Context(), db, window, 200)
		if err != nil {
			t.Fatal(err)
		}
		words, err := learn.ReadOverrides(t.Context(), db, "default", window.Since, now)
		if err != nil {
			t.Fatal(err)
		}
		out, err := learn.ReadRuns(t.Context(), db, window, pin, learn.SelectRuns(history, words, 200).Runs)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	want := version(c)
	if len(want) != 60 || len(want[0].Features) != 4 || want[0].Version != "1" {
		t.Fatalf("%d runs, %+v", len(want), want[0])
	}
	late := func() { // late calls of learned runs, and new runs
		var more []agentRun
		for n := range 30 {
			r := runOf(n, fmt.Sprint("billing/a", n%3), "1", now.Add(-time.Duration(48+n)*time.Hour), 9)
			for i := range r.calls {
				r.calls[i].CallsOffset = 100
			}
			r.calls = r.calls[4:]
			more = append(more, r, runOf(200+n, "billing/a1", "1", now.Add(-50*time.Hour), 3))
		}
		insertRuns(t, c, more...)
	}
	// After the query for the runs, no further run and no further call is learned.
	if got := version(&between{Conn: c, after: 6, do: late}); !reflect.DeepEqual(got, want) {
		t.Error("what was stored between two statements is in the version")
	}
	if again := version(c); reflect.DeepEqual(again, want) {
		t.Error("what arrived is in no version at all: the test shows nothing")
	}
}

// Each run that is not learned is counted under a reason.
func TestRunIsLeftOutWithoutAReason(t *testing.T) {
	c := migrated(t)
	now := time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)
	old := now.Add(-48 * time.Hour)
	var runs []agentRun
	n := 0
	add := func(change func(*schema.RunSnapshot), at time.Time) schema.RunID {
		n++
		r := runOf(n, "billing/a", "1", at, 3)
		if change != nil {
			change(&r.RunSnapshot)
		}
		runs = append(runs, r)
		return r.RunID
	}
	for i := range 5 {
		add(nil, old.Add(-time.Duration(i)*24*time.Hour))
	}
	add(nil, now.Add(-time.Hour))
	add(func(r *schema.RunSnapshot) { r.State = schema.RunOpen }, now.Add(-time.Minute))
	add(func(r *schema.RunSnapshot) { r.Rule = schema.RunOverflow }, old)
	add(func(r *schema.RunSnapshot) { r.SampledCalls = 2 }, old)
	add(func(r *schema.RunSnapshot) { r.Level = schema.LevelAlert }, old)
	held, judged, tripped := add(nil, old), add(nil, old), add(nil, old)
	asserted := runOf(99, "billing/a", "", old, 3)
	asserted.AgentTrust = schema.TrustAsserted
	insertRuns(t, c, append(runs, asserted)...)
	gates, findings, verdicts, orders := clickhouse.GatesTable.NewBlock(), clickhouse.FindingsTable.NewBlock(),
		clickhouse.VerdictsTable.NewBlock(), clickhouse.BaselineOrdersTable.NewBlock()
	gates.Append(&schema.Gate{ID: "g", Tenant: "default", RunID: held, State: schema.GateTimedOut, Mode: schema.ModeArmed})
	for i, id := range []schema.RunID{judged, tripped} {
		findings.Append(&schema.Finding{ID: fmt.Sprint("f", i), Tenant: "default", RunID: id, AgentID: "billing/a", Level: schema.LevelTrip,
			OpenedAt: old.UnixNano(), UpdatedAt: now.Add(-time.Hour).UnixNano(), State: schema.FindingClosed})
	}
	verdicts.Append(&schema.Verdict{Tenant: "default", FindingID: "f0", Label: schema.VerdictTrue, By: "ann"})
	orders.Append(&schema.BaselineOrder{Tenant: "default", Agent: "other", Kind: schema.OrderFreeze, At: 5, Generation: 3, By: "ann",
		Why: "w"})
	orders.Append(&schema.BaselineOrder{Tenant: "default", Agent: "over", Kind: schema.OrderFreeze, At: 5, Until: 6, Generation: 4, By: "ann",
		Why: "w"})
	orders.Append(&schema.BaselineOrder{Tenant: "default", Agent: "off", Kind: schema.OrderFreeze, At: 5, Generation: 5, Off: true, By: "ann",
		Why: "w"})
	orders.Append(&schema.BaselineOrder{Tenant: "default", Agent: "forgotten", Kind: schema.OrderReset, At: 7, Generation: 6, By: "ann",
		Why: "w"})
	for _, b := range []clickhouse.Rows{gates, findings, verdicts, orders} {
		if err := c.Insert(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	window := learn.Window{Tenant: "default", Since: now.Add(-720 * time.Hour), Until: now.Add(-24 * time.Hour), CallsPerRun: 500}
	history, err := learn.ReadHistory(t.Context(), c, window, 200)
	if err != nil {
		t.Fatal(err)
	}
	words, err := learn.ReadOverrides(t.Context(), c, "default", window.Since, now)
	if err != nil {
		t.Fatal(err)
	}
	if len(words.Freeze) != 1 || words.Freeze["other"].By != "ann" || words.Reset["forgotten"].At != 7 ||
		words.Incidents["billing/a"] != old.UnixNano() || len(words.Incidents) != 1 {
		t.Errorf("%+v", words)
	}
	words.Incidents = nil
	got := learn.SelectRuns(history, words, 200)
	want := map[string]uint64{"too_young": 1, "open": 1, "overflow": 1, "sampled": 1, "alarmed": 2, "held": 1, "judged": 1}
	if !reflect.DeepEqual(got.Excluded, want) {
		t.Errorf("left out: %v, want %v", got.Excluded, want)
	}
	if got.Clean != 6 || got.Status["~billing/a"] == nil || got.Status["billing/a"].SeenAt <= now.Add(-2*time.Minute).UnixNano() {
		t.Errorf("%d clean, %+v", got.Clean, got.Status)
	}
	for needed, after := range map[int]time.Duration{6: time.Minute, 7: 24 * time.Hour, 8: -1} {
		o, err := learn.ReadOutlook(t.Context(), c, learn.OutlookOptions{Tenant: "default", Needed: needed, Window: 720 * time.Hour,
			Quarantine: 24 * time.Hour, Now: now})
		if err != nil {
			t.Fatal(err)
		}
		if o.Ready != 6 || o.Quarantine != 1 || o.Open != 1 || o.Excluded["alarmed"] != 2 || o.Excluded["held"] != 1 ||
			o.EnoughAt.IsZero() != (after < 0) || o.EnoughAt.After(now.Add(max(after, 0))) ||
			needed == 7 && !o.EnoughAt.After(now.Add(22*time.Hour)) {
			t.Errorf("outlook for %d runs: %+v", needed, o)
		}
	}
	if _, err := c.QueryText(t.Context(), strings.ReplaceAll("SELECT state, why, baseline_version FROM {db}.baselines", "{db}",
		c.Database())); err != nil {
		t.Error(err)
	}
}
