package storage

import (
	"fmt"
	"testing"
	"time"

	"flyball/detect/learn"
	"flyball/detect/model/sharedcredential"
	"flyball/schema"
	"flyball/schema/clickhouse"
)

// People are learned from their sessions, but not from sessions of agents, from more than a
// few sessions of one person, or from sessions with a finding of a borrowed credential.
func TestPeopleAreLearnedFromTheirOwnSessions(t *testing.T) {
	c := migrated(t)
	runs := clickhouse.RunsTable.NewBlock()
	var calls []schema.Call
	start := time.Date(2026, 3, 4, 9, 0, 0, 0, time.UTC).UnixNano()
	n := 0
	session := func(person string, calling int, change func(*schema.RunSnapshot)) {
		n++
		run := schema.RunSnapshot{RunID: schema.RunID{1, byte(n >> 8), byte(n)}, Segment: 1, Version: 2, Tenant: "default", Actor: "p:" + person,
			PrincipalID: person, PrincipalKind: schema.PrincipalHuman,
			CallerKind: schema.CallerHuman, State: schema.RunClosed, StartedAt: start, LastAt: start + int64(calling)*3e9, Calls: uint64(calling)}
		if change != nil {
			change(&run)
		}
		runs.Append(&run)
		for i := range calling {
			calls = append(calls, schema.Call{Source: schema.Source{Topic: "gw", TopicID: schema.TopicID{1}},
				Pos: schema.Position{Offset: int64(n), Item: uint32(i)}, Tenant: "default", RunID: run.RunID, Segment: 1, CallsOffset: int64(n),
				ActorHash: schema.HashActor(run.Actor), Start: start + int64(i)*3e9,
				Method: "GET", Path: fmt.Sprintf("/static/%d.png", i), Route: "/static/{id}", RouteKey: "/static/{}",
				ArgsDigest: uint64(i), BytesOut: uint64(200 + i), Outcome: schema.OutcomeOK})
		}
	}
	for i := range 100 {
		session(fmt.Sprint("person-", i), 8, nil)
	}
	for range 10 {
		session("one busy person", 8, nil)
	}
	session("somebody brief", 3, nil)
	session("a sampled source", 8, func(r *schema.RunSnapshot) { r.SampledCalls = 2 })
	session("an agent for somebody", 8, func(r *schema.RunSnapshot) { r.AgentID, r.AgentTrust = "billing/bot", schema.TrustVerified })
	session("somebody open", 8, func(r *schema.RunSnapshot) { r.State = schema.RunOpen; r.LastAt = start + 7200e9 })
	findings, verdicts := clickhouse.FindingsTable.NewBlock(), clickhouse.VerdictsTable.NewBlock()
	for is, person := range map[schema.VerdictLabel]string{schema.VerdictTrue: "whose key was stolen",
		schema.VerdictBenign: "who wrote a script", schema.VerdictUnknown: "who was suspected"} {
		session(person, 8, func(r *schema.RunSnapshot) {
			f := schema.Finding{ID: schema.FindingID(r.RunID, schema.FamilyBorrowed), Version: 1, Tenant: "default", RunID: r.RunID,
				Family: schema.FamilyBorrowed, Level: schema.LevelAlert}
			findings.Append(&f)
			if is != schema.VerdictUnknown {
				verdicts.Append(&schema.Verdict{Tenant: "default", FindingID: f.ID, Label: is, Generation: 1})
			}
		})
	}
	for _, b := range []clickhouse.Rows{findings, verdicts} {
		if err := c.Insert(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Insert(t.Context(), runs); err != nil {
		t.Fatal(err)
	}
	insertCalls(t, c, calls...)
	w := learn.Window{Tenant: "default", Since: time.Unix(0, start-1), Until: time.Unix(0, start+7300e9)}
	own, err := learn.ReadPeople(t.Context(), c, w)
	if err != nil {
		t.Fatal(err)
	}
	// ln 3
	if own == nil || own.Sessions != 105 || own.Assets != 1 || own.Tail.Sessions != 105 || own.Pace.Mean < 1.09 || own.Pace.Mean > 1.1 {
		t.Fatalf("%+v", own)
	}
	if !sharedcredential.EmbeddedModel().ScaleFor(own).UsesTenantPeople() {
		t.Error("what was learned is not judged by")
	}
	w.Until = w.Since.Add(time.Second)
	if own, err := learn.ReadPeople(t.Context(), c, w); err != nil || own != nil {
		t.Errorf("of an empty window: %+v, %v", own, err)
	}
}
