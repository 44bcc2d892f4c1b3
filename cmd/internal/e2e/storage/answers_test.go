package storage

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// pastCalls is a random history of some days: calls of agents with shared credentials, principals, addresses and traces, some
// of which name nobody, with their runs.
type pastCalls struct {
	calls []schema.Call
	runs  []schema.RunSnapshot
}

func newPastCalls(n int) *pastCalls {
	r := rand.New(rand.NewPCG(21, 3))
	h := &pastCalls{}
	at := map[schema.RunID]int{}
	start := time.Date(2026, 11, 20, 22, 0, 0, 0, time.UTC)
	for i := range n {
		start = start.Add(time.Duration(r.IntN(1_200_000)) * time.Millisecond)
		agent := r.IntN(5)
		name := fmt.Sprint("team/agent-", agent)
		actor := fmt.Sprint("g:actor-", agent%4) // two agents share an actor
		key := fmt.Sprintf("job-%d-%d", agent, i/40)
		id := schema.RunIdentity{Tenant: "default", RoutingActor: actor, Rule: schema.RunExplicit, Key: key}.ID()
		route := r.IntN(3)
		c := schema.Call{Source: schema.Source{Topic: "gw"}, Pos: schema.Position{Offset: int64(i)}, Tenant: "default", RunID: id, RunKey: key,
			ActorHash: schema.HashActor(actor), RunRule: schema.RunExplicit, RunConfidence: 95, Start: start.UnixNano(), DurationNs: 1e6,
			Format: "envoy_json/1", ObserverKind: schema.ObserverGateway, Observer: "edge", OpKind: schema.OpHTTP, API: "orders",
			Host: fmt.Sprint("api-", route), ToolName: []string{"", "search", ""}[route],
			ClientIP: netip.AddrFrom4([4]byte{192, 0, 2, byte(agent % 2)}),
			AgentID:  name, AgentSource: "header", AgentTrust: schema.TrustInfrastructure, AgentAsserted: fmt.Sprint("claimed-", agent%2),
			CredentialID: fmt.Sprint("key-", agent%3), PrincipalID: "ana@example.com", PrincipalKind: schema.PrincipalHuman,
			CallerKind: schema.CallerAgent, RequestID: fmt.Sprint("request-", i/2), TraceID: [16]byte{1, byte(i / 7 >> 8), byte(i / 7)},
			Method: []string{"GET", "POST", "DELETE"}[route], Path: fmt.Sprint("/v1/orders/", i%17),
			Route: "/v1/orders/{id}", RouteKey: "/v1/orders/{}",
			Effect:        []schema.Effect{schema.EffectRead, schema.EffectCreate, schema.EffectDelete}[route],
			Reversibility: []schema.Reversibility{schema.ReadOnly, schema.Compensable, schema.Irreversible}[route],
			Status:        200, Outcome: schema.OutcomeOK, BytesOut: uint64(i), CallsOffset: int64(i),
			Resources: []schema.Resource{{Type: "order", ID: fmt.Sprint(i % 17)}}}
		if r.IntN(6) == 0 { // an observer that does not know the caller
			c.AgentID, c.AgentTrust, c.CredentialID, c.PrincipalID, c.PrincipalKind = "", schema.TrustNone, "", "", schema.PrincipalUnknown
		}
		if r.IntN(9) == 0 {
			c.Outcome, c.Status = schema.OutcomeDenied, 403
		}
		h.calls = append(h.calls, c)
		k, there := at[id]
		if !there {
			k = len(h.runs)
			at[id] = k
			h.runs = append(h.runs, schema.RunSnapshot{RunID: id, RunKey: key, Tenant: "default", Actor: actor, Rule: schema.RunExplicit,
				OpenedDay: schema.DayOf(c.Start), State: []schema.RunState{schema.RunOpen, schema.RunClosed}[r.IntN(2)], AgentID: name,
				AgentTrust: schema.TrustInfrastructure, CredentialID: fmt.Sprint("key-", agent%3), PrincipalID: "ana@example.com",
				PrincipalKind: schema.PrincipalHuman, CallerKind: schema.CallerAgent, TaskID: fmt.Sprint("task-", i/80),
				ConversationID: fmt.Sprint("talk-", i/60), TraceID: c.TraceID, StartedAt: c.Start, Level: schema.Level(r.IntN(3))})
		}
		run := &h.runs[k]
		run.Calls++
		run.Version, run.LastAt = 2*run.Calls, c.Start
	}
	return h
}

// insert stores the calls from a number on, with their runs, in the tables of version 5, and those before in the tables of
// version 4.
func (h *pastCalls) insert(t *testing.T, c *clickhouse.Conn, from int) {
	t.Helper()
	calls, runs, touches := clickhouse.CallsTable.NewBlock(), clickhouse.RunsTable.NewBlock(), clickhouse.TouchesTable.NewBlock()
	oldCalls, oldRuns := clickhouse.LegacyCallsTable.NewBlock(), clickhouse.LegacyRunsTable.NewBlock()
	oldTouches, oldTraces := clickhouse.LegacyTouchesTable.NewBlock(), clickhouse.LegacyTraceCallsTable.NewBlock()
	old := map[schema.RunID]bool{}
	for i := range h.calls {
		v := &h.calls[i]
		touch := schema.Touch{Tenant: v.Tenant, Resource: v.Resources[0], RunID: v.RunID, Actor: v.ActorHash, Effect: v.Effect,
			Reversibility: v.Reversibility, First: v.Start, Last: v.Start}
		if i < from {
			oldCalls.Append(v)
			oldTraces.Append(v)
			oldTouches.Append(&touch)
			old[v.RunID] = true
			continue
		}
		calls.Append(v)
		touches.Append(&touch)
	}
	for i := range h.runs {
		if r := &h.runs[i]; old[r.RunID] {
			oldRuns.Append(r)
		} else {
			runs.Append(r)
		}
	}
	blocks := []clickhouse.Rows{calls, runs, touches}
	if from > 0 {
		blocks = append(blocks, oldCalls, oldRuns, oldTouches, oldTraces)
	}
	insert(t, c, blocks...)
}

// answers asks every question and returns the answers as JSON, by question.
func (h *pastCalls) answers(t *testing.T, c *clickhouse.Conn) map[string]string {
	ctx, out := t.Context(), map[string]string{}
	at := func(i int) time.Time { return h.calls[i].StartTime() }
	first, last := at(0).Add(-time.Hour), at(len(h.calls)-1).Add(time.Hour)
	mid, later := at(len(h.calls)/3), at(2*len(h.calls)/3)
	note := func(name string, v any, err error) {
		text, _ := json.Marshal(v)
		out[name] = fmt.Sprint(string(text), " ", err)
	}
	for name, f := range map[string]query.RunFilter{"all": {}, "since": {Since: mid}, "window": {Since: mid, Until: later},
		"agent": {Agent: "team/agent-1"}, "open": {State: "open"}, "alerts": {MinLevel: "alert", Since: mid}} {
		f.Limit = 1000
		whole, err := query.Runs(ctx, c, f)
		note("runs "+name, whole, err)
		if name == "all" || name == "agent" {
			continue
		}
		paged := []query.Run{}
		for f.Limit = 9; ; {
			page, err := query.RunsPage(ctx, c, f)
			if err != nil {
				t.Fatalf("runs %s: %v", name, err)
			}
			paged = append(paged, page.Rows...)
			if f.After = page.Next; f.After == "" {
				break
			}
		}
		if a, b := fmt.Sprint(ids(whole)), fmt.Sprint(ids(paged)); a != b {
			t.Errorf("runs %s: pages %s\nwhole %s", name, b, a)
		}
	}
	for _, i := range []int{len(h.runs) / 2} {
		id := h.runs[i].RunID.String()
		run, err := query.ResolveRun(ctx, c, id)
		note("run "+id, run, err)
		for _, term := range []string{h.runs[i].RunKey, id[:12]} {
			same, err := query.ResolveRun(ctx, c, term)
			if err != nil || same.RunID != run.RunID {
				t.Errorf("%s names %s, %v", term, same.RunID, err)
			}
		}
		full, err := query.RunInFull(ctx, c, run, 1000)
		note("full "+id, full, err)
		touched, err := query.TouchedBy(ctx, c, query.Subject{Kind: "run", Value: id}, &run, query.Window{})
		note("touched by run "+id, touched, err)
		spans, err := query.TraceOfRun(ctx, c, &run, 1000)
		note("spans "+id, spans, err)
	}
	for _, s := range []query.Subject{{Kind: "agent", Value: "team/agent-2"}, {Kind: "credential", Value: "key-1"},
		{Kind: "principal", Value: "ana@example.com"}, {Kind: "resource", Value: "order:7"}, {Kind: "agent", Value: "nobody"}} {
		for _, win := range []query.Window{{}, {Since: mid, Until: later}} {
			if win.Since.IsZero() == (s.Kind == "agent" || s.Kind == "credential") && s.Kind != "resource" {
				continue // each of the two for some of the subjects
			}
			touched, err := query.TouchedBy(ctx, c, s, nil, win)
			for i := range touched.Resources {
				touched.Resources[i].Runs = nil // at most 20 of them, in no order
			}
			touched.Runs = nil
			note(fmt.Sprint("touched by ", s, " ", win.Since.IsZero()), touched, err)
		}
	}
	v := &h.calls[len(h.calls)/2]
	for _, term := range []string{v.RunKey, v.RunID.String(), "team/agent-1", "key-1", "ana@example.com", "task-1", "talk-1", v.RequestID,
		fmt.Sprintf("%x", v.TraceID), "192.0.2.1", "api-1", "search", "claimed-1", "order:3", "nothing"} {
		hits, err := query.Find(ctx, c, term, 1000)
		note("find "+term, hits, err)
	}
	h.lists(ctx, c, first, last, note)
	near, err := query.NearTo(ctx, c, query.Subject{Kind: "agent", Value: "team/agent-11"})
	note("near", near, err)
	return out
}

// lists asks the questions about all calls.
func (h *pastCalls) lists(ctx context.Context, c *clickhouse.Conn, first, last time.Time, note func(string, any, error)) {
	agents, err := query.Agents(ctx, c, first, last)
	for i := range agents {
		slices.Sort(agents[i].Credentials)
	}
	note("agents", agents, err)
	called, err := query.CallingAgents(ctx, c, query.Window{Since: first, Until: last})
	note("calling agents", called, err)
	routes, err := query.Routes(ctx, c, first, last, 100)
	note("routes", routes, err)
	start, err := query.StartHere(ctx, c, first, last, 100)
	note("start-here", start, err)
	problems, err := query.HygieneFindings(ctx, c, first, last)
	for i := range problems {
		slices.Sort(problems[i].Evidence)
	}
	note("hygiene", problems, err)
	coverage, err := query.ReadCoverage(ctx, c, first, last)
	note("coverage", coverage, err)
	for name, who := range map[string]query.Caller{"agent": {Agent: "team/agent-1"}, "credential": {Credential: "key-2"},
		"clean": {Agent: "team/agent-1", Clean: true}} {
		usage, err := query.Usage(ctx, c, who, first, last)
		note("usage "+name, usage, err)
		totals, err := query.UsageTotals(ctx, c, who, time.Time{}, time.Time{})
		note("totals "+name, totals, err)
		of, err := query.AgentsOfCaller(ctx, c, who, first, last)
		note("agents of "+name, of, err)
	}
	for name, step := range map[string]time.Duration{"second": time.Second, "2 minutes": 2 * time.Minute, "3 hours": 3 * time.Hour} {
		points, err := query.CallsOverTime(ctx, c, "", first, last, step, 10_000)
		note("calls by "+name, points, err)
		points, err = query.CallsOverTime(ctx, c, "team/agent-3", first, last, step, 10_000)
		note("calls of an agent by "+name, points, err)
	}
	n, err := query.CountCalls(ctx, c)
	note("calls", n, err)
	after, err := query.CallsAfterTrip(ctx, c, h.runs[2].RunID.String(), first)
	note("calls after a trip", after, err)
}

func ids(runs []query.Run) (out []string) {
	for i := range runs {
		out = append(out, runs[i].RunID)
	}
	return out
}

// The same history answers every question alike in the tables of version 4, where everything is read, in those of version 5,
// where an index says what is read, and in both.
func TestAnswerDependsOnTheTables(t *testing.T) {
	h := newPastCalls(400)
	var want map[string]string
	for _, from := range []int{0, len(h.calls), len(h.calls) / 2} {
		c := connect(t)
		if from > 0 {
			makeReleased(t, c, filepath.Join(testdata, "released", "4"))
		}
		migrate(t, c, false)
		h.insert(t, c, from)
		got := h.answers(t, c)
		if from == 0 {
			want = got
			for name, text := range want {
				if !strings.HasSuffix(text, " <nil>") || strings.HasPrefix(text, "[]") && name != "find nothing" && name != "usage clean" {
					t.Errorf("%s: %.300s", name, text)
				}
			}
			continue
		}
		for name, text := range want {
			if got[name] != text {
				t.Errorf("%d calls in the tables of version 4: %s\n%.1500s\nwant\n%.1500s", from, name, got[name], text)
			}
		}
	}
}

// The calls of a run can be stored before its state, which says whether the run is clean.
func TestRunWithoutStateTeachesAManifest(t *testing.T) {
	h := newPastCalls(200)
	who := query.Caller{Agent: h.runs[0].AgentID, Clean: true}
	h.runs[0].Level = schema.LevelNone
	all := h.runs
	h.runs = h.runs[:1]
	c := migrated(t)
	h.insert(t, c, 0)
	n := uint64(0)
	for i := range h.calls {
		if v := &h.calls[i]; v.AgentID == who.Agent && v.Outcome != schema.OutcomeDenied && v.RunID == h.runs[0].RunID {
			n++
		}
	}
	learned := func(want uint64) {
		t.Helper()
		totals, err := query.UsageTotals(t.Context(), c, who, time.Time{}, time.Time{})
		if err != nil || totals.Calls != want || want > 0 && totals.Runs != 1 {
			t.Errorf("learned from %+v, want %d calls; %v", totals, want, err)
		}
	}
	learned(n)
	for i := range all {
		all[i].Level, all[i].Version = schema.LevelAlert, all[i].Version+1
	}
	runs := clickhouse.RunsTable.NewBlock()
	for i := range all {
		runs.Append(&all[i])
	}
	insert(t, c, runs)
	learned(0)
}
