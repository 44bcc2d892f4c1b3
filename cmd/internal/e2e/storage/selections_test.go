package storage

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/ClickHouse/clickhouse-go/v2/lib/driver"

	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// Attempts that the check denied touched nothing, and are in the report whether they lie before or after the call that did: of
// an open run, of a closed one, and of one without a stored state.
func TestDeniedAttemptsAroundATouchAreDropped(t *testing.T) {
	c := migrated(t)
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	touches, runs := clickhouse.TouchesTable.NewBlock(), clickhouse.RunsTable.NewBlock()
	var calls []schema.Call
	states := []string{"open", "closed", "not stored"}
	for n, name := range states {
		id, actor := schema.RunID{byte(n + 1)}, fmt.Sprint("g:team/bot-", n)
		for i := range 6 {
			v := schema.Call{Source: schema.Source{Topic: "flyball.check/p"}, Pos: schema.Position{Offset: int64(len(calls))}, Tenant: "default",
				RunID: id, ActorHash: schema.HashActor(actor), Start: at.Add(time.Duration(i) * time.Hour).UnixNano(), DurationNs: -1,
				ObserverKind: schema.ObserverGate, AskedOnly: true, Method: "DELETE", Path: "/orders/7", Outcome: schema.OutcomeDenied,
				DeniedBy: "flyball", Effect: schema.EffectDelete, Resources: []schema.Resource{{Type: "order", ID: name}}}
			if i == 2 {
				v.Source.Topic, v.ObserverKind, v.AskedOnly, v.Outcome, v.DeniedBy = "gw", schema.ObserverGateway, false, schema.OutcomeOK, ""
				touches.AppendValue(touchOf(&v))
			}
			calls = append(calls, v)
		}
		if name != "not stored" {
			runs.AppendValue(schema.RunSnapshot{RunID: id, Version: 2, Tenant: "default", Actor: actor,
				State: map[string]schema.RunState{"open": schema.RunOpen, "closed": schema.RunClosed}[name], OpenedDay: schema.DayOf(at.UnixNano()),
				StartedAt: at.UnixNano(), LastAt: calls[len(calls)-1].Start, Calls: 6})
		}
	}
	insertCalls(t, c, calls...)
	insert(t, c, touches, runs)
	for _, name := range states {
		for win, want := range map[query.Window]string{{}: "6 calls 5 denied",
			{Since: at.Add(30 * time.Minute), Until: at.Add(3 * time.Hour)}: "3 calls 2 denied"} {
			report, err := query.TouchedBy(t.Context(), c, query.Subject{Kind: "resource", Value: "order:" + name}, nil, win)
			if err != nil || len(report.Resources) != 1 {
				t.Fatalf("%s: %+v, %v", name, report, err)
			}
			if got := fmt.Sprintf("%d calls %d denied", report.Calls, report.Resources[0].Denied); got != want {
				t.Errorf("a run that is %s, since %s: %s, want %s", name, win.Since, got, want)
			}
		}
	}
}

// The segments of a reopened run have states of their own. What is asked about it, each segment says a part of.
func TestReopenedRunIsNotListed(t *testing.T) {
	c := migrated(t)
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	runs := clickhouse.RunsTable.NewBlock()
	segment := func(id byte, n int64, ago time.Duration, state schema.RunState, level schema.Level, agent string) {
		at := now.Add(-ago).UnixNano()
		runs.AppendValue(schema.RunSnapshot{RunID: schema.RunID{id}, Segment: n, Version: uint64(2 + n), Tenant: "default", Actor: "g:a",
			AgentID: agent, OpenedDay: schema.DayOf(at), State: state, Level: level, StartedAt: at, LastAt: at, Calls: 1})
	}
	segment(1, 0, 50*time.Hour, schema.RunClosed, schema.LevelTrip, "")
	segment(1, 1, 10*time.Minute, schema.RunOpen, schema.LevelNone, "team/bot")
	segment(2, 0, 51*time.Hour, schema.RunClosed, schema.LevelTrip, "team/bot") // not reopened
	segment(3, 0, 20*time.Minute, schema.RunOpen, schema.LevelNone, "team/bot") // without a level
	insert(t, c, runs)
	hour, day := now.Add(-time.Hour), now.Add(-24*time.Hour)
	for i, q := range []struct {
		f    query.RunFilter
		want string
	}{
		{query.RunFilter{MinLevel: "trip"}, "1 2"},
		{query.RunFilter{MinLevel: "trip", State: "open"}, "1"},
		{query.RunFilter{MinLevel: "trip", State: "closed"}, "2"},
		{query.RunFilter{MinLevel: "trip", Since: hour}, "1"},
		{query.RunFilter{MinLevel: "trip", Since: hour, Until: now, Agent: "team/bot"}, "1"},
		{query.RunFilter{State: "open"}, "1 3"},
		{query.RunFilter{State: "open", Until: day}, "1"},
		{query.RunFilter{State: "closed", Until: day}, "2"},
		{query.RunFilter{Until: day}, "1 2"},
		{query.RunFilter{Agent: "team/bot", Until: day}, "1 2"},
		{query.RunFilter{Agent: "team/bot", MinLevel: "trip", State: "open", Until: day}, "1"},
	} {
		rows, err := query.Runs(t.Context(), c, q.f)
		got := ""
		for _, r := range rows {
			id, _ := schema.ParseRunID(r.RunID)
			got += fmt.Sprint(" ", id[0])
		}
		if err != nil || got != " "+q.want {
			t.Errorf("%d: runs%s, want %s; %v", i, got, q.want, err)
		}
		q.f.Limit = 1
		var paged string
		for range 4 {
			page, err := query.RunsPage(t.Context(), c, q.f)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page.Rows {
				id, _ := schema.ParseRunID(r.RunID)
				paged += fmt.Sprint(" ", id[0])
			}
			if q.f.After = page.Next; q.f.After == "" {
				break
			}
		}
		if paged != got {
			t.Errorf("%d: pages of%s, want%s", i, paged, got)
		}
	}
}

// busy is a database in which something happens after the first statement.
type busy struct {
	query.DB
	happens func()
	asked   int
}

func (b *busy) Query(ctx context.Context, text string, args ...any) (driver.Rows, error) {
	if b.asked++; b.asked == 3 && b.happens != nil { // the newest time, the selection, the selected runs
		b.happens()
	}
	return b.DB.Query(ctx, text, args...)
}

// Runs that arrive while a long list is read take the places of none that was selected.
func TestRunsThatArriveHideOthers(t *testing.T) {
	c := migrated(t)
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	n := 0
	arrive := func(count int) {
		runs, calls := clickhouse.RunsTable.NewBlock(), clickhouse.CallsTable.NewBlock()
		for range count {
			n++
			start := at.Add(time.Duration(n) * time.Second).UnixNano()
			id := schema.RunIdentity{Tenant: "default", Key: fmt.Sprint(n)}.ID()
			runs.AppendValue(schema.RunSnapshot{RunID: id, Version: 2, RunKey: fmt.Sprint("run-", n), Tenant: "default", Actor: "g:a",
				AgentID: "team/bot", OpenedDay: schema.DayOf(start), StartedAt: start, LastAt: start, Calls: 1})
			calls.AppendValue(schema.Call{Source: schema.Source{Topic: "gw"}, Pos: schema.Position{Offset: int64(n)}, Tenant: "default",
				RunID: id, ActorHash: schema.HashActor("g:a"), Start: start, DurationNs: -1, ObserverKind: schema.ObserverGateway,
				Host: "api.internal", AgentID: "team/bot"})
		}
		insert(t, c, runs, calls)
	}
	arrive(700)
	for name, f := range map[string]query.RunFilter{"all": {}, "agent": {Agent: "team/bot"}} {
		old := n
		db := &busy{DB: c, happens: func() { arrive(20) }}
		seen := map[string]bool{}
		for f.Limit = 600; ; {
			page, err := query.RunsPage(t.Context(), db, f)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range page.Rows {
				seen[r.RunKey] = true
			}
			if f.After = page.Next; f.After == "" {
				break
			}
		}
		for i := range old {
			if key := fmt.Sprint("run-", i+1); !seen[key] {
				t.Fatalf("%s: %s of %d is on no page", name, key, old)
			}
		}
	}
	// The statements of a search before the selected runs are read: indexes, newest time, selection.
	for after := 1; after < 8; after++ {
		db := &busy{DB: c, asked: 3 - after, happens: func() { arrive(20) }}
		hits, err := query.Find(t.Context(), db, "api.internal", 600)
		if err != nil || len(hits) != 600 {
			t.Fatalf("20 runs before statement %d: %d hits, %v", after, len(hits), err)
		}
		if !slices.IsSortedFunc(hits, func(a, b query.Hit) int { return b.LastAt.Compare(a.LastAt.Time) }) {
			t.Error("the newest run is not the first")
		}
	}
}

// The line of a call that the check had counted before an upgrade comes afterwards: the row of the check is in the table of
// version 4, which has no actor.
func TestLineAfterTheUpgradeLeavesTheCallUnlogged(t *testing.T) {
	c := released(t, "4")
	migrate(t, c, false)
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	call := schema.Call{Source: schema.Source{Topic: "flyball.check/p"}, Tenant: "default", RunID: schema.RunID{1},
		RunRule: schema.RunExplicit, RunConfidence: 95, ActorHash: schema.HashActor("g:a"), Start: at.UnixNano(), DurationNs: -1,
		ObserverKind: schema.ObserverGate, AskedOnly: true, Method: "DELETE", Path: "/orders/7", Effect: schema.EffectDelete,
		Resources: []schema.Resource{{Type: "order", ID: "7"}}}
	old := clickhouse.LegacyCallsTable.NewBlock()
	old.Append(&call)
	insert(t, c, old)
	line := call
	line.Source.Topic, line.ObserverKind, line.AskedOnly, line.LoggedLate = "gw", schema.ObserverGateway, false, true
	line.Outcome, line.Status, line.BytesOut = schema.OutcomeServerError, 500, 111
	line.Attrs = []schema.Attr{{Key: "observation_of", Value: "flyball.check/p/0/0/0"}}
	insertCalls(t, c, line)
	run := query.Run{RunID: schema.RunID{1}.String(), Tenant: "default"}
	report, err := query.TouchedBy(t.Context(), c, query.Subject{Kind: "run", Value: run.RunID}, &run, query.Window{})
	if err != nil || len(report.Resources) != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
	if r := report.Resources[0]; hasCaveat(report, "asked_only") || report.Calls != 1 || r.Failed != 1 || r.BytesOut != 111 {
		t.Errorf("%d calls, %+v, caveats %q", report.Calls, r, report.Caveats)
	}
}

// The counts of minutes are kept longer than calls.
func TestExpiredCallsCountAsStored(t *testing.T) {
	c := connect(t)
	days := clickhouse.Retention{Calls: 10, Runs: 20}
	migrateTo(t, c, clickhouse.MigrateOptions{Retention: &days, Now: time.Now().Add(-200 * 24 * time.Hour)})
	minutes := clickhouse.MinutesTable.NewBlock()
	for i, ago := range []int{15, 11, 8, 0} {
		minutes.AppendValue(schema.MinuteCount{Tenant: "default", Minute: time.Now().Truncate(time.Minute).AddDate(0, 0, -ago).UnixNano(),
			Counters: schema.Counters{Outcomes: [schema.OutcomeAborted + 1]uint64{1 << i}}})
	}
	insert(t, c, minutes)
	if n, err := query.CountCalls(t.Context(), c); err != nil || n != 12 {
		t.Errorf("%d calls are stored, want those of the last 10 days, 12; %v", n, err)
	}
}
