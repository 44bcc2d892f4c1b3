package journal

import (
	"fmt"
	"net/netip"
	"testing"

	"flyball/schema"
)

// traffic returns calls of runs of 8 calls in turn: 112 agents with a credential, a principal, an address, a host, a trace for each
// run and a request id for each call.
func traffic(n int) (calls []schema.Call, runs []schema.RunSnapshot) {
	const agents = 112
	for i := range n {
		agent, turn := i%agents, i/agents
		c := schema.Call{Tenant: "default", RoutingKey: fmt.Sprint("g:shop/agent-", agent), AgentID: fmt.Sprint("shop/agent-", agent),
			CredentialID: fmt.Sprint("key-", agent), PrincipalID: fmt.Sprint("team-", agent%9), Host: "api.example.com",
			ClientIP: netip.AddrFrom4([4]byte{10, 0, byte(agent), byte(turn % 4)}), Start: 1795176000e9 + int64(i)*1e6,
			RequestID: fmt.Sprintf("%016x", i*2654435761), CallsOffset: int64(i / 40)}
		c.TraceID[0], c.TraceID[1], c.TraceID[2] = byte(agent+1), byte(turn/8), byte(turn/8>>8)
		c.ActorHash = schema.HashActor(c.RoutingKey)
		calls = append(calls, c)
		runs = append(runs, schema.RunSnapshot{AgentID: c.AgentID, CredentialID: c.CredentialID, PrincipalID: c.PrincipalID,
			OpenedDay: schema.DayOf(c.Start)})
	}
	return calls, runs
}

// BenchmarkIndexRows measures the rows of the indexes beside those of calls and touches.
func BenchmarkIndexRows(b *testing.B) {
	calls, runs := traffic(1 << 16)
	x := newIndex()
	reset := func() { x.postings.Reset(); x.ids.Reset() }
	add := func(i int) {
		x.addNames(&calls[i], &runs[i])
		x.addIDs([]*schema.Call{&calls[i]})
	}
	for i := range calls { // what a process allocates once
		add(i)
		if i%8192 == 8191 {
			reset()
		}
	}
	b.ReportAllocs()
	rows := 0
	for i := 0; b.Loop(); i++ {
		add(i & (1<<16 - 1))
		if i%8192 == 8191 {
			rows += x.postings.Rows() + x.ids.Rows()
			reset()
		}
	}
	b.ReportMetric(float64(rows)/float64(b.N), "rows/op")
	b.ReportMetric(float64(x.posted.bytes()+x.known.bytes()), "max-bytes")
}
