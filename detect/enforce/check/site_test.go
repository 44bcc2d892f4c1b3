package check

import (
	"context"
	"net/http"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"flyball/detect/enforce/api"
	"flyball/detect/enforce/enforcetest"
	"flyball/detect/enforce/point"
	"flyball/detect/enforce/sightings"
	"flyball/schema"
)

// assemble connects the three parts of an enforcement point.
func assemble(t testing.TB, o enforcetest.Options) (*point.Point, *Checker, http.Handler) {
	t.Helper()
	p, err := point.New(o.Point())
	if err != nil {
		t.Fatal(err)
	}
	runs, names := sightings.NewRuns(), sightings.NewNames()
	c, err := New(Options{State: p, Log: p.Log(), Runs: runs, Names: names, Kafka: o.Kafka, Name: o.Name, Partitions: 4,
		Resolver: o.Resolver, Routes: o.Routes, Token: o.CheckToken, TrustedHops: o.TrustedHops, Armed: o.Armed, Scopes: o.Scopes,
		Learning: o.Learning, Now: o.Now, Logger: o.Logger, Registerer: o.Registry})
	if err != nil {
		t.Fatal(err)
	}
	p.Subscribe(c)
	var tokens []api.Token
	for _, x := range o.Tokens {
		tokens = append(tokens, api.Token{Name: x.Name, Role: api.Role(x.Role), Tenants: x.Tenants, Hash: x.Hash, Expires: x.Expires,
			Delegate: x.Delegate})
	}
	operators, err := api.New(api.Options{Tokens: tokens, State: p, Log: p.Log(), Runs: runs, Names: names, Point: o.Name, Tenant: "t",
		Now:    o.Now,
		Logger: o.Logger})
	if err != nil {
		t.Fatal(err)
	}
	return p, c, operators
}

// checker is a Checker with a state and no log.
type checker struct {
	*Checker
	point *point.Point
	clock *enforcetest.Clock
}

func newChecker(t testing.TB, change func(*enforcetest.Options)) *checker {
	t.Helper()
	clock := enforcetest.NewClock()
	o := enforcetest.InMemory(t, clock)
	if change != nil {
		change(&o)
	}
	p, c, _ := assemble(t, o)
	return &checker{c, p, clock}
}

// replay folds commands at the point, as if they were in its log.
func (c *checker) replay(commands ...schema.Command) { c.point.Replay(commands...) }

// site is a point that folds a log.
type site struct {
	*enforcetest.Site
	*Checker
	options enforcetest.Options
}

func run(t *testing.T, k *kfake.Cluster, name string, change func(*enforcetest.Options)) *site {
	t.Helper()
	o := enforcetest.OnKafka(t, k, name)
	if change != nil {
		change(&o)
	}
	p, c, operators := assemble(t, o)
	s := &site{Checker: c, options: o}
	s.Site = enforcetest.Launch(t, p, c.Handler(), operators, func(ctx context.Context) error {
		go func() { _ = c.Run(ctx) }()
		return p.Run(ctx)
	})
	s.Await(t)
	return s
}

type verdict struct {
	status           int
	why, gate, would string
	body             map[string]any
}

func (s *site) ask(agent, runKey, method, path, body string, headers ...string) verdict {
	v := s.Ask(agent, runKey, method, path, body, headers...)
	return verdict{v.Status, v.Why, v.Gate, v.Would, v.Body}
}
