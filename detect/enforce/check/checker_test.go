package check

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	grpcstatus "google.golang.org/grpc/status"

	"flyball/detect/enforce/breaker"
	"flyball/detect/enforce/enforcetest"
	"flyball/detect/enforce/point"
	"flyball/schema"
	"flyball/schema/identity"
)

func ask(c *checker, headers map[string]string) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "/check", nil)
	for k, v := range headers {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	c.Handler().ServeHTTP(w, r)
	return w
}

var stopped = schema.Command{ID: "1", Kind: schema.CommandForceOpen, Tenant: "t", Scope: schema.Scope{Kind: schema.ScopeCredential,
	Value: "billing"}, By: "ann", Reason: "leaked key"}

func TestNotLoadedAnswers503SoThatTheGatewaysFailureModeDecides(t *testing.T) {
	c := newChecker(t, nil)
	w := ask(c, map[string]string{"X-Original-Method": "DELETE", "X-Original-URI": "/v1/orders/1"})
	if w.Code != 503 || w.Header().Get("Content-Type") != "application/problem+json" || !strings.Contains(w.Body.String(), "not-loaded") {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if err := c.point.Ready(); err == nil {
		t.Error("ready before the breakers are loaded")
	}
}

func TestDenialIsAProblemThatTellsWhatToDo(t *testing.T) {
	c := newChecker(t, nil)
	c.replay(stopped)
	w := ask(c, map[string]string{"X-Original-Method": "GET", "X-Original-URI": "/v1/orders/1", "X-Consumer": "billing",
		"X-Agent-Run-Id": "r-1"})
	var p struct {
		Type, Title, Detail, Instance string
		Status                        int
		Flyball                       struct {
			Reason, Scope string
			Generation    uint64
		}
	}
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != 403 || p.Status != 403 || p.Type == "" || p.Title == "" ||
		p.Instance == "" ||
		!strings.Contains(p.Detail, "Reason: leaked key.") || p.Flyball.Scope != "credential:billing" || p.Flyball.Generation != 1 ||
		w.Header().Get("X-Flyball-Run") == "" {
		t.Fatalf("%d %v %s %v", w.Code, w.Header(), w.Body, err)
	}
	if w := ask(c, map[string]string{"X-Original-Method": "GET", "X-Original-URI": "/v1/orders/1", "X-Consumer": "support"}); w.Code != 200 ||
		w.Body.Len() != 0 {
		t.Errorf("somebody else: %d %s", w.Code, w.Body)
	}
}

func TestGatewayMustShowItsToken(t *testing.T) {
	c := newChecker(t, func(o *enforcetest.Options) { o.CheckToken = "s3cret" })
	c.replay()
	for headers, want := range map[[2]string]int{{"", ""}: 401, {"X-Flyball-Token", "s3cre"}: 401, {"Authorization", "Bearer other"}: 401,
		{"X-Flyball-Token", "s3cret"}: 200, {"Authorization", "Bearer s3cret"}: 200} {
		h := map[string]string{"X-Original-Method": "GET", "X-Original-URI": "/"}
		if headers[0] != "" {
			h[headers[0]] = headers[1]
		}
		if w := ask(c, h); w.Code != want {
			t.Errorf("%v: %d, want %d", headers, w.Code, want)
		}
	}
}

func TestSilentLogIsToldAsStaleAndKeepsTheState(t *testing.T) {
	c := newChecker(t, nil)
	c.replay(stopped)
	c.clock.At = c.clock.At.Add(time.Minute)
	if w := ask(c, map[string]string{"X-Original-Method": "GET", "X-Original-URI": "/", "X-Consumer": "billing"}); w.Code != 403 ||
		w.Header().Get("X-Flyball-Stale") != "1" {
		t.Fatalf("%d %v", w.Code, w.Header())
	}
}

// The client's own X-Forwarded-For cannot set another address: the last entry is from the gateway.
func TestClientCannotChooseItsAddress(t *testing.T) {
	if a := clientAddress("10.0.0.1, 192.0.2.7", "127.0.0.1:9", 0); a.String() != "192.0.2.7" {
		t.Fatal(a)
	}
	if a := clientAddress("nonsense", "192.0.2.9:1", 0); a.String() != "192.0.2.9" {
		t.Fatal(a)
	}
}

func TestEnvoyIsAnsweredTheSameOverGRPC(t *testing.T) {
	c := newChecker(t, func(o *enforcetest.Options) { o.CheckToken = "s3cret" })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := grpc.NewServer()
	c.Register(s)
	go func() { _ = s.Serve(l) }()
	defer s.Stop()
	conn, err := grpc.NewClient(l.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := auth.NewAuthorizationClient(conn)
	request := func(consumer, token string) (*auth.CheckResponse, error) {
		return client.Check(tokened(token), &auth.CheckRequest{Attributes: &auth.AttributeContext{
			Request: &auth.AttributeContext_Request{Http: &auth.AttributeContext_HttpRequest{Method: "GET", Path: "/v1/orders/1",
				Headers: map[string]string{"x-consumer": consumer, "x-agent-run-id": "r-1"}}}}})
	}
	if _, err := request("support", "wrong"); grpcstatus.Code(err) != codes.Unauthenticated {
		t.Errorf("a wrong token: %v", err)
	}
	if _, err := request("support", "s3cret"); grpcstatus.Code(err) != codes.Unavailable {
		t.Errorf("not loaded: %v", err)
	}
	c.replay(stopped)
	ok, err := request("support", "s3cret")
	if err != nil || ok.GetStatus().GetCode() != 0 || ok.GetDynamicMetadata().GetFields()["run_id"].GetStringValue() == "" {
		t.Errorf("allowed: %v %v", ok, err)
	}
	denied, err := request("billing", "s3cret")
	if err != nil || codes.Code(denied.GetStatus().GetCode()) != codes.PermissionDenied ||
		int(denied.GetDeniedResponse().GetStatus().GetCode()) != http.StatusForbidden ||
		!json.Valid([]byte(denied.GetDeniedResponse().GetBody())) ||
		denied.GetDynamicMetadata().GetFields()["decision_id"].GetStringValue() == "" {
		t.Errorf("denied: %v %v", denied, err)
	}
}

// BenchmarkCheck measures one answer: with an empty state, and with the state of a large tenant.
func BenchmarkCheck(b *testing.B) {
	for _, size := range []struct{ breakers, manifests int }{{1, 0}, {10_000, 1_000}} {
		c := newChecker(b, func(o *enforcetest.Options) {
			o.Resolver = enforcetest.Resolver(b, identity.Entry{Agent: "agent7", Consumer: "agent7"})
			o.Now, o.Armed = time.Now, func(string, string) bool { return true }
		})
		log := []schema.Command{*point.InitialSettings("t", "p", breaker.Budget{PerHour: 1 << 30, Percent: 100})}
		for i := range size.breakers {
			run := schema.RunID{byte(i), byte(i >> 8), 1}
			log = append(log, schema.Command{ID: fmt.Sprint("b", i), Kind: schema.CommandTrip, Tenant: "t", TTL: int64(time.Hour),
				ActiveAgents: 1 << 20, Decision: &schema.Decision{
					Mode: schema.ModeArmed, Action: schema.ActionDeny, Scope: schema.Scope{Kind: schema.ScopeRun, Value: run.String()},
					AgentID: fmt.Sprint("agent", i%100), CredentialID: fmt.Sprint("k", i%100)}})
		}
		for i := range size.manifests {
			log = append(log, schema.Command{ID: fmt.Sprint("m", i), Kind: schema.CommandManifest, Tenant: "t",
				Manifest: &schema.Manifest{Text: strings.Replace(enforcetest.Billing, "agent: billing", fmt.Sprint("agent: agent", i), 1)}})
		}
		c.replay(log...)
		headers := map[string]string{"x-consumer": "agent7", "x-agent-run-id": "r-1"}
		for name, q := range map[string]*request{"read": {method: "GET", path: "/v1/orders/77?x=1"}, "held": {method: "DELETE",
			path: "/v1/orders/77"}} {
			q.headers = func(n string) string { return headers[strings.ToLower(n)] }
			b.Run(fmt.Sprintf("%s/%d_breakers_%d_manifests", name, size.breakers, size.manifests), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					c.check(q)
				}
			})
		}
	}
}

func tokened(token string) context.Context {
	return metadata.AppendToOutgoingContext(context.Background(), "x-flyball-token", token)
}
