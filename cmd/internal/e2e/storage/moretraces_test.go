package storage

import (
	"encoding/binary"
	"fmt"
	"strings"
	"testing"
	"time"

	"flyball/schema"
	"flyball/schema/clickhouse/query"
)

// Other runs are looked for in a bounded number of traces. Above it the report said nothing of the others.
func TestRunsOfFurtherTracesAreLeftOutSilently(t *testing.T) {
	c := migrated(t)
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	var calls []schema.Call
	add := func(agent string, n, traces int) {
		for i := range traces {
			v := schema.Call{Source: schema.Source{Topic: agent}, Pos: schema.Position{Offset: int64(i)}, Tenant: "default", AgentID: agent,
				RunID: schema.RunID{0: byte(n + 1)}, Start: at.UnixNano() + int64(i)*int64(time.Millisecond), Path: fmt.Sprint("/orders/", i),
				ActorHash: schema.HashActor(agent), Effect: schema.EffectRead, Outcome: schema.OutcomeOK,
				RunConfidence: 90}
			binary.BigEndian.PutUint64(v.TraceID[8:], uint64(n*1_000_000+i+1))
			calls = append(calls, v)
		}
	}
	add("ops/many", 0, 10_001)
	add("ops/few", 1, 10)
	insertCalls(t, c, calls...)
	for agent, want := range map[string]bool{"ops/many": true, "ops/few": false} {
		set, err := query.TouchedBy(t.Context(), c, query.Subject{Kind: "agent", Value: agent}, nil, query.Window{})
		if err != nil {
			t.Fatal(err)
		}
		said := strings.Contains(strings.Join(set.Caveats, "\n"), "more_traces: these calls have 10001 traces; other runs were looked for in "+
			"10000")
		if said != want || set.Complete == want {
			t.Errorf("%s: complete %t, %q", agent, set.Complete, set.Caveats)
		}
	}
}
