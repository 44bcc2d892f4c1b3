package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// A run that the check denied every attempt on a resource touched nothing, and is listed apart: of an actor that the counts of hours
// name, and of one whose calls are newer than these.
func TestRunThatWasDeniedEveryAttemptIsLeftOut(t *testing.T) {
	c := migrated(t)
	airline(t, c, 1, "airline/booking", schema.Resource{Type: "order", ID: "7"})
	attempt := func(n int, run byte, agent, id string, at time.Time) schema.Call {
		return schema.Call{Source: schema.Source{Topic: "flyball.check/p"}, Pos: schema.Position{Offset: int64(n)}, Tenant: "default",
			RunID: schema.RunID{run, 9}, ActorHash: schema.HashActor(agent), Start: at.UnixNano(), DurationNs: -1, AgentID: agent,
			ObserverKind: schema.ObserverGate, AskedOnly: true, Method: "DELETE", Route: "/orders/{id}", Path: "/orders/" + id,
			Outcome: schema.OutcomeDenied, DeniedBy: "flyball", Effect: schema.EffectDelete,
			Resources: []schema.Resource{{Type: "order", ID: id}}}
	}
	insertCalls(t, c, attempt(1, 7, "airline/thief", "7", reportTime), attempt(2, 7, "airline/thief", "7", reportTime.Add(time.Minute)),
		attempt(3, 8, "airline/other", "8", reportTime))
	of := func(value string, win query.Window) string {
		report := reportOn(t, c, "resource", value, win)
		out := fmt.Sprint(report.Calls, " calls")
		for _, d := range report.DeniedOnly {
			out += fmt.Sprintf("; %s %v%v%v%d last %v", d.RunID[:4], d.Agents, d.Effects, d.Routes, d.Attempts, d.LastAt.Sub(reportTime))
		}
		return out + "; " + strings.Join(report.Caveats, ", ")
	}
	const thief = "; 0709 [airline/thief][delete][DELETE /orders/{id}]2 last 1m0s"
	if got := of("order:7", query.Window{}); got != "1 calls"+thief+"; " {
		t.Errorf("order:7: %s", got)
	}
	if got := of("order:7", query.Window{Until: reportTime.Add(time.Second)}); !strings.Contains(got, "[DELETE /orders/{id}]1 last 0s") {
		t.Errorf("order:7 until the first attempt: %s", got)
	}
	if got := of("order:8", query.Window{}); !strings.Contains(got, "0809") || !strings.Contains(got, "nothing_found: no run touched") ||
		strings.Contains(got, "misspelt") {
		t.Errorf("order:8, which nobody touched: %s", got)
	}
	// The counts of hours come later than the calls.
	sql(t, c, "TRUNCATE TABLE {db}.hours") // in the cluster form the one with the parts
	if got := of("order:7", query.Window{}); got != "1 calls"+thief+"; " {
		t.Errorf("without counts: %s", got)
	}
}

// What has expired is not called misspelt.
func TestExpiredResourceIsCalledMisspelt(t *testing.T) {
	c := connect(t)
	days := clickhouse.Retention{Calls: 10, Runs: 20}
	migrateTo(t, c, clickhouse.MigrateOptions{Retention: &days, Now: time.Now().Add(-200 * 24 * time.Hour)})
	old := time.Now().Add(-15 * 24 * time.Hour).UnixNano() // too old for calls, not for runs
	actor := schema.HashActor("actor")
	insertRuns(t, c, agentRun{RunSnapshot: schema.RunSnapshot{RunID: schema.RunID{1}, OpenedDay: schema.DayOf(old), Tenant: "default",
		RunKey: "key", Actor: "actor", AgentID: "team/archivist", StartedAt: old, LastAt: old, Calls: 1}})
	postings := clickhouse.PostingsTable.NewBlock()
	postings.AppendValue(schema.Posting{Tenant: "default", Kind: schema.PostingAgent, Value: "team/archivist", Day: schema.DayOf(old),
		Actor: actor})
	insertRows(t, c, []clickhouse.Rows{postings})
	today := time.Now().UTC().Truncate(24 * time.Hour)
	calls, runs := today.AddDate(0, 0, -9).Format(time.DateOnly), today.AddDate(0, 0, -19).Format(time.DateOnly)
	for _, v := range []struct{ kind, value, want string }{
		{"resource", "order:7", "or they are older than the calls that are kept (since " + calls},
		{"agent", "team/nobody", "or they are older than the runs that are kept (since " + runs},
		{"agent", "team/archivist", "older than the calls that are kept (since " + calls},
	} {
		report := reportOn(t, c, v.kind, v.value, query.Window{})
		if text := strings.Join(report.Caveats, "\n"); !strings.Contains(text, v.want) || report.Complete {
			t.Errorf("%s %s: %s", v.kind, v.value, text)
		}
	}
	if why, err := query.ExplainUnknown(t.Context(), c, ""); err != nil || !strings.Contains(why, "calls that are kept (since "+calls) {
		t.Errorf("of a term: %s, %v", why, err)
	}

	// Nothing has expired of a database that keeps everything.
	if report := reportOn(t, migrated(t), "resource", "order:7", query.Window{}); strings.Contains(fmt.Sprint(report.Caveats), "older") {
		t.Errorf("%q", report.Caveats)
	}
}

// pagesOf reads all pages of a long answer.
func pagesOf[T any](t *testing.T, read func(after string) (rows []T, next string, err error)) (out []T, pages int) {
	t.Helper()
	for after := ""; ; pages++ {
		rows, next, err := read(after)
		if err != nil || pages > 1000 {
			t.Fatalf("page %d: %v", pages, err)
		}
		if out = append(out, rows...); next == "" {
			return out, pages + 1
		}
		after = next
	}
}

// sixth is the size of a page of which an answer has at most six.
func sixth(rows int) int { return (rows + 5) / 6 }

// The pages of a long answer have what the whole answer has, each row once and in the same order.
func TestPagesOfALongAnswerLackRows(t *testing.T) {
	h := newPastCalls(400)
	c := migrated(t)
	h.insert(t, c, 0)
	ctx := t.Context()
	same := func(what string, paged, whole any, pages int) {
		t.Helper()
		if a, b := fmt.Sprint(paged), fmt.Sprint(whole); a != b || pages < 2 {
			t.Errorf("%s: %d pages\n%.2000s\nwhole\n%.2000s", what, pages, a, b)
		}
	}
	for _, term := range []string{"team/agent-1", "key-1", "api-1", "search", "order:3"} {
		whole, err := query.Find(ctx, c, term, 1000)
		if err != nil {
			t.Fatal(err)
		}
		paged, pages := pagesOf(t, func(after string) ([]query.Hit, string, error) {
			page, err := query.FindPage(ctx, c, term, sixth(len(whole)), after)
			return page.Rows, page.Next, err
		})
		byField := func(a, b query.Hit) int { return strings.Compare(a.Field, b.Field) }
		slices.SortStableFunc(whole, byField)
		slices.SortStableFunc(paged, byField)
		same("find "+term, paged, whole, pages)
	}
	routes, err := query.Routes(ctx, c, time.Time{}, time.Time{}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	paged, pages := pagesOf(t, func(after string) ([]query.RouteRow, string, error) {
		page, err := query.RoutesPage(ctx, c, query.Window{}, sixth(len(routes)), after)
		return page.Rows, page.Next, err
	})
	for _, list := range [][]query.RouteRow{routes, paged} {
		for i := range list {
			list[i].API = "" // any of several
		}
	}
	same("routes", paged, routes, pages)
	for _, s := range []query.Subject{{Kind: "agent", Value: "team/agent-2"}, {Kind: "resource", Value: "order:7"}} {
		whole := reportOn(t, c, s.Kind, s.Value, query.Window{})
		paged, pages := pagesOf(t, func(after string) ([]query.TouchedResource, string, error) {
			part, err := query.TouchedPage(ctx, c, s, nil, query.Window{}, sixth(len(whole.Resources)), after)
			if err == nil && (part.Calls != whole.Calls || part.Next != "" != hasCaveat(part, "more_rows") ||
				after != "" != hasCaveat(part, "earlier_rows") || part.Complete) {
				t.Errorf("%v: a page of %d calls of %d, caveats %q", s, part.Calls, whole.Calls, part.Caveats)
			}
			return part.Resources, part.Next, err
		})
		for _, list := range [][]query.TouchedResource{whole.Resources, paged} {
			for i := range list {
				list[i].Runs = nil // at most 20 of them, in no order
			}
		}
		same(fmt.Sprint("touched by ", s), paged, whole.Resources, pages)
	}
}

// The cursor of a question is refused by every other one: it names places in an order and among rows that the other does not have.
func TestPageAfterTheCursorOfAnotherQuestion(t *testing.T) {
	h := newPastCalls(400)
	c := migrated(t)
	h.insert(t, c, 0)
	ctx := t.Context()
	day := query.Window{Since: reportTime.AddDate(-1, 0, 0)}
	find := func(term string) func(string) (string, error) {
		return func(after string) (string, error) {
			page, err := query.FindPage(ctx, c, term, 1, after)
			return page.Next, err
		}
	}
	routes := func(win query.Window) func(string) (string, error) {
		return func(after string) (string, error) {
			page, err := query.RoutesPage(ctx, c, win, 1, after)
			return page.Next, err
		}
	}
	touched := func(kind, value string, win query.Window) func(string) (string, error) {
		return func(after string) (string, error) {
			report, err := query.TouchedPage(ctx, c, query.Subject{Kind: kind, Value: value}, nil, win, 1, after)
			if err != nil {
				return "", err
			}
			return report.Next, nil
		}
	}
	runs := func(f query.RunFilter) func(string) (string, error) {
		return func(after string) (string, error) {
			f.Limit, f.After = 1, after
			page, err := query.RunsPage(ctx, c, f)
			return page.Next, err
		}
	}
	questions := map[string]func(after string) (next string, err error){
		"find an agent": find("team/agent-1"), "find a host": find("api-1"),
		"routes": routes(query.Window{}), "routes since": routes(day),
		"touched by an agent": touched("agent", "team/agent-2", query.Window{}), "another": touched("agent", "team/agent-1", query.Window{}),
		"touched since": touched("agent", "team/agent-2", day), "who touched": touched("resource", "order:7", query.Window{}),
		"runs": runs(query.RunFilter{}), "runs of an agent": runs(query.RunFilter{Agent: "team/agent-1"}),
		"runs since": runs(query.RunFilter{Since: day.Since}),
	}
	for of, first := range questions {
		next, err := first("")
		if err != nil || next == "" {
			t.Fatalf("%s: next %q, %v", of, next, err)
		}
		for name, ask := range questions {
			_, err := ask(next)
			if name == of && err != nil {
				t.Errorf("%s refuses its own cursor: %v", name, err)
			}
			if name != of && (err == nil || !strings.Contains(err.Error(), "ask for the first page again")) {
				t.Errorf("%s accepts the cursor of %s, or says %v", name, of, err)
			}
		}
	}
}

// What others did on behalf of a run is on the pages between its own.
func TestPagesLackWhatWasDoneOnBehalfOfARun(t *testing.T) {
	c := migrated(t)
	trace := [16]byte{7}
	call := func(n int, run byte, agent, id string) schema.Call {
		return schema.Call{Source: schema.Source{Topic: "gw"}, Pos: schema.Position{Offset: int64(n)}, Tenant: "default",
			RunID: schema.RunID{run}, ActorHash: schema.HashActor(agent), Start: reportTime.UnixNano() + int64(n), DurationNs: -1,
			ObserverKind: schema.ObserverGateway, Observer: "edge", Method: "DELETE", Path: "/x/" + id, TraceID: trace, AgentID: agent,
			Outcome: schema.OutcomeOK, RunRule: schema.RunExplicit, RunConfidence: 95, Effect: schema.EffectDelete,
			Reversibility: schema.Irreversible, Resources: []schema.Resource{{Type: "x", ID: id}}}
	}
	runs := clickhouse.RunsTable.NewBlock()
	for run, agent := range map[byte]string{1: "team/bot", 2: ""} {
		runs.AppendValue(schema.RunSnapshot{RunID: schema.RunID{run}, Version: 2, Tenant: "default", Actor: agent, AgentID: agent,
			OpenedDay: schema.DayOf(reportTime.UnixNano()), StartedAt: reportTime.UnixNano(), LastAt: reportTime.UnixNano() + 9, Calls: 4})
	}
	insert(t, c, runs)
	var calls []schema.Call
	for n := range 8 {
		calls = append(calls, call(n, byte(1+n%2), map[int]string{0: "team/bot"}[n%2], fmt.Sprint(n)))
	}
	insertCalls(t, c, calls...)
	run, err := query.ResolveRun(t.Context(), c, schema.RunID{1}.String())
	if err != nil {
		t.Fatal(err)
	}
	s := query.Subject{Kind: "run", Value: run.RunID}
	whole, err := query.TouchedBy(t.Context(), c, s, &run, query.Window{})
	if err != nil || len(whole.Resources) != 8 || whole.Calls != 8 {
		t.Fatalf("%+v, %v", whole, err)
	}
	paged, _ := pagesOf(t, func(after string) ([]query.TouchedResource, string, error) {
		part, err := query.TouchedPage(t.Context(), c, s, &run, query.Window{}, 3, after)
		if err == nil && part.Calls != 8 {
			t.Errorf("a page of %d calls", part.Calls)
		}
		return part.Resources, part.Next, err
	})
	if a, b := fmt.Sprint(paged), fmt.Sprint(whole.Resources); a != b {
		t.Errorf("pages\n%s\nwhole\n%s", a, b)
	}
}

// The start of an id is looked for in the runs of the last days, and the answer says so. A key is found whatever its time.
func TestStartOfAnIdReadsAllRuns(t *testing.T) {
	c := migrated(t)
	runs := clickhouse.RunsTable.NewBlock()
	add := func(id schema.RunID, key string, at time.Time) {
		runs.AppendValue(schema.RunSnapshot{RunID: id, Version: 2, RunKey: key, Tenant: "default", Actor: "g:a",
			OpenedDay: schema.DayOf(at.UnixNano()), StartedAt: at.UnixNano(), LastAt: at.UnixNano(), Calls: 1})
	}
	add(schema.RunID{0x3f, 0xa9, 0xc1, 1}, "", reportTime)
	add(schema.RunID{0x3f, 0xa9, 0xc1, 2}, "", reportTime.AddDate(0, 0, -60))
	add(schema.RunID{0x4f, 0xa9, 0xc1}, "abcdef12", reportTime.AddDate(0, 0, -60))
	insert(t, c, runs)
	insertCalls(t, c, schema.Call{Tenant: "default", Start: reportTime.UnixNano(), RunID: schema.RunID{9}})
	from := reportTime.AddDate(0, 0, -32)
	run, err := query.ResolveRun(t.Context(), c, "3fa9c1")
	if err != nil || run.RunID != (schema.RunID{0x3f, 0xa9, 0xc1, 1}).String() || !run.SearchedSince.Equal(from) {
		t.Errorf("3fa9c1: %s since %s, %v", run.RunID, run.SearchedSince, err)
	}
	if run, err := query.ResolveRun(t.Context(), c, "4fa9c1"); !errors.Is(err, query.ErrNotFound) ||
		!strings.Contains(err.Error(), "call since "+from.Format(time.DateOnly)) {
		t.Errorf("4fa9c1: %s, %v", run.RunID, err)
	}
	if run, err := query.ResolveRun(t.Context(), c, "abcdef12"); err != nil || run.RunID[:2] != "4f" {
		t.Errorf("a key: %s, %v", run.RunID, err)
	}
}

// manyCalls is a number of calls of which each names another route and another resource. With a million the test takes 10 to 20 s on two
// cores, half of it to store them: with fewer the groups of a statement fit into its memory, and nothing would go on with files.
const manyCalls = 1_000_000

// A run of a million calls on a million routes and resources, which a million runs have touched: each answer has a bound, and says that
// there is more.
func TestMillionOfRowsAreOneAnswer(t *testing.T) {
	c := migrated(t)
	at := "toDateTime64('2026-11-20 00:00:00', 9, 'UTC') + toIntervalMillisecond(number * 50)"
	id := schema.RunID{1}
	const part = manyCalls / 10 // what fits into the memory of a statement
	for from := 0; from < manyCalls; from += part {
		sql(t, c, fmt.Sprintf(`INSERT INTO {db}.calls_v5 (tenant, actor_hash, run_id, start_time, source_topic, source_offset, agent_id, method,
route, path, effect, reversibility, resources, outcome, observer_kind, counted, run_rule, run_confidence)
SELECT 'default', %d, '%s', %s, 'gw',
number, 'team/bot', 'DELETE', concat('/r', toString(number)), concat('/r', toString(number)), 'delete', 'irreversible',
[concat('order:', toString(number))], 'ok', 'gateway', true, 'explicit', 95 FROM numbers(%d, %d)`,
			schema.HashActor("g:a"), id, at, from, part))
	}
	sql(t, c, fmt.Sprintf(`INSERT INTO {db}.touches_v5 (tenant, resource, actor_hash, run_id, effect, first_at, last_at) SELECT 'default',
'order:hot', number %% 1000, reinterpretAsUUID(sipHash128(number)), 'read', %s, %s FROM numbers(%d)`, at, at, manyCalls))
	run := query.Run{RunID: id.String(), Tenant: "default", StartedAt: query.Time{Time: reportTime.AddDate(0, 0, -1)}}
	ctx := t.Context()
	year := query.Window{Since: reportTime.AddDate(-1, 0, 0), Until: reportTime.AddDate(0, 0, 1)}
	timed := func(what string, ask func(ctx context.Context) error) {
		t.Helper()
		began := time.Now()
		err := ask(ctx)
		t.Logf("%s: %.1f s", what, time.Since(began).Seconds())
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		err = ask(query.WithBounds(ctx, query.Bounds{Time: time.Minute, Memory: 8 << 20}))
		var e *query.Exceeded
		if !errors.As(err, &e) || e.Bound != query.MemoryBound {
			t.Errorf("%s within 8 MiB: %v", what, err)
		}
	}
	s := query.Subject{Kind: "run", Value: run.RunID}
	timed("touched by a run", func(ctx context.Context) error {
		report, err := query.TouchedBy(ctx, c, s, &run, query.Window{})
		if err == nil && (len(report.Resources) != query.MaxTouchedRows || report.Calls != manyCalls || report.Next == "" ||
			!hasCaveat(report, "more_rows") || report.Complete) {
			t.Errorf("%d resources of %d calls, caveats %q", len(report.Resources), report.Calls, report.Caveats)
		}
		return err
	})
	timed("routes of a year", func(ctx context.Context) error {
		page, err := query.RoutesPage(ctx, c, year, 200, "")
		if err == nil && (len(page.Rows) != 200 || page.Next == "") {
			t.Errorf("%d routes, next %q", len(page.Rows), page.Next)
		}
		return err
	})
	timed("find a hot resource", func(ctx context.Context) error {
		page, err := query.FindPage(ctx, c, "order:hot", 20, "")
		if err == nil && page.Next == "" {
			t.Errorf("%d runs, no next", len(page.Rows))
		}
		return err
	})
}

// The plan of a migration says which rows a shorter retention deletes.
func TestPlanHidesWhatExpires(t *testing.T) {
	c := connect(t)
	days := clickhouse.Retention{Calls: 90, Runs: 400}
	o := clickhouse.MigrateOptions{Target: target(c), Retention: &days}
	migrateTo(t, c, o)
	sql(t, c, "INSERT INTO {db}.migrations (version, number, name, sum, why, applied_at) SELECT version, number, name, sum, why, "+
		"applied_at - toIntervalDay(500) FROM {db}.migrations") // the database is that old
	old := time.Now().Add(-30 * 24 * time.Hour)
	insertCalls(t, c, schema.Call{Tenant: "default", Start: old.UnixNano(), RunID: schema.RunID{1}},
		schema.Call{Tenant: "default", Start: time.Now().UnixNano(), RunID: schema.RunID{1}})
	for days, want := range map[clickhouse.Retention]string{{Calls: 90, Runs: 400}: "[]", {}: "[]", {Calls: 100, Runs: 400}: "[]",
		{Calls: 10, Runs: 400}: fmt.Sprintf("[calls_v5: 1 rows of %[1]s to %[1]s are older than 10 days and would be deleted at once]",
			old.UTC().Format(time.DateOnly))} {
		o.Retention = &days
		got, err := clickhouse.Expiring(t.Context(), c, o)
		if fmt.Sprint(got) != want || err != nil {
			t.Errorf("%+v: %v, %v, want %s", days, got, err, want)
		}
	}
}

// A client invents as many producers as it likes, by the name of a service in its spans.
func TestInventedProducersAreOneAnswer(t *testing.T) {
	c := migrated(t)
	sql(t, c, `INSERT INTO {db}.stitching_v5 (tenant, hour, producer, format, run_rule, segment, calls) SELECT 'default',
toDateTime('2026-11-20 00:00:00', 'UTC'), concat('service-', toString(number)), 'otlp_spans', 'session', 1, 1 FROM numbers(30000)`)
	sql(t, c, `INSERT INTO {db}.stitching_v5 (tenant, hour, producer, format, run_rule, segment, calls) SELECT 'default',
toDateTime('2026-11-20 00:00:00', 'UTC'), 'edge', 'envoy_json/1', if(number = 0, 'session', 'explicit'), 1, 40 + number FROM numbers(2)`)
	rows, err := query.Stitching(t.Context(), c, time.Time{}, time.Time{}, "")
	if err != nil || len(rows) != query.MaxStitching+1 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	if rows[0].Producer != "edge" || rows[1].Producer != "edge" || rows[0].Calls != 41 || rows[1].Share != 40./81 {
		t.Errorf("the producer with most calls: %+v, %+v", rows[0], rows[1])
	}
}
