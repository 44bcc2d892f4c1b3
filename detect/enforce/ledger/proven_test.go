package ledger

import (
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"flyball/detect/enforce"
	"flyball/detect/enforce/breaker"
	"flyball/schema"
)

func provenOf(id, credential string, ttl int64) *schema.Command {
	return &schema.Command{ID: id, Kind: schema.CommandProven, Tenant: "t", By: "detect", TTL: ttl,
		Scope: schema.Scope{Kind: schema.ScopeCredential, Value: credential}}
}

func TestProvenCredentialExpiresAndSurvivesARestart(t *testing.T) {
	s := New(breaker.DefaultBudget())
	s.Apply(0, sec, provenOf("1", "k", 100*sec))
	s.Apply(1, sec, provenOf("2", "k2", 10*sec))
	call := func(k string) *schema.Call {
		return &schema.Call{Tenant: "t", CredentialID: k, CredentialTrust: schema.TrustAsserted}
	}
	check := func(s *State, k string, want schema.Standing) {
		t.Helper()
		if got := s.Standing(call(k)); got != want {
			t.Errorf("%s at %ds: %v, want %v", k, s.Position.Time/sec, got, want)
		}
	}
	check(s, "k", schema.StandingProven)
	check(s, "other", schema.StandingClaimed)
	check(s, "", schema.StandingClaimed)
	if got := s.Standing(&schema.Call{Tenant: "u", CredentialID: "k"}); got != schema.StandingClaimed {
		t.Errorf("of another tenant: %v", got)
	}
	if got := s.Standing(&schema.Call{Tenant: "t", CredentialID: "k",
		CredentialTrust: schema.TrustInfrastructure}); got != schema.StandingEstablished {
		t.Errorf("established: %v", got)
	}
	s.Apply(2, 11*sec, &schema.Command{Kind: schema.CommandTick})
	check(s, "k2", schema.StandingClaimed)
	s.Apply(3, 50*sec, provenOf("3", "k", 100*sec)) // confirmed again
	b, err := json.Marshal(s.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	var snap Snapshot
	if err := json.Unmarshal(b, &snap); err != nil {
		t.Fatal(err)
	}
	restored, err := Restore(breaker.DefaultBudget(), &snap)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*State{s, restored} {
		s.Apply(4, 120*sec, &schema.Command{Kind: schema.CommandTick})
		check(s, "k", schema.StandingProven)
		s.Apply(5, 150*sec, &schema.Command{Kind: schema.CommandTick})
		check(s, "k", schema.StandingClaimed)
	}
	if s.Audit.Seq != 0 {
		t.Error("what is known of a credential is an entry of the audit trail")
	}
}

func TestProvenCredentialsAreBounded(t *testing.T) {
	s := New(breaker.DefaultBudget())
	s.Apply(0, sec, provenOf("", "first", 1<<50))
	for i := range int64(maxProven) {
		s.Apply(i+1, sec+i, provenOf("", fmt.Sprint(i), 1<<50))
	}
	for i := range int64(5 * maxProven) { // a used credential is confirmed repeatedly, some at the same time
		s.Apply(2*maxProven+i, 3*sec+i/3, provenOf("", "used", 1<<50))
	}
	p := s.credentials.byTenant["t"]
	if len(p.until) > maxProven || len(p.order) > 2*maxProven+1 {
		t.Errorf("%d credentials, %d entries", len(p.until), len(p.order))
	}
	proven := func(id string) bool { return s.credentials.proven("t", id, s.Position.Time) }
	if proven("first") || !proven("used") || !proven(fmt.Sprint(maxProven-1)) {
		t.Error("the one that was confirmed longest ago is not the one that went")
	}
}

func TestProvenIsRefusedWithoutCredentialOrTime(t *testing.T) {
	s := New(breaker.DefaultBudget())
	for i, c := range []*schema.Command{provenOf("1", "", sec), provenOf("2", "k", 0),
		{ID: "3", Kind: schema.CommandProven, Tenant: "t", TTL: sec, Scope: schema.Scope{Kind: schema.ScopeAgent, Value: "a"}}} {
		s.Apply(int64(i), sec, c)
		if r, _ := s.Result(c.ID); r.Code != enforce.Rejected {
			t.Errorf("%d: %s", i, r.Code)
		}
	}
	if want := New(breaker.DefaultBudget()).credentials; !reflect.DeepEqual(s.credentials, want) {
		t.Error("something was taken in")
	}
}
