package engine

import (
	"context"
	"fmt"
	"testing"
	"time"

	"flyball/schema"
)

// BenchmarkDetectCall measures a call from its run to its findings: a hundred agents in turn, in
// runs of forty calls with few findings.
func BenchmarkDetectCall(b *testing.B) {
	f := newFloor(b)
	body := readers()
	body.CallRates = paceOfDayWorkers()
	f.detectors.Activate(body)
	const agents = 100
	var c schema.Call
	routes := []string{"/orders/{}", "/users/{}", "/items/{}"}
	names, runs := make([]string, agents), make([]string, agents)
	for i := range names {
		names[i] = fmt.Sprint("g/", i)
	}
	b.ReportAllocs()
	b.ResetTimer()
	began, least := time.Now(), time.Hour
	for n := range b.N {
		if n%agents == 0 && n > 0 {
			least, began = min(least, time.Since(began)), time.Now()
		}
		i, k := n%agents, n/agents
		if k%40 == 0 {
			runs[i] = fmt.Sprint("r", k/40)
		}
		c = schema.Call{Source: schema.Source{Topic: "gw"}, Pos: schema.Position{Offset: int64(n)}, Tenant: "default", RoutingKey: names[i],
			CredentialID: "k",
			AgentID:      names[i], AgentTrust: schema.TrustVerified, CallerKind: schema.CallerAgent, RunKey: runs[i],
			Start: night.UnixNano() + int64(k)*120e9, DurationNs: 1e6,
			Method: "GET", RouteKey: routes[(k*2654435761>>7)%3], ArgsDigest: uint64(n + 1), ResultDigest: uint64(n + 1),
			ResultDigestBasis: schema.DigestLogged, ArgsDigestBasis: schema.DigestLogged, BytesOut: 100}
		r := f.state.Apply(&c, int64(n))
		if err := f.judge(context.Background(), r, &c, schema.CallRef{Offset: int64(n)}); err != nil {
			b.Fatal(err)
		}
	}
	// The shortest turn of all agents is what other load of the machine disturbs least.
	b.ReportMetric(float64(least.Nanoseconds())/agents, "least-ns/op")
	b.ReportMetric(float64(len(f.tape.records))/float64(b.N), "records/op")
}
