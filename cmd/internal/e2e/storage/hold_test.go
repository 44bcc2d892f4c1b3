package storage

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"flyball/detect/stitch"
	"flyball/ingest/hold"
	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// keeper returns a keeper of held runs at a time that can be changed.
func keeper(t *testing.T, c *clickhouse.Conn, now *time.Time) *hold.Keeper {
	t.Helper()
	return hold.NewKeeper(hold.Stored{Conn: c, Target: target(c)}, func() time.Time { return *now }, slog.New(slog.DiscardHandler),
		prometheus.NewRegistry())
}

func look(t *testing.T, k *hold.Keeper) {
	t.Helper()
	if err := k.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func insertHold(t *testing.T, c *clickhouse.Conn, run string, generation uint64, released bool) {
	t.Helper()
	id, err := schema.ParseRunID(run)
	if err != nil {
		t.Fatal(err)
	}
	b := clickhouse.HoldsTable.NewBlock()
	b.AppendValue(schema.Hold{Tenant: "default", RunID: id, Generation: generation, Released: released, At: 1e18, By: "ada", Why: "case 7"})
	if err := c.Insert(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

// heldCalls are calls of a run of a principal. Every third one deletes, and one is seen by the check and by a gateway.
func heldCalls(principal, key string, at time.Time, from, n int) (out []schema.Call) {
	for i := from; i < from+n; i++ {
		out = append(out, schema.Call{Source: schema.Source{Topic: "edge-" + key}, Pos: schema.Position{Offset: int64(i)}, Tenant: "default",
			RoutingKey: "g:ops/" + key, AgentID: "ops/" + key, AgentTrust: schema.TrustInfrastructure, CredentialID: "k_" + key,
			PrincipalID: principal, RunKey: key, Start: at.Add(time.Duration(i) * time.Second).UnixNano(), DurationNs: -1,
			ObserverKind: schema.ObserverGateway, Method: "DELETE", Route: "/v1/orders/{id}", Status: 204, Outcome: schema.OutcomeOK,
			Path: fmt.Sprint("/v1/orders/", i), Effect: schema.EffectDelete, Reversibility: schema.Irreversible,
			Attrs:     []schema.Attr{{Key: "region", Value: "eu"}},
			RequestID: fmt.Sprint("q-", key, "-", i), Resources: []schema.Resource{{Type: "order", ID: fmt.Sprint(i)}}})
	}
	return out
}

// insertStitched stitches calls into runs, and inserts the rows that detect writes.
func insertStitched(t *testing.T, c *clickhouse.Conn, p *stitch.Partition, calls []schema.Call) {
	t.Helper()
	touches := clickhouse.TouchesTable.NewBlock()
	for i := range calls {
		p.Apply(&calls[i], calls[i].Pos.Offset+1)
	}
	for i := range calls {
		for _, r := range calls[i].Resources {
			touches.AppendValue(schema.Touch{Tenant: calls[i].Tenant, Resource: r, Actor: calls[i].ActorHash, RunID: calls[i].RunID,
				Effect: calls[i].Effect, Reversibility: calls[i].Reversibility, First: calls[i].Start, Last: calls[i].Start})
		}
	}
	insertCalls(t, c, calls...)
	runs := clickhouse.RunsTable.NewBlock()
	for _, run := range p.TakeChanged(nil) {
		s := run.Snapshot()
		runs.Append(&s)
	}
	insert(t, c, runs, touches)
}

// insertJudgement inserts a score, a finding and a decision about a run.
func insertJudgement(t *testing.T, c *clickhouse.Conn, run, finding string, at time.Time) {
	t.Helper()
	id, err := schema.ParseRunID(run)
	if err != nil {
		t.Fatal(err)
	}
	scores, findings, decisions := clickhouse.ScoresTable.NewBlock(), clickhouse.FindingsTable.NewBlock(), clickhouse.DecisionsTable.NewBlock()
	scores.AppendValue(schema.Score{Tenant: "default", RunID: id, At: at.UnixNano(), Value: 3})
	findings.AppendValue(schema.Finding{ID: finding, Tenant: "default", RunID: id, Version: 1, Family: schema.FamilyPace,
		OpenedAt: at.UnixNano(), UpdatedAt: at.UnixNano(), AgentID: "ops/bot", Summary: "deletes"})
	decisions.AppendValue(schema.Decision{ID: "d_" + finding, Tenant: "default", RunID: id, At: at.UnixNano()})
	insert(t, c, scores, findings, decisions)
}

// expire removes the rows of the tables that have a retention, as retention does in the end.
func expire(t *testing.T, c *clickhouse.Conn) {
	t.Helper()
	for _, name := range []string{"calls_v5", "touches_v5", "call_ids", "postings", "runs_v5", "scores_store", "findings_store",
		"decisions_store"} {
		if err := clickhouse.DeleteRows(t.Context(), c, target(c), name, "1"); err != nil {
			t.Fatal(err)
		}
	}
}

// seen is what commands answer about a run, without the times and the lag of the question.
func seen(t *testing.T, c *clickhouse.Conn, key string) (run, touched string, from *query.HeldRun) {
	t.Helper()
	db, err := query.WithHolds(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	found, err := query.ResolveRun(t.Context(), db, key)
	if err != nil {
		t.Fatal(err)
	}
	full, err := query.RunInFull(t.Context(), db, found, 1000)
	if err != nil {
		t.Fatal(err)
	}
	from, full.FromHold = full.FromHold, nil
	full.Caveats = nil
	a, err := json.Marshal(full)
	if err != nil {
		t.Fatal(err)
	}
	set, err := query.TouchedBy(t.Context(), db, query.Subject{Kind: "run", Value: key}, &found, query.Window{})
	if err != nil {
		t.Fatal(err)
	}
	set.FromHold, set.StoredSince = nil, query.Time{}
	b, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return string(a), string(b), from
}

func TestHeldRunExpiresWithTheOthers(t *testing.T) {
	c := migrated(t)
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	now := at.Add(time.Hour)
	p := stitch.NewPartition(0, stitch.DefaultLimits())
	insertStitched(t, c, p, heldCalls("kim@corp.test", "bot", at, 0, 20))
	insertStitched(t, c, p, heldCalls("lee@corp.test", "other", at, 0, 20))
	run, err := query.ResolveRun(t.Context(), c, "bot")
	if err != nil {
		t.Fatal(err)
	}
	insertJudgement(t, c, run.RunID, "f_held", at)
	insertHold(t, c, run.RunID, 5, false)
	k := keeper(t, c, &now)
	look(t, k)

	// Late rows of a run that is held while it is open are copied by the next look that is due, and a repeat copies nothing.
	insertStitched(t, c, p, heldCalls("kim@corp.test", "bot", at, 20, 5))
	look(t, k)
	if n := sql(t, c, "SELECT count() FROM {db}.held_calls"); n != "20" {
		t.Fatalf("%s rows are held before the next look is due", n)
	}
	now = now.Add(time.Minute)
	look(t, k)
	rows := sql(t, c, "SELECT count() FROM {db}.held_calls_store")
	if rows != "25" {
		t.Fatalf("%s rows are held, want 25", rows)
	}
	for range 3 { // another process, and the same one after a restart
		k = keeper(t, c, &now)
		look(t, k)
	}
	if again := sql(t, c, "SELECT count() FROM {db}.held_calls_store"); again != rows {
		t.Errorf("repeated copies left %s rows, want %s", again, rows)
	}

	wantRun, wantTouched, from := seen(t, c, "bot")
	if from != nil {
		t.Error("rows that have not expired are read from their copies")
	}
	db, err := query.WithHolds(t.Context(), c)
	if err != nil || db != query.DB(c) {
		t.Errorf("a database without expired rows is not read as it is: %v", err)
	}
	before := map[query.Subject]string{}
	subjects := []query.Subject{{Kind: "agent", Value: "ops/bot"}, {Kind: "credential", Value: "k_bot"},
		{Kind: "principal", Value: "kim@corp.test"}, {Kind: "resource", Value: "order:7"}}
	for _, s := range subjects {
		before[s] = resourcesOf(t, c, s)
	}
	expire(t, c)
	gotRun, gotTouched, from := seen(t, c, "bot")
	if gotRun != wantRun {
		t.Errorf("run after the others have expired:\n%s\nbefore:\n%s", gotRun, wantRun)
	}
	if gotTouched != wantTouched {
		t.Errorf("touched after the others have expired:\n%s\nbefore:\n%s", gotTouched, wantTouched)
	}
	if from == nil || from.Why != "case 7" || from.Held != 25 || from.Live != 0 {
		t.Errorf("the run is from the hold %+v", from)
	}
	for _, s := range subjects {
		got := resourcesOf(t, c, s)
		if s.Kind == "resource" { // the other run touched it, too, and has expired
			if !strings.Contains(got, "ops/bot") || strings.Contains(got, "ops/other") {
				t.Errorf("%v: %s", s, got)
			}
			continue
		}
		if want := before[s]; got != want {
			t.Errorf("%v after the others have expired:\n%s\nbefore:\n%s", s, got, want)
		}
	}
	if _, err := query.ResolveRun(t.Context(), db, "other"); err == nil {
		t.Error("a run that nobody holds is found")
	}

	// Released: the copies are deleted, by whichever process looks first.
	insertHold(t, c, run.RunID, 6, true)
	look(t, keeper(t, c, &now))
	for _, table := range clickhouse.HeldTables() {
		if n := sql(t, c, "SELECT count() FROM {db}."+table); n != "0" {
			t.Errorf("%s has %s rows after the release", table, n)
		}
	}
	if _, err := query.WithHolds(t.Context(), c); err != nil {
		t.Error(err)
	}
}

// resourcesOf returns the resources of a touched set as text.
func resourcesOf(t *testing.T, c *clickhouse.Conn, s query.Subject) string {
	t.Helper()
	db, err := query.WithHolds(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	set, err := query.TouchedBy(t.Context(), db, s, nil, query.Window{})
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(set.Resources)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A part of the rows expires before the rest: what is held is one set, not the sum of both.
func TestHalfExpiredRunCountsTwice(t *testing.T) {
	c := migrated(t)
	at := time.Date(2026, 11, 20, 23, 59, 50, 0, time.UTC)
	now := at
	p := stitch.NewPartition(0, stitch.DefaultLimits())
	insertStitched(t, c, p, heldCalls("kim@corp.test", "bot", at, 0, 20)) // on two days
	run, err := query.ResolveRun(t.Context(), c, "bot")
	if err != nil {
		t.Fatal(err)
	}
	insertHold(t, c, run.RunID, 5, false)
	look(t, keeper(t, c, &now))
	want, _, _ := seen(t, c, "bot")
	if err := clickhouse.DeleteRows(t.Context(), c, target(c), "calls_v5", "toDate(start_time) = '2026-11-20'"); err != nil {
		t.Fatal(err)
	}
	if n := sql(t, c, "SELECT count() FROM {db}.calls"); n != "10" {
		t.Fatalf("%s calls have not expired", n)
	}
	got, _, from := seen(t, c, "bot")
	if got != want || from == nil || from.Live != 10 {
		t.Errorf("half expired, from %+v:\n%s\nbefore:\n%s", from, got, want)
	}
}

// A report reads the copies of a bounded number of runs. What it leaves out must be said, and a run that is asked for is read.
func TestOldHoldsAreLeftOutSilently(t *testing.T) {
	c := migrated(t)
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	p := stitch.NewPartition(0, stitch.DefaultLimits())
	insertStitched(t, c, p, heldCalls("kim@corp.test", "bot", at, 0, 3))
	run, err := query.ResolveRun(t.Context(), c, "bot")
	if err != nil {
		t.Fatal(err)
	}
	insertHold(t, c, run.RunID, 1, false)
	now := at
	look(t, keeper(t, c, &now))
	holds, copies := clickhouse.HoldsTable.NewBlock(), clickhouse.HeldCallsTable.NewBlock()
	for i := range query.MaxHeldRuns { // later holds, of which only the copies are left
		id := schema.RunID{15: byte(i), 14: byte(i >> 8), 0: 1}
		holds.AppendValue(schema.Hold{Tenant: "default", RunID: id, Generation: uint64(i) + 10, At: 1e18, By: "ada", Why: "case 8"})
		copies.AppendValue(schema.Call{Tenant: "default", RunID: id, Start: at.UnixNano()})
	}
	insert(t, c, holds, copies)
	expire(t, c)

	held, err := query.HeldRuns(t.Context(), c)
	if err != nil || len(held) != query.MaxHeldRuns+1 || !held[len(held)-1].NotRead || held[0].NotRead {
		t.Fatalf("%d held runs, the oldest %+v: %v", len(held), held[len(held)-1], err)
	}
	db, err := query.WithHolds(t.Context(), c)
	if err != nil || query.HeldRunsLeft(db) != 1 {
		t.Fatalf("%d held runs are left out: %v", query.HeldRunsLeft(db), err)
	}
	set, err := query.TouchedBy(t.Context(), db, query.Subject{Kind: "agent", Value: "ops/bot"}, nil, query.Window{})
	if err != nil || set.Complete || !strings.Contains(strings.Join(set.Caveats, "\n"), "holds_not_read: rows of 1 other held runs") {
		t.Errorf("the agent's touched set: %v, complete %v, %q", err, set.Complete, set.Caveats)
	}
	if db, err = query.WithHolds(t.Context(), c, run.RunID); err != nil {
		t.Fatal(err)
	}
	found, err := query.ResolveRun(t.Context(), db, run.RunID)
	if err != nil {
		t.Fatal(err)
	}
	set, err = query.TouchedBy(t.Context(), db, query.Subject{Kind: "run", Value: run.RunID}, &found, query.Window{})
	if err != nil || set.Calls != 3 || set.FromHold == nil {
		t.Errorf("the run by its id: %v, %d calls, from %+v", err, set.Calls, set.FromHold)
	}
}
