package engine

import (
	"context"
	"testing"
	"time"

	"flyball/schema"
	"flyball/schema/wire"
)

func (f *floor) commandsOf(kind schema.CommandKind) (out []schema.Command) {
	f.t.Helper()
	for _, r := range f.tape.records {
		if r.Topic != wire.CommandsTopic {
			continue
		}
		c, err := wire.DecodeCommand(r.Value)
		if err != nil {
			f.t.Fatal(err)
		}
		if c.Kind == kind {
			out = append(out, c)
		}
	}
	return out
}

// accepted applies a call with a bearer token that the API accepted.
func (f *floor) accepted(at time.Time, credential string) {
	f.t.Helper()
	c := schema.Call{Source: schema.Source{Topic: "gw"}, Pos: schema.Position{Offset: f.offset}, Tenant: "default",
		RoutingKey: "c:" + credential, CredentialID: credential, CredentialTrust: schema.TrustAsserted,
		RunKey: "r1", Start: at.UnixNano(), DurationNs: 1e6, Method: "GET", RouteKey: "/orders/{}", Status: 200,
		ObserverKind: schema.ObserverGateway}
	if err := f.publish.proven(context.Background(), f.state.Apply(&c, f.offset), &c); err != nil {
		f.t.Fatal(err)
	}
	f.offset++
}

// A proven credential is reported once a day, under an id that a repeat shares. Old calls are not
// reported, nor is any if the configuration does not allow it.
func TestProvenCredentialIsReportedOnceADay(t *testing.T) {
	now := night
	f := newFloor(t, func(c *Config) {
		c.ProvenCommands, c.Now = func() bool { return true }, func() time.Time { return now }
	})
	for i := range 3 * 24 * 12 { // three days, a call every five minutes
		now = night.Add(time.Duration(i) * 5 * time.Minute)
		f.accepted(now, "k_token")
	}
	got := f.commandsOf(schema.CommandProven)
	ids := map[string]bool{}
	for _, c := range got {
		ids[c.ID] = true
		if c.Scope != (schema.Scope{Kind: schema.ScopeCredential, Value: "k_token"}) || c.Tenant != "default" || c.TTL != int64(7*24*time.Hour) {
			t.Errorf("%+v", c)
		}
	}
	if len(got) < 3 || len(got) > 4 || len(ids) != len(got) {
		t.Errorf("%d commands under %d ids in three days", len(got), len(ids))
	}
	for name, change := range map[string]func(*Config){
		"back-fill": func(c *Config) {
			c.ProvenCommands, c.Now = func() bool { return true }, func() time.Time { return night.Add(48 * time.Hour) }
		},
		"not asked": func(c *Config) { c.Now = func() time.Time { return night } },
	} {
		f := newFloor(t, change)
		for i := range 40 {
			f.accepted(night.Add(time.Duration(i)*time.Minute), "k_token")
		}
		if got := f.commandsOf(schema.CommandProven); len(got) != 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// A trip contains the holder of the run, so that a later run of the same holder does not escape.
func TestTripNamesTheHolder(t *testing.T) {
	f := newFloor(t, func(c *Config) {
		c.Rules.Graded = nil
		c.About = func(agent string) ([]string, string) { return []string{"payments", agent}, "" }
	})
	c := schema.Call{Source: schema.Source{Topic: "gw"}, Tenant: "default", RoutingKey: "g:g/3", AgentID: "g/3",
		AgentTrust: schema.TrustVerified, CredentialID: "k", RunKey: "r1", Start: night.UnixNano(), DurationNs: 1}
	r := f.state.Apply(&c, 0)
	finding := schema.Finding{ID: "f", Tenant: "default", Level: schema.LevelTrip,
		Decision: &schema.Decision{ID: "d", Scope: schema.Scope{Kind: schema.ScopeRun, Value: r.RunID.String()}}}
	if err := f.publish.finding(context.Background(), r, &finding); err != nil {
		t.Fatal(err)
	}
	trips := f.commandsOf(schema.CommandTrip)
	if len(trips) != 1 || trips[0].Holder == nil {
		t.Fatalf("%+v", trips)
	}
	h := trips[0].Holder
	if h.AgentID != "g/3" || h.AgentTrust != schema.TrustVerified || h.CredentialID != "k" || h.Standing != schema.StandingEstablished ||
		len(h.Tags) != 2 || h.Tags[1] != "g/3" {
		t.Errorf("%+v", h)
	}
}
