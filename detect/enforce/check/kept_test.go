package check

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"flyball/detect/enforce/api"
	"flyball/detect/enforce/enforcetest"
	"flyball/schema"
	"flyball/schema/identity"
	"flyball/schema/route"
)

// A request has names that ingest removes from logs, because they hold a secret. The check kept them: in the record of the request, in
// questions, in the memory of runs.
func TestSecretInAHeaderThatNamesACallerIsKept(t *testing.T) {
	const secret = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"
	jwt := "eyJhbGciOiJIUzI1NiJ9." + strings.Repeat("eyJzdWIiOiIxIn0", 5) + ".abcdefgh"
	redact := func(s string) string { return strings.NewReplacer(secret, "[redacted]", jwt, "[redacted]").Replace(s) }
	for _, s := range []string{secret, jwt} {
		for _, name := range []string{"x-agent-id", "x-agent-run-id", "x-task-id", "x-session-id", "x-user-id", "x-request-id",
			"x-parent-agent-id", "signature-agent", "user-agent", "x-consumer", "host", "x-amount"} {
			c := newChecker(t, func(o *enforcetest.Options) {
				var err error
				if o.Resolver, err = identity.NewResolver(identity.Options{Tenant: "t", Key: enforcetest.Key(), Redact: redact}); err != nil {
					t.Fatal(err)
				}
				o.Routes = enforcetest.Table(t, route.Rule{Method: "POST", Template: "/v1/payouts", Amount: "header:X-Amount"})
			})
			c.replay()
			c.o.KeptPath, c.o.KeptText = redact, redact
			q := requestOf("POST", "/v1/payouts", map[string]string{name: s, "authorization": "Bearer t-1"})
			if name == "host" {
				q.host = s
			}
			if a := c.check(q); a.status != http.StatusOK || strings.Contains(a.receipt, s) {
				t.Errorf("%s: %d", name, a.status)
			}
			call := queued(c)
			for what, text := range map[string]string{"agent": call.AgentID, "asserted": call.AgentAsserted, "run": call.RunKey, "task": call.TaskID,
				"conversation": call.ConversationID, "principal": call.PrincipalID, "request": call.RequestID, "parent": call.ParentAgent,
				"user agent": call.UserAgent, "product": call.UAProduct, "credential": call.CredentialID, "actor": call.RoutingKey, "host": call.Host} {
				if strings.Contains(strings.ToLower(text), strings.ToLower(s[:12])) {
					t.Errorf("%s is the %s: %s", name, what, text)
				}
			}
			for _, x := range call.Attrs {
				if strings.Contains(x.Value, s) {
					t.Errorf("%s is the attribute %s", name, x.Key)
				}
			}
			if name == "x-consumer" && !strings.HasPrefix(call.CredentialID, "k_") {
				t.Errorf("a consumer that is a key is the credential %q", call.CredentialID)
			}
		}
	}
}

func queued(c *checker) schema.Call {
	for _, queue := range []chan schema.Call{c.observer.in, c.observer.claimed} {
		select {
		case call := <-queue:
			return call
		default:
		}
	}
	return schema.Call{}
}

// A client with headers of 60 KB fills the queue of records with a gigabyte.
func TestRecordOfARequestIsAsLongAsItsHeaders(t *testing.T) {
	long := strings.Repeat("long-", 60<<10/5)
	c := newChecker(t, func(o *enforcetest.Options) {
		o.Routes = enforcetest.Table(t, route.Rule{Method: "POST", Template: "/v1/payouts", Amount: "header:X-Amount"})
	})
	c.replay()
	headers := map[string]string{"authorization": "Bearer t-1"}
	for _, name := range []string{"x-amount", "x-agent-id", "x-agent-run-id", "x-task-id", "x-task-type", "x-session-id", "x-user-id",
		"x-request-id", "user-agent", "x-consumer", "signature-agent", "x-http-method-override", "traceparent"} {
		headers[name] = long
	}
	q := requestOf("MAKE-"+strings.ToUpper(long), "/"+long+"/"+long+"?"+long, headers)
	q.host = long
	c.check(q)
	call := queued(c)
	n := len(call.Method) + len(call.Path) + len(call.Host) + len(call.Route) + len(call.RouteKey) + len(call.Operation) + len(call.AgentID) +
		len(call.AgentAsserted) + len(call.RunKey) + len(call.TaskID) + len(call.ConversationID) + len(call.PrincipalID) + len(call.RequestID) +
		len(call.UserAgent) + len(call.UAProduct) + len(call.CredentialID) + len(call.RoutingKey)
	for _, a := range call.Attrs {
		n += len(a.Key) + len(a.Value)
	}
	for _, r := range call.Resources {
		n += len(r.Type) + len(r.ID)
	}
	if call.Tenant == "" || n > 16<<10 {
		t.Errorf("%d bytes: method %d, path %d, host %d, route %d, attributes %d", n, len(call.Method), len(call.Path), len(call.Host),
			len(call.Route), len(call.Attrs))
	}
}

// A person approves a call to a host of tests, and the agent makes it to another host.
func TestApprovalIsUsedAtAnotherHost(t *testing.T) {
	r := run(t, enforcetest.Broker(t), "a", nil)
	r.PutManifest(t, enforcetest.Billing)
	ask := func(method, host string) (status int, gate string) {
		w := enforcetest.Serve(r.Handler(), "GET", "/check/nginx", "", "X-Original-Method", method, "X-Original-URI", "/v1/orders/1",
			"X-Original-Host", host, "X-Consumer", "billing", "X-Agent-Run-Id", "r-1")
		return w.Code, w.Header().Get("X-Flyball-Gate")
	}
	_, gate := ask("DELETE", "staging.example")
	if gate == "" {
		t.Fatal("no question")
	}
	if text := r.Gate(gate).Call(); text != "DELETE staging.example/v1/orders/1" {
		t.Errorf("the person sees %q", text)
	}
	r.Must(t, "POST", "/v1/grants/"+gate+"/grant", api.GrantRequest{Reason: "staging only"})
	if status, _ := ask("DELETE", "shop.example"); status != 403 {
		t.Errorf("another host: %d", status)
	}
	if status, _ := ask("DELETE", "Staging.example"); status != 200 {
		t.Errorf("the host of the question: %d", status)
	}
}

// The decision was made on the first 2 KB of a path: a breaker on a former name of its route, and a pattern of a
// manifest, saw another route.
func TestEndOfALongPathLeadsAroundABreaker(t *testing.T) {
	path := "/v1/docs/" + strings.Repeat("é", 1100) + "/archive"
	c := newChecker(t, func(o *enforcetest.Options) {
		o.Routes = enforcetest.Table(t, route.Learned{Collapsed: []route.Slot{{Method: "POST", Template: "/v1/docs/{slug}/{slug}"}}}.Rules()...)
	})
	c.replay(schema.Command{ID: "r", Kind: schema.CommandForceOpen, Tenant: "t",
		Scope: schema.Scope{Kind: schema.ScopeRoute, Value: "POST /v1/docs/{long}/archive"}, By: "ann", Reason: "stop"})
	for _, p := range []string{path, strings.ReplaceAll(path, "é", "%C3%A9")} {
		if a := c.check(requestOf("POST", p, map[string]string{"x-consumer": "notary"})); a.status != 403 {
			t.Errorf("%d bytes: %d %s", len(p), a.status, a.why)
		}
		if call := queued(c); len(call.Path) > schema.MaxPath || len(call.Path) < schema.MaxPath-8 {
			t.Errorf("%d bytes of the path are kept", len(call.Path))
		}
	}
}

// A person said yes to a call whose body nobody had shown, and the question looked as if there were none.
func TestQuestionHidesThatTheBodyWasNotShown(t *testing.T) {
	r := walked(t, enforcetest.Broker(t))
	r.PutManifest(t, payer)
	tail := func(amount int) string {
		return fmt.Sprintf(`{"note":"%s","currency":"EUR","amount":%d}`, strings.Repeat("x", MaxBody), amount)
	}
	for what, x := range map[string]struct {
		method, path, body string
		headers            []string
		want               string
	}{
		"no body shown":              {"POST", "/v1/refunds", "", nil, "with a body that was not shown"},
		"no body shown, its length":  {"POST", "/v1/refunds", "", []string{"Content-Length", "30"}, "with a body that was not shown"},
		"a deletion with a body":     {"DELETE", "/v1/refunds/7", "", []string{"Content-Length", "30"}, "with a body that was not shown"},
		"a deletion":                 {"DELETE", "/v1/refunds/7", "", nil, ""},
		"a whole body":               {"POST", "/v1/refunds", `{"amount":60,"currency":"EUR"}`, nil, ""},
		"an amount behind the limit": {"POST", "/v1/refunds", tail(60), nil, "with a body of which the beginning was shown"},
	} {
		held := r.ask("billing", "r "+what, x.method, x.path, x.body, x.headers...)
		if held.status != 403 || held.gate == "" {
			t.Errorf("%s: %d %s", what, held.status, held.why)
			continue
		}
		g := r.Gate(held.gate)
		if call := g.Call(); x.want == "" && strings.Contains(call, " with ") || !strings.HasSuffix(call, x.want) {
			t.Errorf("%s: the question is about %q, want %q", what, call, x.want)
		}
	}
}
