package api

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/twmb/franz-go/pkg/kfake"

	"flyball/detect/enforce/check"
	"flyball/detect/enforce/enforcetest"
	"flyball/detect/enforce/point"
	"flyball/detect/enforce/sightings"
)

// assemble connects the three parts of an enforcement point.
func assemble(t testing.TB, o enforcetest.Options) (*point.Point, *check.Checker, *server) {
	t.Helper()
	p, err := point.New(o.Point())
	if err != nil {
		t.Fatal(err)
	}
	runs, names := sightings.NewRuns(), sightings.NewNames()
	c, err := check.New(check.Options{State: p, Log: p.Log(), Runs: runs, Names: names, Kafka: o.Kafka, Name: o.Name, Partitions: 4,
		Resolver: o.Resolver, Routes: o.Routes, Token: o.CheckToken, Armed: o.Armed, Now: o.Now, Logger: o.Logger, Registerer: o.Registry})
	if err != nil {
		t.Fatal(err)
	}
	p.Subscribe(c)
	var tokens []Token
	for _, x := range o.Tokens {
		tokens = append(tokens, Token{Name: x.Name, Role: Role(x.Role), Tenants: x.Tenants, Hash: x.Hash, Expires: x.Expires,
			Delegate: x.Delegate})
	}
	s, err := newServer(Options{State: p, Log: p.Log(), Runs: runs, Names: names, Point: o.Name, Tenant: "t", Tokens: tokens, Armed: o.Armed,
		Budget: o.Budget, LinkKey: o.LinkKey, Findings: o.Findings, Process: o.Process, FindFinding: o.FindFinding, Now: o.Now,
		Logger: o.Logger, Unread: o.Unread,
		Registerer: o.Registry})
	if err != nil {
		t.Fatal(err)
	}
	return p, c, s
}

func handler(t testing.TB, s *server) http.Handler {
	t.Helper()
	h, err := s.handler()
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// inMemory is an API at a point that has a state and no log.
type inMemory struct {
	*server
	http.Handler
	point *point.Point
	check http.Handler
}

func newAPI(t testing.TB, change func(*enforcetest.Options)) *inMemory {
	t.Helper()
	o := enforcetest.InMemory(t, enforcetest.NewClock())
	if change != nil {
		change(&o)
	}
	p, c, s := assemble(t, o)
	return &inMemory{s, handler(t, s), p, c.Handler()}
}

// site is a point that folds a log.
type site struct {
	*enforcetest.Site
	*server
	checker *check.Checker
}

func run(t *testing.T, k *kfake.Cluster, name string, change func(*enforcetest.Options)) *site {
	t.Helper()
	o := enforcetest.OnKafka(t, k, name)
	if change != nil {
		change(&o)
	}
	p, c, s := assemble(t, o)
	r := &site{enforcetest.Launch(t, p, c.Handler(), handler(t, s), p.Run), s, c}
	r.Await(t)
	return r
}

// ready starts a point and waits until it may write every kind of command.
func ready(t *testing.T, k *kfake.Cluster, name string, change func(*enforcetest.Options)) *site {
	t.Helper()
	r := run(t, k, name, change)
	r.AwaitSettings(t)
	return r
}

// changed returns the response of an operation that must succeed.
func changed[T any](t *testing.T, r *site, path string, body any) (out T) {
	t.Helper()
	code, text := r.Operate(t, "POST", path, body, "")
	if code != 200 {
		t.Fatalf("%s: %d %s", path, code, text)
	}
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		t.Fatal(err)
	}
	return out
}
