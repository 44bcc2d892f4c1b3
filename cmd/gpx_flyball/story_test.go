package main

import (
	"fmt"
	"time"

	"flyball/detect/enforce/breaker"
	"flyball/schema"
	"flyball/schema/clickhouse"
)

// longName is the name of an agent that has no place at which a browser breaks it before its end.
const longName = "airline/adaptive_agent_c:claude-opus-4-6"

// tell stores a small story with something for every panel: two agents with calls that were carried out, denied and failed, a person
// who calls and one for whom an agent calls, findings that are open and judged, scopes that are held and reset, questions that wait and
// are answered, baselines, dead letters and lost records.
func (s *store) tell() {
	bad := s.deletes("acme", "team/bad", 1, schema.LevelTrip, ok, ok, denied, failed)
	calm := s.deletes("acme", longName, 2, schema.LevelAlert, ok)
	s.runOf(3, func(r *schema.RunSnapshot) { r.CallerKind = schema.CallerHuman })
	s.runOf(4, func(r *schema.RunSnapshot) { r.CallerKind, r.AgentID = schema.CallerAgent, "team/bad" })
	open := s.finding("acme", "team/bad", bad, schema.LevelTrip, schema.FamilyLoop, "deletes order after order")
	s.finding("acme", longName, calm, schema.LevelAlert, schema.FamilyRetry,
		longName+" asks again and again on POST /chat/v1/channels/private_archive/members")
	s.judged(open, s.finding("acme", "team/bad", bad, schema.LevelAlert, schema.FamilyRetry, "asks again"))
	s.scores(bad)
	s.breakers(calm)
	s.questions(bad, calm)
	s.learnedAndLost()
}

// runOf stores a run with calls of or for the person ana.
func (s *store) runOf(run byte, change func(*schema.RunSnapshot)) {
	b := clickhouse.RunsTable.NewBlock()
	r := schema.RunSnapshot{RunID: schema.RunID{run}, Version: 6, RunKey: fmt.Sprint("task-", run), Tenant: "acme", Actor: "p:ana",
		PrincipalID: "ana", PrincipalKind: schema.PrincipalHuman, Rule: schema.RunSession, State: schema.RunClosed,
		StartedAt: s.at.UnixNano(), LastAt: s.at.Add(time.Minute).UnixNano(), Calls: 3, Irreversible: 1}
	change(&r)
	b.Append(&r)
	s.insert(b)
}

// judged stores a person's verdict on each finding.
func (s *store) judged(findings ...string) {
	b := clickhouse.VerdictsTable.NewBlock()
	for i, id := range findings {
		b.AppendValue(schema.Verdict{Tenant: "acme", FindingID: id, Label: schema.VerdictBenign, By: "ana", Why: "a migration",
			At: s.at.Add(time.Minute).UnixNano(), Generation: uint64(i) + 1})
	}
	s.insert(b)
}

func (s *store) scores(run schema.RunID) {
	b := clickhouse.ScoresTable.NewBlock()
	for i, v := range []float64{2.5, 7.25} {
		b.AppendValue(schema.Score{Tenant: "acme", RunID: run, At: s.at.Add(time.Duration(i) * time.Second).UnixNano(), Value: v,
			Level: schema.LevelTrip, Call: schema.CallRef{Offset: int64(i)},
			Top: []schema.Contribution{{Feature: "errors", Observed: 0.5, Usual: 0.01, Peers: 0.02, Humans: 0.03}}})
	}
	s.insert(b)
}

// breakers stores that the run of team/bad is held, that a person holds the agent, and that the run of the other was held and reset.
func (s *store) breakers(calm schema.RunID) {
	l := &breakerLog{State: breaker.New(breaker.DefaultBudget()), at: s.at}
	l.apply(time.Second, trip(1, "team/bad", schema.ModeArmed, 24*time.Hour))
	l.apply(time.Second, trip(2, longName, schema.ModeArmed, time.Hour))
	l.apply(time.Second, &schema.Command{Kind: schema.CommandReset, Tenant: "acme", By: "ana", Reason: "a migration",
		Scope: schema.Scope{Kind: schema.ScopeRun, Value: calm.String()}})
	l.apply(time.Second, &schema.Command{Kind: schema.CommandForceOpen, Tenant: "acme", Reason: "stop", By: "ana",
		Scope: schema.Scope{Kind: schema.ScopeAgent, Value: "team/bad"}})
	b := clickhouse.BreakersTable.NewBlock()
	for i := range l.stored {
		b.Append(&l.stored[i])
	}
	s.insert(b)
}

// questions stores a question that waits and one that was answered.
func (s *store) questions(bad, calm schema.RunID) {
	b := clickhouse.GatesTable.NewBlock()
	g := schema.Gate{ID: "g_waits", Tenant: "acme", AgentID: "team/bad", RunID: bad, Route: "DELETE /orders/{id}", Resource: "order:1",
		State: schema.GatePending, Generation: 1, AskedAt: s.at.UnixNano(), Expires: time.Now().Add(time.Hour).UnixNano(),
		Mode: schema.ModeArmed}
	b.AppendValue(g)
	g.ID, g.AgentID, g.RunID, g.State, g.Generation = "g_answered", longName, calm, schema.GateGranted, 2
	g.DecidedAt, g.By = s.at.Add(time.Minute).UnixNano(), "ana"
	b.AppendValue(g)
	s.insert(b)
}

func (s *store) learnedAndLost() {
	at := s.at.UnixNano()
	baselines, letters := clickhouse.BaselinesTable.NewBlock(), clickhouse.DeadLettersTable.NewBlock()
	losses, stitching := clickhouse.LogLossesTable.NewBlock(), clickhouse.StitchingTable.NewBlock()
	for _, agent := range []string{"team/bad", longName} {
		baselines.AppendValue(schema.BaselineRow{Tenant: "acme", Agent: agent, MadeAt: at, Version: "v7", Runs: 750, Calls: 9000,
			Body: `{"group":"team"}`})
	}
	letters.AppendValue(clickhouse.DeadLetter{At: at, Reason: "no_json", SourceTopic: "edge"})
	losses.AppendValue(schema.LogLoss{Tenant: "acme", Topic: "edge", From: 3, To: 5, Records: 2, NoticedAt: at, Component: "ingest"})
	stitching.AppendValue(schema.StitchingCount{Tenant: "acme", Hour: s.at.Truncate(time.Hour).UnixNano(), Producer: "edge", Format: "envoy",
		Rule: schema.RunExplicit, Calls: 5})
	s.insert(baselines, letters, losses, stitching)
}
