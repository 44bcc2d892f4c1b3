package sightings

import (
	"fmt"
	"testing"

	"flyball/schema"
)

const (
	standingClaimed     = schema.StandingClaimed
	standingProven      = schema.StandingProven
	standingEstablished = schema.StandingEstablished
)

// Invented run ids removed an established run: the run counted as new, was held as a renamed one,
// and its earlier calls were lost.
func TestInventedRunIDsPushOutNobodysRun(t *testing.T) {
	m := NewRuns()
	id := func(i int) schema.RunID { return schema.RunID{byte(i), byte(i >> 8), byte(i >> 16), 1} }
	real := schema.RunID{0, 0, 0, 2}
	m.FirstSeen(real, standingEstablished, 5, nil)
	m.CountAllowed(real, standingEstablished, true)
	for i := range 3 * MaxRuns {
		m.FirstSeen(id(i), standingClaimed, 6, nil)
	}
	if first, sofar := m.FirstSeen(real, standingEstablished, 7, nil); first != 5 || sofar.Irreversible != 1 {
		t.Errorf("first seen at %d, %+v so far", first, sofar)
	}
	if n := m.Len(); n > MaxRuns+1 {
		t.Errorf("%d are remembered", n)
	}
}

func TestRunIsKnownWhenItsCallerHasBecomeProven(t *testing.T) {
	m := NewRuns()
	run := schema.RunID{1}
	m.FirstSeen(run, standingClaimed, 5, nil)
	m.CountAllowed(run, standingClaimed, false)
	for range 2 {
		if first, sofar := m.FirstSeen(run, standingProven, 9, nil); first != 5 || sofar.Calls != 1 {
			t.Errorf("first seen at %d, %+v so far", first, sofar)
		}
	}
	if m.Len() != 1 {
		t.Errorf("it is remembered %d times", m.Len())
	}
}

func TestInventedNamesMakeThePointForgetNoEstablishedOne(t *testing.T) {
	m := NewNames()
	m.Add(&schema.Call{AgentID: "billing/bot", AgentTrust: schema.TrustInfrastructure, CredentialID: "consumer-1",
		CredentialTrust: schema.TrustInfrastructure}, schema.StandingEstablished)
	for i := range maxNames * 2 {
		m.Add(&schema.Call{AgentID: fmt.Sprint("x", i), AgentTrust: schema.TrustAsserted, CredentialID: fmt.Sprint("k_", i),
			CredentialTrust: schema.TrustAsserted}, schema.StandingClaimed)
	}
	if !m.Has(schema.Scope{Kind: schema.ScopeAgent, Value: "billing/bot"}) || !m.Has(schema.Scope{Kind: schema.ScopeCredential,
		Value: "consumer-1"}) {
		t.Error("an established name was forgotten")
	}
	if m.Has(schema.Scope{Kind: schema.ScopeAgent, Value: "x1"}) {
		t.Error("a claimed name of an agent counts as met")
	}
	if n := len(m.claimed.names); n != maxNames || m.Has(schema.Scope{Kind: schema.ScopeCredential, Value: "k_1"}) {
		t.Errorf("%d claimed credentials are remembered", n)
	}
}
