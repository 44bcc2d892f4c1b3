package storage

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"flyball/schema"
	"flyball/schema/clickhouse/query"
)

// All problems with identities are found in one reading of the calls: each counts the calls of its own subject, whatever else
// these calls show.
func TestProblemWithAnIdentityCountsOtherCalls(t *testing.T) {
	c := migrated(t)
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	var calls []schema.Call
	add := func(n int, change func(*schema.Call)) {
		for range n {
			v := schema.Call{Source: schema.Source{Topic: "gw"}, Pos: schema.Position{Offset: int64(len(calls))}, Tenant: "default",
				RunID: schema.RunID{1}, Start: at.UnixNano() + int64(len(calls)), DurationNs: -1, ObserverKind: schema.ObserverGateway,
				Method: "GET", Route: "/x", AgentID: "a", AgentTrust: schema.TrustVerified, AgentSource: "jwt"}
			change(&v)
			calls = append(calls, v)
		}
	}
	// One credential of two agents; a second row of a call does not count; a name that the credential gave is none of its own.
	add(2, func(v *schema.Call) { v.CredentialID = "shared" })
	add(3, func(v *schema.Call) { v.CredentialID, v.AgentID = "shared", "b" })
	add(1, func(v *schema.Call) { v.CredentialID, v.AgentID, v.Duplicate = "shared", "b", true })
	add(5, func(v *schema.Call) { v.CredentialID, v.AgentID, v.AgentSource = "shared", "c", "credential" })
	add(9, func(v *schema.Call) { v.CredentialID = "own" })
	// One credential with two names that callers claim, one of which is also the name of a conflict.
	add(4, func(v *schema.Call) { v.CredentialID, v.AgentAsserted, v.AgentID = "claimed", "x", "d" })
	add(2, func(v *schema.Call) { v.CredentialID, v.AgentID, v.AgentTrust = "claimed", "y", schema.TrustAsserted })
	// A person whose calls of a minute are of two credentials, and one who makes as many in two minutes.
	for i, credential := range []string{"phone", "laptop"} {
		add(61, func(v *schema.Call) {
			v.CredentialID, v.PrincipalID, v.PrincipalKind = credential, "kim", schema.PrincipalHuman
		})
		add(61, func(v *schema.Call) {
			v.CredentialID, v.PrincipalID, v.PrincipalKind = credential, "ana", schema.PrincipalHuman
			v.Start += int64(i) * int64(time.Minute)
		})
	}
	add(7, func(v *schema.Call) { v.Attrs = []schema.Attr{{Key: "auth_lifetime_s", Value: "90000"}} })
	for source, n := range map[schema.Provenance]int{schema.ProvenanceMethod: 3, schema.ProvenanceOperator: 5} {
		add(n, func(v *schema.Call) {
			v.Method, v.Route, v.Reversibility, v.ReversibilitySource = "DELETE", "/y", schema.Irreversible, source
		})
	}
	insertCalls(t, c, calls...)
	found, err := query.HygieneFindings(t.Context(), c, at.Add(-time.Hour), at.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, h := range found {
		slices.Sort(h.Evidence)
		got = append(got, fmt.Sprint(h.Kind, " ", h.Subject, " ", h.Calls, " ", h.Evidence))
		if h.Advice == "" || h.LastAt.IsZero() {
			t.Errorf("%+v", h)
		}
	}
	want := []string{"shared_credential shared 5 [a b]", "several_agents_behind claimed 6 [x y]", "identity_conflict d 4 [x]",
		"human_like_an_agent kim 122 [a]", "long_lived_token a 7 [a]", "undeclared_irreversible DELETE /y 3 [a]"}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
