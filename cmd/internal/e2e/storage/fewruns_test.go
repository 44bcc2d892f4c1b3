package storage

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// A name with few runs is read by a list of them, one with many by its actors. Both answer the same about the same calls: those of
// runs that another name ended up with, those without a name, rows beside counted ones, rows of the check, and runs in the same traces.
func TestNameWithFewRunsIsAnsweredDifferently(t *testing.T) {
	c := migrated(t)
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	w := &named{at: at, runs: clickhouse.RunsTable.NewBlock(), touches: clickhouse.TouchesTable.NewBlock()}
	names := []string{"person-1", "person-2", "person-3", "person-4"}
	for i, name := range names {
		plain := i >= 2
		w.add(name, byte(i+1), plain)
		if i%2 == 1 {
			for n := range 3200 { // more than the list has
				w.call(&schema.RunSnapshot{RunID: schema.RunID{byte(i + 1), 1, byte(n >> 8), byte(n)}, Actor: "g:filler", PrincipalID: name},
					func(v *schema.Call) {
						v.Observer, v.Resources = "filler", []schema.Resource{{Type: "filler", ID: name}}
					})
			}
		}
	}
	insertCalls(t, c, w.calls...)
	insert(t, c, w.runs, w.touches)
	for _, win := range []query.Window{{}, {Since: at.Add(-time.Hour), Until: at.Add(time.Hour)}} {
		for i := 0; i < len(names); i += 2 {
			few, many := w.report(t, c, names[i], win, 0), w.report(t, c, names[i+1], win, 3200)
			many = strings.ReplaceAll(many, names[i+1], names[i])
			many = strings.ReplaceAll(many, fmt.Sprintf("%02x000000", i+2), fmt.Sprintf("%02x000000", i+1))
			if few != many {
				t.Errorf("since %v\nfew  %s\nmany %s", win.Since, few, many)
			}
			for _, want := range []string{`"Calls":7,`, `"resource":"order:` + names[i] + `-shared"`, "linked_runs: 1 other runs", "late_data: 1 calls"} {
				if i == 2 {
					want = strings.Replace(want, `"Calls":7,`, `"Calls":5,`, 1)
				}
				if !strings.Contains(few, want) {
					t.Errorf("%s: no %q in %s", names[i], want, few)
				}
			}
		}
	}
}

// named are calls of names that differ in nothing else.
type named struct {
	at      time.Time
	calls   []schema.Call
	runs    *clickhouse.Block[schema.RunSnapshot]
	touches *clickhouse.Block[schema.Touch]
}

// call adds a call of a run, which has the state of the run for its first one.
func (w *named) call(run *schema.RunSnapshot, change func(*schema.Call)) {
	n := int64(len(w.calls))
	v := schema.Call{Source: schema.Source{Topic: "gw"}, Pos: schema.Position{Offset: n}, Tenant: "default", RunID: run.RunID,
		ActorHash: schema.HashActor(run.Actor), Start: w.at.Add(time.Duration(n) * time.Millisecond).UnixNano(), DurationNs: -1,
		ObserverKind: schema.ObserverGateway, Observer: "edge", Method: "GET", Path: "/orders/1", Route: "/orders/{id}", Status: 200,
		Outcome: schema.OutcomeOK, RunRule: schema.RunExplicit, RunConfidence: 95, AgentID: run.Actor[2:], PrincipalID: run.PrincipalID,
		Effect: schema.EffectRead, Reversibility: schema.ReadOnly}
	change(&v)
	w.calls = append(w.calls, v)
	if len(v.Resources) > 0 {
		w.touches.AppendValue(touchOf(&v))
	}
	if run.Calls++; run.Calls == 1 {
		run.Tenant, run.Version, run.State, run.OpenedDay = "default", 2, schema.RunClosed, schema.DayOf(v.Start)
		run.AgentID, run.StartedAt, run.LastAt = v.AgentID, v.Start, v.Start+int64(time.Minute)
		w.runs.Append(run)
	}
}

// add adds the calls of a name; plain are rows that count, each of one call.
func (w *named) add(name string, id byte, plain bool) {
	run := func(n byte, actor, principal string) *schema.RunSnapshot {
		return &schema.RunSnapshot{RunID: schema.RunID{id, 0, 0, 0, n}, Actor: actor, PrincipalID: principal}
	}
	order := func(id string) []schema.Resource { return []schema.Resource{{Type: "order", ID: name + "-" + id}} }
	trace := [16]byte{id, 7}
	first, second := run(1, "g:team/a", name), run(2, "g:team/b", "somebody else")
	w.call(first, func(v *schema.Call) { v.Resources, v.TraceID = order("shared"), trace })
	w.call(first, func(v *schema.Call) {
		v.Method, v.Effect, v.Reversibility = "POST", schema.EffectCreate, schema.Irreversible // names no resource
		v.SetAttr("flyball_decision", "d-1")
	})
	w.call(first, func(v *schema.Call) { v.Resources, v.Late, v.Outcome = order("late"), true, schema.OutcomeServerError })
	w.call(second, func(v *schema.Call) { v.Resources = order("of somebody else") })
	w.call(second, func(v *schema.Call) { v.Resources, v.PrincipalID = order("in another's run"), name })
	w.call(run(3, "g:team/c", "somebody else"), func(v *schema.Call) { v.TraceID, v.Resources = trace, order("linked") })
	w.call(run(4, "g:team/d", name), func(v *schema.Call) { v.Resources, v.Observer = order("mesh"), "mesh" })
	if plain {
		return
	}
	line := w.calls[len(w.calls)-1]
	w.call(first, func(v *schema.Call) { v.PrincipalID, v.Resources = "", order("without a name") })
	w.call(first, func(v *schema.Call) { // a second row of a call, which names a further resource
		v.Resources, v.Duplicate = order("beside"), true
		v.SetAttr("observation_of", fmt.Sprintf("gw/0/%d/0", line.Pos.Offset))
	})
	w.call(first, func(v *schema.Call) {
		v.ObserverKind, v.AskedOnly, v.Path, v.Resources = schema.ObserverGate, true, "/asked", order("asked")
		v.Source.Topic, v.Status, v.Outcome = "flyball.check/p", 0, schema.OutcomeUnknown
	})
}

// report is the touched set of a name without the calls that fill it, of which there are some.
func (w *named) report(t *testing.T, c *clickhouse.Conn, name string, win query.Window, fill uint64) string {
	t.Helper()
	r, err := query.TouchedBy(t.Context(), c, query.Subject{Kind: "principal", Value: name}, nil, win)
	if err != nil {
		t.Fatal(err)
	}
	var resources []query.TouchedResource
	for _, v := range r.Resources {
		if v.Type != "filler" {
			v.FirstAt, v.LastAt = query.Time{}, query.Time{}
			resources = append(resources, v)
		}
	}
	var coverage []query.GatewayCoverage
	for _, g := range r.Coverage {
		if g.Gateway != "filler" {
			coverage = append(coverage, g)
		}
	}
	r.Totals.ByEffect["read"] -= fill
	r.Totals.ByReversibility["read_only"] -= fill
	text, err := json.Marshal(struct {
		Calls     uint64
		Resources []query.TouchedResource
		Coverage  []query.GatewayCoverage
		Totals    query.Totals
		Caveats   []string
	}{r.Calls - fill, resources, coverage, r.Totals, r.Caveats})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
