package enforcetest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"flyball/detect/enforce/ledger"
	"flyball/detect/enforce/point"
	"flyball/schema"
	"flyball/schema/identity"
	"flyball/schema/route"
)

// Billing is a manifest: refunds below 50 EUR and reads pass, deletions need a person.
const Billing = `version: 1
agent: billing
scope: {routes: [GET /**, POST /v1/refunds, "DELETE /v1/orders/{order_id}", "PATCH /v1/orders/{id}"]}
autonomy: [{routes: [POST /v1/refunds], alone_below: 50, currency: EUR}]
quotas: [{name: notes, calls: 100, per: 744h, routes: ["PATCH /v1/orders/{id}"]}]
`

// Key returns the key of the deployment.
func Key() identity.Key { return identity.Key(strings.Repeat("k", 32)) }

// Resolver returns a resolver of the tenant t, with these entries of the registry.
func Resolver(t testing.TB, registry ...identity.Entry) *identity.Resolver {
	t.Helper()
	r, err := identity.NewResolver(identity.Options{Tenant: "t", Key: Key(), Registry: registry})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// agents returns the registry entries of billing and support, each identified by its consumer.
func agents() []identity.Entry {
	return []identity.Entry{{Agent: "billing", Consumer: "billing"}, {Agent: "support", Consumer: "support"}}
}

// Table returns a table of routes with an operator's rules.
func Table(t testing.TB, rules ...route.Rule) *route.Table {
	t.Helper()
	table, err := route.NewTable(route.Options{Version: "test", DigestKey: Key(), Operator: rules})
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// orders returns rules of orders, whose deletion is irreversible, and of refunds.
func orders() []route.Rule {
	return []route.Rule{
		{Method: "DELETE", Template: "/v1/orders/{order_id}", Effect: schema.EffectDelete, Reversibility: schema.Irreversible,
			Resources: []string{"order_id:order"}},
		{Method: "POST", Template: "/v1/refunds", Effect: schema.EffectPay, Reversibility: schema.Irreversible, Amount: "arg:amount",
			Currency: "arg:currency"},
	}
}

// NoLog returns a logger that discards everything.
func NoLog() *slog.Logger { return slog.New(slog.DiscardHandler) }

// Clock is a clock that a test sets. It is not safe for concurrent use.
type Clock struct{ At time.Time }

// NewClock returns a clock at a fixed time.
func NewClock() *Clock { return &Clock{time.Date(2026, 5, 4, 10, 0, 0, 0, time.UTC)} }

// Now returns the time that was set.
func (c *Clock) Now() time.Time { return c.At }

// Lines is a log that can be read while it is written.
type Lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write appends to the log.
func (l *Lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// Logger returns a logger that writes to the log.
func (l *Lines) Logger() *slog.Logger { return slog.New(slog.NewTextHandler(l, nil)) }

// Count returns how often a text was written.
func (l *Lines) Count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), text)
}

// Within waits until ok returns true, at most 15 seconds.
func Within(t *testing.T, what string, ok func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	for !ok() {
		if ctx.Err() != nil {
			t.Fatalf("not within 15 s: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// TokenHash returns the hash of a token.
func TokenHash(token string) [32]byte { return sha256.Sum256([]byte(token)) }

// Serve returns the response of a handler to a request.
func Serve(h http.Handler, method, target, body string, headers ...string) *httptest.ResponseRecorder {
	q := httptest.NewRequest(method, target, strings.NewReader(body))
	for i := 0; i+1 < len(headers); i += 2 {
		q.Header.Set(headers[i], headers[i+1])
	}
	if h := q.Header.Get("Host"); h != "" {
		q.Host = h
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, q)
	return w
}

// Site is an enforcement point that folds a log.
type Site struct {
	*point.Point
	Check, API http.Handler
	// Stop stops the point and waits for its end.
	Stop func()
	// Ended receives the error of its run.
	Ended chan error
}

// Launch runs a point that may end by itself.
func Launch(t *testing.T, p *point.Point, check, api http.Handler, run func(context.Context) error) *Site {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		defer close(done)
		ended <- run(ctx)
	}()
	s := &Site{Point: p, Check: check, API: api, Ended: ended, Stop: sync.OnceFunc(func() { cancel(); <-done })}
	t.Cleanup(s.Stop)
	return s
}

// Await waits until the point is ready. The test fails if the point ends with an error.
func (s *Site) Await(t *testing.T) {
	t.Helper()
	t.Cleanup(func() {
		s.Stop()
		if err := <-s.Ended; err != nil {
			t.Error(err)
		}
	})
	Within(t, "ready", func() bool { return s.Ready() == nil })
}

// AwaitEnd waits until the point has ended by itself with an error that contains some words.
func (s *Site) AwaitEnd(t *testing.T, want ...string) {
	t.Helper()
	select {
	case err := <-s.Ended:
		for _, w := range want {
			if err == nil || !strings.Contains(err.Error(), w) {
				t.Fatalf("the point ended with %v, and without a word of %q", err, w)
			}
		}
	case <-time.After(15 * time.Second):
		t.Fatal("the point goes on")
	}
	if s.Ready() == nil {
		t.Error("a point whose fold has ended is ready")
	}
}

// CheckAnswer is a response of the check.
type CheckAnswer struct {
	Status           int
	Why, Gate, Would string
	Body             map[string]any
}

// Ask sends a request to the check for a call of an agent in a run.
func (s *Site) Ask(agent, runKey, method, path, body string, headers ...string) CheckAnswer {
	q := httptest.NewRequest("POST", "/check", strings.NewReader(body))
	for k, v := range map[string]string{"X-Original-Method": method, "X-Original-URI": path, "X-Consumer": agent, "X-Agent-Run-Id": runKey} {
		q.Header.Set(k, v)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		q.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.Check.ServeHTTP(w, q)
	v := CheckAnswer{Status: w.Code, Why: w.Header().Get("X-Flyball-Why"), Gate: w.Header().Get("X-Flyball-Gate"),
		Would: w.Header().Get("X-Flyball-Would")}
	_ = json.Unmarshal(w.Body.Bytes(), &v.Body)
	return v
}

// Operate sends an operator's request to the API and returns the status and the body.
func (s *Site) Operate(t *testing.T, method, path string, body any, token string) (int, string) {
	t.Helper()
	b, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	headers := []string{"Content-Type", "application/json"}
	if token != "" {
		headers = append(headers, "Authorization", "Bearer "+token)
	}
	w := Serve(s.API, method, "http://127.0.0.1"+path, string(b), headers...)
	return w.Code, w.Body.String()
}

// Must calls Operate and fails the test unless the status is 200.
func (s *Site) Must(t *testing.T, method, path string, body any) {
	t.Helper()
	if code, text := s.Operate(t, method, path, body, ""); code != 200 {
		t.Fatalf("%s %s: %d %s", method, path, code, text)
	}
}

// PutManifest puts a manifest in force.
func (s *Site) PutManifest(t *testing.T, text string) {
	t.Helper()
	s.Must(t, "PUT", "/v1/manifests", map[string]string{"text": text, "reason": "test"})
}

// Audit returns the end of the audit trail that the point has folded.
func (s *Site) Audit() ledger.Chain {
	v := s.Acquire()
	defer v.Release()
	return v.Audit
}

// Settings returns the settings of the tenant t in the log.
func (s *Site) Settings() ledger.TenantSettings {
	v := s.Acquire()
	defer v.Release()
	return v.Settings("t")
}

// AwaitSettings waits until the settings of the file are in the log: then every kind of
// command may be written.
func (s *Site) AwaitSettings(t *testing.T) {
	t.Helper()
	Within(t, "the settings of the file are in the log", func() bool { return s.Settings().Generation != 0 })
}

// Breakers returns the breakers that are not closed.
func (s *Site) Breakers() []*schema.Breaker {
	v := s.Acquire()
	defer v.Release()
	return v.Breakers.Breakers()
}

// Manifests returns how many manifests are in force.
func (s *Site) Manifests() int {
	v := s.Acquire()
	defer v.Release()
	return len(v.Manifests.List("t"))
}

// Gate returns a question by its id; nil: there is none.
func (s *Site) Gate(id string) *schema.Gate {
	v := s.Acquire()
	defer v.Release()
	g, _ := v.Approvals.Get(id)
	return g
}

// Gates returns how many questions there are.
func (s *Site) Gates() int {
	v := s.Acquire()
	defer v.Release()
	return len(v.Approvals.List())
}

// Stale reports whether the point's state is stale.
func (s *Site) Stale() bool {
	v := s.Acquire()
	defer v.Release()
	return v.Stale()
}
