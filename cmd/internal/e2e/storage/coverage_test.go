package storage

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"flyball/schema"
	"flyball/schema/clickhouse/query"
)

// A gateway that does not send its calls to the check gives no protection: coverage names it,
// a client cannot make its calls look checked, and calls with unknown coverage do not count as
// checked.
func TestGatewayWithoutTheCheckIsNamed(t *testing.T) {
	c := migrated(t)
	at := time.Now().Add(-time.Hour)
	var calls []schema.Call
	n := 0
	add := func(change func(*schema.Call)) {
		n++
		v := schema.Call{Source: schema.Source{Topic: "gw"}, Pos: schema.Position{Offset: int64(n)}, Tenant: "default", RunID: schema.RunID{1},
			Start: at.Add(time.Duration(n) * time.Second).UnixNano(), DurationNs: -1,
			ObserverKind: schema.ObserverGateway, Observer: "edge", Method: "DELETE", Path: fmt.Sprint("/v1/a/", n), Status: 200,
			Outcome: schema.OutcomeOK, AgentID: "team/a", AgentTrust: schema.TrustInfrastructure, RequestID: fmt.Sprint("q", n)}
		change(&v)
		calls = append(calls, v)
	}
	asked := func(id, path string) {
		add(func(v *schema.Call) {
			v.Source.Topic, v.ObserverKind, v.Observer, v.RequestID, v.Path = "flyball.check/p", schema.ObserverGate, "flyball", id, path
		})
	}
	// edge: checked by decision, by request id, or denied by Flyball; a request id of another path does not count.
	add(func(v *schema.Call) { v.Attrs = []schema.Attr{{Key: "flyball_decision", Value: "d1"}} })
	asked("same", "/v1/b/1")
	add(func(v *schema.Call) { v.RequestID, v.Path = "same", "/v1/b/1" })
	add(func(v *schema.Call) { v.Outcome, v.DeniedBy, v.Status = schema.OutcomeDenied, "flyball", 403 })
	add(func(v *schema.Call) { v.RequestID = "same" })
	// inner: a header of the client and an invalid receipt do not count.
	inner := func(v *schema.Call) { v.Observer = "inner" }
	add(inner)
	add(func(v *schema.Call) {
		inner(v)
		v.Attrs = []schema.Attr{{Key: "flyball.receipt", Value: "wrong_mac"}, {Key: "flyball_decision", Value: "forged"}}
	})
	add(func(v *schema.Call) {
		inner(v)
		v.Attrs = []schema.Attr{{Key: "flyball.receipt", Value: "missing"}, {Key: "header.X-Flyball-Decision", Value: "forged"}}
	})
	// silent: no request ids. Unknown for a checked path in another run; checked for a path
	// of the same run; not checked for a path that was never sent to the check.
	silent := func(v *schema.Call) { v.Observer, v.RequestID, v.AgentID = "silent", "", "team/b" }
	asked("other", "/v1/c")
	add(func(v *schema.Call) { silent(v); v.Path, v.RunID = "/v1/c", schema.RunID{2} })
	add(func(v *schema.Call) { silent(v); v.Path = "/v1/c" })
	add(func(v *schema.Call) { silent(v); v.Path = "/v1/nobody-asked" })
	// The row of a sidecar for a call that the edge sent to the check, and a log of an agent.
	add(func(v *schema.Call) { v.Observer, v.AgentID = "mesh", "team/c" })
	of := fmt.Sprintf("gw/0/%d/0", n)
	add(func(v *schema.Call) {
		v.Duplicate = true
		v.Attrs = []schema.Attr{{Key: "flyball_decision", Value: "d2"}, {Key: "observation_of", Value: of}}
	})
	add(func(v *schema.Call) { v.ObserverKind, v.Observer = schema.ObserverClient, "sdk" })
	insertCalls(t, c, calls...)

	got, err := query.ReadCoverage(t.Context(), c, at.Add(-time.Minute), at.Add(time.Minute))
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, r := range got.Rows {
		if (r.NeverAsked > 0) == r.NewestOpen.IsZero() {
			t.Errorf("%s at %s: newest never asked %v", r.AgentID, r.Gateway, r.NewestOpen)
		}
		rows = append(rows, fmt.Sprintf("%s@%s %d: %d asked, %d never, %d unknown, %.2f", r.AgentID, r.Gateway, r.Calls, r.Asked, r.NeverAsked,
			r.Unknown, r.Share))
	}
	want := []string{
		"team/a@inner 3: 0 asked, 3 never, 0 unknown, 0.00",
		"team/b@silent 3: 1 asked, 1 never, 1 unknown, 0.50",
		"team/a@edge 4: 3 asked, 1 never, 0 unknown, 0.75",
		"team/c@mesh 1: 1 asked, 0 never, 0 unknown, 1.00",
	}
	if strings.Join(rows, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(rows, "\n"), strings.Join(want, "\n"))
	}
	if len(got.Caveats) != 1 || !strings.Contains(got.Caveats[0], "1 of 3 calls that silent logged") {
		t.Errorf("%q", got.Caveats)
	}
	if empty, err := query.ReadCoverage(t.Context(), c, at.Add(-48*time.Hour), at.Add(-24*time.Hour)); err != nil || len(empty.Rows) != 0 ||
		len(empty.Caveats) != 0 {
		t.Errorf("of a time without calls: %+v %v", empty, err)
	}
}
