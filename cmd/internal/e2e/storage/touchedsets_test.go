package storage

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/clickhouse/query"
)

// envTouchedSets is the environment variable with the random sets of calls to check, as 0-2000;
// the default is a few.
const envTouchedSets = "FLYBALL_TEST_TOUCHED_SETS"

// setsPerInsert is the number of sets that are inserted together.
const setsPerInsert = 60

// Random sets of calls through one or two observers, with request ids, traces and spans that are
// reused at will: each resource of a call is in the report on the call's run, or in a caveat of
// it. A call that a service made in a trace of a run is in the report on that run too.
func TestReusedIdsHideATouchedResource(t *testing.T) {
	begin, sets := 0, setsPerInsert
	if from, to, ok := strings.Cut(os.Getenv(envTouchedSets), "-"); ok {
		begin, _ = strconv.Atoi(from)
		sets, _ = strconv.Atoi(to)
	}
	calls, reports := 0, 0
	for first := begin; first < sets; first += setsPerInsert {
		c := migrated(t)
		var all []*callSet
		for seed := first; seed < min(first+setsPerInsert, sets); seed++ {
			all = append(all, newCallSet(uint64(seed)))
		}
		insertSets(t, c, all)
		var done atomic.Int64
		var checks errgroup.Group
		checks.SetLimit(4)
		for _, s := range all {
			calls += len(s.calls)
			checks.Go(func() error {
				n, err := s.check(t, c)
				done.Add(int64(n))
				return err
			})
		}
		if err := checks.Wait(); err != nil {
			t.Fatal(err)
		}
		reports += int(done.Load())
		if t.Failed() {
			break
		}
	}
	t.Logf("%d sets, %d calls, %d reports", sets-begin, calls, reports)
}

// callSet is a random set of calls of one task, stitched.
type callSet struct {
	seed  uint64
	r     *rand.Rand
	key   string // of the agent's run
	calls []schema.Call
	runs  []schema.RunSnapshot
}

// newCallSet makes a set of calls and stitches it.
func newCallSet(seed uint64) *callSet {
	s := &callSet{seed: seed, r: rand.New(rand.NewPCG(seed, 11)), key: fmt.Sprint("set-", seed)}
	observers := 1 + s.r.IntN(2)
	ids, content := 1+s.r.IntN(4), 1+s.r.IntN(4)
	anonymous := observers == 2 && s.r.IntN(3) == 0
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	p := stitch.NewPartition(0, stitch.DefaultLimits())
	for i := range 1 + s.r.IntN(40) {
		if at = at.Add(time.Duration(s.r.IntN(3000)) * time.Millisecond); s.r.IntN(30) == 0 {
			at = at.Add(2 * time.Minute)
		}
		call := s.call(i, at, s.r.IntN(observers), ids, content, anonymous)
		p.Apply(&call, int64(i+1))
		s.calls = append(s.calls, call)
	}
	for _, run := range p.TakeChanged(nil) {
		s.runs = append(s.runs, run.Snapshot())
	}
	return s
}

// call makes a call that observer by has logged. ids and content bound how many different ids
// and requests there are.
func (s *callSet) call(i int, at time.Time, by, ids, content int, anonymous bool) schema.Call {
	r := s.r
	c := schema.Call{Source: schema.Source{Topic: []string{"edge", "inner"}[by]}, Tenant: "default",
		Pos: schema.Position{Offset: int64(s.seed)*1000 + int64(i)}, Start: at.UnixNano(), DurationNs: -1, Status: 200,
		Outcome: schema.OutcomeOK, ObserverKind: []schema.ObserverKind{schema.ObserverGateway, schema.ObserverServer}[by],
		Observer: []string{"edge", "orders"}[by], RoutingKey: "c:" + s.key, CredentialID: "k-" + s.key, RunKey: s.key,
		AgentID: "team/" + s.key, AgentTrust: schema.TrustInfrastructure}
	method := r.IntN(3)
	c.Method = []string{"GET", "DELETE", "POST"}[method]
	c.Effect = []schema.Effect{schema.EffectRead, schema.EffectDelete, schema.EffectCreate}[method]
	c.Reversibility = []schema.Reversibility{schema.ReadOnly, schema.Irreversible, schema.Reversible}[method]
	c.Path = fmt.Sprint("/v1/a/", r.IntN(content))
	if r.IntN(3) > 0 {
		c.RequestID = fmt.Sprint(s.key, "-q", r.IntN(ids))
	}
	if r.IntN(2) > 0 {
		c.TraceID = [16]byte{1, byte(s.seed >> 8), byte(s.seed), byte(r.IntN(ids))}
		c.SpanID, c.ParentSpanID = [8]byte{byte(1 + r.IntN(ids))}, [8]byte{byte(1 + r.IntN(ids))}
	}
	for range r.IntN(3) {
		id := fmt.Sprint(s.key, "-", r.IntN(2*content))
		if r.IntN(3) == 0 {
			id = fmt.Sprint(s.key, "-call-", i)
		}
		c.Resources = append(c.Resources, schema.Resource{Type: "a", ID: id})
	}
	switch {
	case anonymous && by == 1: // a service that logs no caller
		c.AgentID, c.AgentTrust, c.CredentialID, c.RunKey = "", schema.TrustNone, "", ""
		c.RoutingKey = fmt.Sprintf("t:%x", c.TraceID)
	case r.IntN(8) == 0: // a row that names no agent
		c.AgentID, c.AgentTrust = "", schema.TrustNone
	case r.IntN(6) == 0:
		c.ObserverKind, c.Source.Topic, c.Observer = schema.ObserverGate, "flyball.check/p", "check"
		c.Status, c.Outcome = 0, schema.OutcomeUnknown
		if r.IntN(3) == 0 {
			c.Outcome, c.DeniedBy = schema.OutcomeDenied, "flyball"
		}
	}
	return c
}

// insertSets inserts what detect writes for the calls.
func insertSets(t *testing.T, c *clickhouse.Conn, sets []*callSet) {
	t.Helper()
	calls, runs := clickhouse.CallsTable.NewBlock(), clickhouse.RunsTable.NewBlock()
	touches := clickhouse.TouchesTable.NewBlock()
	for _, s := range sets {
		for i := range s.calls {
			call := &s.calls[i]
			calls.Append(call)
			fromCheck := call.ObserverKind == schema.ObserverGate
			if fromCheck && call.Outcome == schema.OutcomeDenied {
				continue
			}
			for _, v := range call.Resources {
				touches.AppendValue(schema.Touch{Tenant: call.Tenant, Resource: v, RunID: call.RunID, Actor: call.ActorHash, Effect: call.Effect,
					Reversibility: call.Reversibility, First: call.Start, Last: call.Start})
			}
		}
		for i := range s.runs {
			runs.Append(&s.runs[i])
		}
	}
	insert(t, c, calls, runs, touches)
}

// check compares the reports on the set's runs, on its agent and on some of its resources with
// the calls, and returns the number of reports.
func (s *callSet) check(t *testing.T, c *clickhouse.Conn) (reports int, err error) {
	want := map[schema.RunID]map[string]bool{}
	traces := map[[16]byte]schema.RunID{} // of the agent's runs
	for i := range s.calls {
		if v := &s.calls[i]; v.RunKey != "" && v.TraceID != [16]byte{} && v.ObserverKind != schema.ObserverGate {
			traces[v.TraceID] = v.RunID
		}
	}
	note := func(run schema.RunID, v *schema.Call) {
		if want[run] == nil {
			want[run] = map[string]bool{}
		}
		for _, name := range namesOf(v) {
			want[run][name] = true
		}
	}
	for i := range s.calls {
		v := &s.calls[i]
		note(v.RunID, v)
		if run, ok := traces[v.TraceID]; ok && v.RunKey == "" && v.TraceID != [16]byte{} && v.ObserverKind != schema.ObserverGate {
			note(run, v)
		}
	}
	for id, names := range want {
		run, err := query.ResolveRun(t.Context(), c, id.String())
		if err != nil {
			return reports, err
		}
		report, err := query.TouchedBy(t.Context(), c, query.Subject{Kind: "run", Value: run.RunID}, &run, query.Window{})
		if err != nil {
			return reports, err
		}
		reports++
		s.shows(t, "run "+id.String(), report, names)
	}
	agent := map[string]bool{}
	named := slices.ContainsFunc(s.calls, func(v schema.Call) bool { return v.AgentID != "" })
	for i := range s.calls {
		if named && s.calls[i].RunKey != "" {
			for _, name := range namesOf(&s.calls[i]) {
				agent[name] = true
			}
		}
	}
	if len(agent) > 0 {
		report, err := query.TouchedBy(t.Context(), c, query.Subject{Kind: "agent", Value: "team/" + s.key}, nil, query.Window{})
		if err != nil {
			return reports, err
		}
		reports++
		s.shows(t, "agent", report, agent)
	}
	n, err := s.checkResource(t, c)
	return reports + n, err
}

// checkResource compares the report on a random resource with the runs that named it.
func (s *callSet) checkResource(t *testing.T, c *clickhouse.Conn) (reports int, err error) {
	call := &s.calls[s.r.IntN(len(s.calls))]
	if len(call.Resources) == 0 {
		return 0, nil
	}
	resource := call.Resources[0].String()
	report, err := query.TouchedBy(t.Context(), c, query.Subject{Kind: "resource", Value: resource}, nil, query.Window{})
	if err != nil {
		return 0, err
	}
	listed := map[string]bool{}
	for i := range report.Resources {
		for _, run := range report.Resources[i].Runs {
			listed[run] = true
		}
	}
	for i := range s.calls {
		v := &s.calls[i]
		if v.ObserverKind == schema.ObserverGate && v.Outcome == schema.OutcomeDenied {
			continue
		}
		for _, name := range namesOf(v) {
			if name == resource && !listed[v.RunID.String()] {
				t.Errorf("set %d: the report on %s does not name run %s: %+v", s.seed, resource, v.RunID, report)
			}
		}
	}
	return 1, nil
}

// shows reports each resource that a report does not contain.
func (s *callSet) shows(t *testing.T, what string, report *query.Touched, names map[string]bool) {
	t.Helper()
	got := map[string]bool{}
	for i := range report.Resources {
		got[report.Resources[i].Resource] = true
	}
	for name := range names {
		if !got[name] {
			t.Errorf("set %d, %s: %s is in none of %d rows; complete: %v, caveats: %q", s.seed, what, name, len(report.Resources),
				report.Complete, report.Caveats)
		}
	}
}

// namesOf returns the resources of a call as a report shows them.
func namesOf(c *schema.Call) []string {
	if len(c.Resources) == 0 {
		return []string{"?:?"}
	}
	var out []string
	for _, r := range c.Resources {
		out = append(out, r.String())
	}
	return out
}
