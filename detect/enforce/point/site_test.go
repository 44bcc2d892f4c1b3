package point_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"flyball/detect/enforce/api"
	"flyball/detect/enforce/check"
	"flyball/detect/enforce/enforcetest"
	"flyball/detect/enforce/point"
	"flyball/detect/enforce/sightings"
	"flyball/schema"
)

// site is an enforcement point with all three parts.
type site struct {
	*enforcetest.Site
	options enforcetest.Options
}

// launch starts a point that may end by itself.
func launch(t *testing.T, k *kfake.Cluster, name string, change func(*enforcetest.Options)) *site {
	t.Helper()
	o := enforcetest.OnKafka(t, k, name)
	if change != nil {
		change(&o)
	}
	p, err := point.New(o.Point())
	if err != nil {
		t.Fatal(err)
	}
	runs, names := sightings.NewRuns(), sightings.NewNames()
	c, err := check.New(check.Options{State: p, Log: p.Log(), Runs: runs, Names: names, Kafka: o.Kafka, Name: o.Name, Partitions: 4,
		Resolver: o.Resolver, Routes: o.Routes, Armed: o.Armed, Now: o.Now, Logger: o.Logger, Registerer: o.Registry})
	if err != nil {
		t.Fatal(err)
	}
	p.Subscribe(c)
	operators, err := api.New(api.Options{State: p, Log: p.Log(), Runs: runs, Names: names, Point: o.Name, Tenant: "t", Budget: o.Budget,
		Now: o.Now, Logger: o.Logger, Registerer: o.Registry})
	if err != nil {
		t.Fatal(err)
	}
	return &site{enforcetest.Launch(t, p, c.Handler(), operators, p.Run), o}
}

func run(t *testing.T, k *kfake.Cluster, name string, change func(*enforcetest.Options)) *site {
	t.Helper()
	s := launch(t, k, name, change)
	s.Await(t)
	return s
}

// trip opens a breaker manually until a reset.
func (s *site) trip(t *testing.T, kind schema.ScopeKind, value string) {
	t.Helper()
	s.Must(t, "POST", "/v1/breakers/trip", forced(kind, value))
}

func forced(kind schema.ScopeKind, value string) api.TripRequest {
	return api.TripRequest{Scope: schema.Scope{Kind: kind, Value: value}, UntilReset: true, Force: true, Reason: "x"}
}

// runaways trips n agents, and returns the result of each.
func (s *site) runaways(t *testing.T, first, n int) (results []string) {
	t.Helper()
	for i := range n {
		id := fmt.Sprint("d", first+i)
		scope := schema.Scope{Kind: schema.ScopeCredential, Value: id}
		got, err := s.Log().Submit(context.Background(), schema.Command{ID: id, Kind: schema.CommandTrip, Tenant: "t", Scope: scope,
			TTL: int64(time.Hour), ActiveAgents: 1000, Reason: "x",
			Decision: &schema.Decision{ID: id, Mode: schema.ModeArmed, Action: schema.ActionDeny, Scope: scope, AgentID: id, CredentialID: id}})
		if err != nil {
			t.Fatal(err)
		}
		results = append(results, string(got.Code))
	}
	return results
}

// results returns the results of folded trips of runaways.
func (s *site) results(n int) (out []string) {
	v := s.Acquire()
	defer v.Release()
	for i := range n {
		r, _ := v.Result(fmt.Sprint("d", i))
		out = append(out, string(r.Code))
	}
	return out
}
