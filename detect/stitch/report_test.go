package stitch

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"flyball/schema"
	"flyball/schema/clickhouse/query"
)

// Random calls through one or two observers, with and without the check, reuse request ids and
// spans: each resource that a call touched is among the rows that a report keeps, and the run
// counts each call except those that agree in all fields.
func TestReusedIdsHideNoResourceWhateverTheObservers(t *testing.T) {
	for seed := range uint64(400) {
		r := rand.New(rand.NewPCG(seed, 3))
		b := newBench(t)
		observers := 1 + r.IntN(2)
		var rows []query.ReportRow
		type said struct {
			path, request string
			span          byte
			by            int
		}
		counted, run := 0, (*Run)(nil)
		seen := map[said]bool{}
		for i := range 80 {
			s := said{fmt.Sprint("/v1/accounts/", r.IntN(6)), fmt.Sprint("q", r.IntN(2)), byte(r.IntN(2)), r.IntN(observers)}
			by := seenBy(schema.ObserverGateway, fmt.Sprint("edge-", s.by))
			asked := r.IntN(5) == 0
			if asked {
				by = seenBy(schema.ObserverGate, "flyball")
			}
			resource := "account:" + s.path
			c := b.call(time.Duration(i)*50*time.Millisecond, key("r"), path(s.path), request(s.request), by, func(c *schema.Call) {
				c.TraceID, c.ParentSpanID = [16]byte{1}, [8]byte{s.span + 1}
				c.Resources = []schema.Resource{{Type: "account", ID: s.path}}
			})
			run = b.run(c.RunID)
			rows = append(rows, query.ReportRow{Run: c.RunID.String(), Method: c.Method, Path: c.Path, Resources: []string{resource}, Asked: asked,
				Counted: c.Counted()})
			if c.Duplicate && !asked {
				other := s
				other.by = 1 - s.by
				sameRequest, sameSpan := false, false
				for k := range seen {
					sameRequest = sameRequest || k.by == other.by && k.path == s.path && k.request == s.request
					sameSpan = sameSpan || k.by == other.by && k.path == s.path && k.span == s.span
				}
				if !sameRequest && !sameSpan {
					t.Fatalf("seed %d: call %d is taken for a call of which nobody else said the same", seed, i)
				}
			} else if !asked {
				counted++
			}
			if !asked {
				seen[s] = true
			}
		}
		if run.Calls != uint64(counted) || observers == 1 && counted != len(seenRows(rows)) {
			t.Errorf("seed %d: the run has %d calls, %d rows count", seed, run.Calls, counted)
		}
		shown := map[string]bool{}
		resources, _ := query.KeptResources(rows)
		for _, kept := range resources {
			for _, v := range kept {
				shown[v] = true
			}
		}
		for i := range rows {
			if v := rows[i].Resources[0]; !shown[v] {
				t.Errorf("seed %d: %s is in no kept row", seed, v)
			}
		}
	}
}

// seenRows returns the rows that a log contains.
func seenRows(rows []query.ReportRow) (out []query.ReportRow) {
	for _, r := range rows {
		if !r.Asked {
			out = append(out, r)
		}
	}
	return out
}
