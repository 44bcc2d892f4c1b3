package storage

import (
	"fmt"
	"os"
	"reflect"
	"testing"
	"time"

	"flyball/detect/learn"
	"flyball/detect/model/callrate"
	"flyball/schema"
	"flyball/schema/clickhouse"
)

// Some calls must not count for the pace, because the engine does not count them: calls that
// only the check saw, second rows of a call, calls denied by Flyball, sampled calls, calls of
// runs that a person labelled true, and calls of another tenant.
func TestPaceIsLearnedFromWhatTheEngineCounts(t *testing.T) {
	c := migrated(t)
	until := time.Date(2026, 11, 26, 12, 40, 0, 0, time.UTC) // weeks end at 12:00
	from := time.Date(2026, 11, 5, 12, 0, 0, 0, time.UTC)    // three weeks
	first := callrate.HourOfWeek(callrate.QuarterAt(from.UnixNano()))

	var calls []schema.Call
	runs, findings, verdicts := clickhouse.RunsTable.NewBlock(), clickhouse.FindingsTable.NewBlock(), clickhouse.VerdictsTable.NewBlock()
	n := int64(0)
	run := func(actor, agent string, change func(*schema.RunSnapshot)) schema.RunSnapshot {
		n++
		r := schema.RunSnapshot{RunID: schema.RunID{byte(n), byte(n >> 8), 9}, Tenant: "default", Actor: actor, AgentID: agent,
			AgentTrust: schema.TrustVerified, CallerKind: schema.CallerAgent,
			Rule: schema.RunSession, State: schema.RunClosed, Calls: 1, StartedAt: from.UnixNano(), LastAt: until.UnixNano(), Version: 3}
		if change != nil {
			change(&r)
		}
		runs.Append(&r)
		return r
	}
	call := func(r schema.RunSnapshot, at time.Time, change func(*schema.Call)) {
		n++
		call := schema.Call{Source: schema.Source{Topic: "gw"}, Pos: schema.Position{Offset: n}, Tenant: r.Tenant, RunID: r.RunID,
			Start:        at.UnixNano(),
			ObserverKind: schema.ObserverGateway, Method: "GET", Route: "/orders/{id}", Outcome: schema.OutcomeOK}
		if change != nil {
			change(&call)
		}
		calls = append(calls, call)
	}

	var want []callrate.Series
	for _, who := range []struct{ actor, agent string }{{"g:billing/a", "billing/a"}, {"k:1", "billing/b"}, {"k:2", "billing/b"},
		{"k:3", ""}} {
		s := callrate.Series{Agent: who.agent, Group: "billing"}
		if who.agent == "" {
			s.Group = ""
		}
		one, two := run(who.actor, who.agent, nil), run(who.actor, who.agent, nil) // of one actor: their calls count together
		for day := range 21 {
			for _, hour := range []int{0, 3, 21} {
				at := from.Add(time.Duration(24*day+hour) * time.Hour)
				k := 1 + (day+hour)%4
				for i := range k {
					call(one, at.Add(time.Duration(i)*time.Second), nil)
				}
				call(two, at.Add(14*time.Minute+59*time.Second), nil)
				call(two, at.Add(15*time.Minute), nil)
				first := float64(k + 1)
				s.Cells = append(s.Cells, callrate.HourCounts{Hour: int32(24*day + hour), ActiveQuarters: 2, Calls: first + 1, Squares: first*first + 1,
					Max: first})
			}
		}
		want = append(want, s)
	}
	usual := run("g:billing/a", "billing/a", nil)
	at := from.Add(50 * time.Hour)
	call(usual, at, func(c *schema.Call) { c.ObserverKind = schema.ObserverGate })
	call(usual, at, func(c *schema.Call) {
		c.Duplicate, c.Attrs = true, []schema.Attr{{Key: "observation_of", Value: "gw/0/1/0"}}
	})
	call(usual, at, func(c *schema.Call) { c.Outcome, c.DeniedBy = schema.OutcomeDenied, "flyball" })
	call(usual, from.Add(-time.Second), nil)
	call(usual, until.Truncate(time.Hour), nil)
	call(run("g:billing/a", "billing/a", func(r *schema.RunSnapshot) { r.SampledCalls = 1 }), at, nil)
	call(run("g:billing/a", "billing/a", func(r *schema.RunSnapshot) { r.Tenant = "other" }), at, nil)
	bad := run("g:billing/a", "billing/a", nil)
	for i := range 500 {
		call(bad, at.Add(time.Duration(i)*time.Second), nil)
	}
	f := schema.Finding{ID: "f_1", Version: 1, Tenant: "default", RunID: bad.RunID, Family: schema.FamilyPace, Level: schema.LevelAlert}
	findings.Append(&f)
	verdicts.Append(&schema.Verdict{Tenant: "default", FindingID: "f_1", Label: schema.VerdictTrue})

	insertCalls(t, c, calls...)
	for _, b := range []clickhouse.Rows{runs, findings, verdicts} {
		if err := c.Insert(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	got, err := learn.ReadCallRates(t.Context(), c, learn.Window{Tenant: "default", Since: from.Add(-time.Hour), Until: until})
	if err != nil {
		t.Fatal(err)
	}
	if expected := callrate.Fit(want, 3, first); !reflect.DeepEqual(got, expected) {
		t.Errorf("got  %+v\nwant %+v", got.Agents, expected.Agents)
	}
	if got, err := learn.ReadCallRates(t.Context(), c, learn.Window{Tenant: "default", Since: until.Add(-13 * 24 * time.Hour),
		Until: until}); got != nil || err != nil {
		t.Errorf("of less than two weeks: %v %v", got, err)
	}
}

// A measurement: the time to learn pace from eight million calls of four weeks, in 200,000
// runs of 2,000 actors.
func TestMeasurePace(t *testing.T) {
	if os.Getenv("FLYBALL_TEST_MEASURE") == "" {
		t.Skip("a measurement: set FLYBALL_TEST_MEASURE=1")
	}
	c := migrated(t)
	const nRuns, nCalls, each = 200_000, 8_000_000, 100_000
	from := time.Date(2026, 10, 29, 12, 0, 0, 0, time.UTC)
	id := func(n int) schema.RunID { return schema.RunID{byte(n), byte(n >> 8), byte(n >> 16), 1} }
	runs := clickhouse.RunsTable.NewBlock()
	for n := range nRuns {
		runs.Append(&schema.RunSnapshot{RunID: id(n), Tenant: "default", Actor: fmt.Sprint("k:", n%2000),
			AgentID:    fmt.Sprintf("g%d/a%d", n%7, n%2000),
			AgentTrust: schema.TrustVerified, State: schema.RunClosed, Version: 3, Calls: nCalls / nRuns})
	}
	if err := c.Insert(t.Context(), runs); err != nil {
		t.Fatal(err)
	}
	for first := 0; first < nCalls; first += each {
		b := clickhouse.CallsTable.NewBlock()
		for n := first; n < first+each; n++ {
			b.Append(&schema.Call{Source: schema.Source{Topic: "gw"}, Pos: schema.Position{Offset: int64(n)}, Tenant: "default",
				RunID: id(n / (nCalls / nRuns)),
				Start: from.UnixNano() + int64(n)*(28*86400e9/nCalls), Method: "GET", Path: "/orders/1", Route: "/orders/{id}"})
		}
		if err := c.Insert(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	b, err := learn.ReadCallRates(t.Context(), c, learn.Window{Tenant: "default", Since: from.Add(-time.Hour),
		Until: from.Add(28 * 24 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Printf("pace of %d agents of %d groups learned from %d calls in %s\n", len(b.Agents), len(b.Groups), nCalls,
		time.Since(began).Round(time.Millisecond))
}
