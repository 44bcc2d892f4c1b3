package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"flyball/detect/enforce/enforcetest"
	"flyball/schema"
	"flyball/schema/kafka"
	"flyball/schema/wire"
)

// written returns all records of the logs of commands and events, and of the breakers, once they hold the texts that are wanted and
// nothing has come for a while: what follows from a command is written after its answer.
func written(t *testing.T, k *kfake.Cluster, wanted ...string) string {
	t.Helper()
	all, unchanged := "", 0
	lacks := func(text string) bool { return !strings.Contains(all, text) }
	for end := time.Now().Add(15 * time.Second); unchanged < 4 || slices.ContainsFunc(wanted, lacks) && time.Now().Before(end); {
		time.Sleep(100 * time.Millisecond)
		before := len(all)
		if all = logs(t, k); len(all) != before {
			unchanged = 0
			continue
		}
		unchanged++
	}
	return all
}

func logs(t *testing.T, k *kfake.Cluster) string {
	t.Helper()
	var all strings.Builder
	for _, topic := range []string{wire.CommandsTopic, wire.EventsTopic, wire.BreakersTopic} {
		_, err := kafka.ReadToEnd(t.Context(), enforcetest.Config(k), "test", topic, nil, func(r *kgo.Record) error {
			all.Write(r.Value)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all.String()
}

// entries returns how many entries the audit trail has.
func (r *site) entries() uint64 {
	return r.Audit().Seq
}

func runTarget(value string) schema.Scope { return schema.Scope{Kind: schema.ScopeRun, Value: value} }

func TestTripOfARunsOwnKeyStopsTheRun(t *testing.T) {
	k := enforcetest.Broker(t)
	a, b := ready(t, k, "a", nil), ready(t, k, "b", nil)
	if v := a.Ask("billing", "kk1", "GET", "/v1/orders/1", ""); v.Status != 200 {
		t.Fatalf("%+v", v)
	}
	done := changed[TripResult](t, a, "/v1/breakers/trip", TripRequest{Scope: runTarget("kk1"), TTL: 60, Reason: "looks wrong"})
	if v := a.Ask("billing", "kk1", "GET", "/v1/orders/1", ""); v.Status != 403 {
		t.Errorf("tripped by its key, and its next call: %+v", v)
	}
	enforcetest.Within(t, "it is stopped at the other point", func() bool {
		return b.Ask("billing", "kk1", "GET", "/v1/orders/1",
			"").Status == 403
	})
	if _, err := schema.ParseRunID(done.Scope.Value); err != nil || done.RunKey != "kk1" || done.Expires == "" || done.Tenant != "t" ||
		len(done.Points) == 0 {
		t.Errorf("%+v", done)
	}
	if h := done.Holder; h == nil || h.AgentID != "billing" || h.AgentTrust < schema.TrustInfrastructure || h.CredentialID != "billing" ||
		h.Standing != schema.StandingEstablished {
		t.Errorf("who acts in the run: %+v", done.Holder)
	}
	if code, text := a.Operate(t, "POST", "/v1/breakers/reset", ResetRequest{Scope: runTarget("kk1"), Reason: "looked"}, ""); code != 200 {
		t.Errorf("reset by the same key: %d %s", code, text)
	}
	if v := a.Ask("billing", "kk1", "GET", "/v1/orders/1", ""); v.Status != 200 {
		t.Errorf("reset, and %+v", v)
	}
}

func TestTripOfAPartOfARunsIdAndOfARunOnARoute(t *testing.T) {
	r := ready(t, enforcetest.Broker(t), "a", nil)
	r.Ask("billing", "k1", "DELETE", "/v1/orders/1", "")
	id := changed[TripResult](t, r, "/v1/breakers/trip", TripRequest{Scope: runTarget("k1"), TTL: 60, Reason: "x"}).Scope.Value
	changed[ChangeResult](t, r, "/v1/breakers/reset", ResetRequest{Scope: runTarget(id), Reason: "x"})
	if got := changed[TripResult](t, r, "/v1/breakers/trip", TripRequest{Scope: runTarget(strings.ToUpper(id[:7])), TTL: 60,
		Reason: "x"}); got.Scope.Value != id {
		t.Errorf("%+v", got)
	}
	changed[ChangeResult](t, r, "/v1/breakers/reset", ResetRequest{Scope: runTarget(id), Reason: "x"})
	changed[TripResult](t, r, "/v1/breakers/trip", TripRequest{Scope: schema.Scope{Kind: schema.ScopeRunRoute,
		Value: "k1 DELETE /v1/orders/{order_id}"}, TTL: 60, Reason: "x"})
	if r.Ask("billing", "k1", "DELETE", "/v1/orders/1", "").Status != 403 || r.Ask("billing", "k1", "GET", "/v1/orders/1", "").Status != 200 {
		t.Error("a run on one route is not what is held")
	}
}

func TestKeyOfTwoRunsListsThemAndTripsNone(t *testing.T) {
	r := ready(t, enforcetest.Broker(t), "a", nil)
	r.Ask("billing", "same", "GET", "/v1/orders/1", "")
	r.Ask("support", "same", "GET", "/v1/orders/1", "")
	r.Ask("", "same", "GET", "/v1/orders/1", "", "Authorization", "Bearer somebody-else")
	code, text := r.Operate(t, "POST", "/v1/breakers/trip", TripRequest{Scope: runTarget("same"), TTL: 60, Reason: "x"}, "")
	claimed := strings.Index(text, "(claimed)")
	if code != 409 || !strings.Contains(text, "of billing (established)") || !strings.Contains(text, "of support (established)") ||
		claimed >= 0 && claimed < strings.LastIndex(text, "(established)") {
		t.Errorf("%d %s", code, text)
	}
	if len(r.Breakers()) != 0 {
		t.Error("one of them was tripped")
	}
}

func TestTargetThatNoRequestMeetsIsRefused(t *testing.T) {
	k := enforcetest.Broker(t)
	r := ready(t, k, "a", nil)
	for _, tc := range []struct {
		kind   schema.ScopeKind
		value  string
		force  bool
		status int
	}{
		{schema.ScopeAgent, "nosuchagent", false, 404},
		{schema.ScopeVersion, "nosuchagent@1", false, 404},
		{schema.ScopeVersion, "billing", false, 422},
		{schema.ScopeRun, "nosuchrun", false, 404},
		{schema.ScopeRun, "nosuchrun", true, 422}, // a key is not an id: nothing would be held
		{schema.ScopeRun, "0123", true, 422},
		{schema.ScopeRun, schema.RunID{1}.String(), false, 404},
		{schema.ScopeCredential, "k_aaaaaaaaaaaaaaaa", false, 404},
		{schema.ScopePrincipal, "kim", false, 404},
		{schema.ScopeTenant, "other", true, 404},
		{schema.ScopeAddress, "300.1.1.1", true, 422},
		{schema.ScopeAddress, "fe80::1%eth0", true, 422},
		{schema.ScopeRoute, "x", true, 422},
		{schema.ScopeRoute, "* /v1/**", true, 422},
		{schema.ScopeRunRoute, "x", true, 422},
		{schema.ScopeRunRoute, "x DELETE /v1/orders/{id}", true, 422},
		{schema.ScopeAgent, "a\u202eb", true, 422},
	} {
		code, text := r.Operate(t, "POST", "/v1/breakers/trip", TripRequest{Scope: schema.Scope{Kind: tc.kind, Value: tc.value}, TTL: 60,
			Force: tc.force, Reason: "x"}, "")
		if code != tc.status {
			t.Errorf("%s %s, force %v: %d %s, want %d", tc.kind, tc.value, tc.force, code, text, tc.status)
		}
		if code == 404 && tc.kind != schema.ScopeTenant && !strings.Contains(text, "--force") {
			t.Errorf("it does not say how to do it in spite of that: %s", text)
		}
	}
	if len((&breakers{r.server, nil}).lines(true)) != 0 {
		t.Errorf("%+v", (&breakers{r.server, nil}).lines(true))
	}
	for _, tc := range []struct {
		kind        schema.ScopeKind
		value, want string
	}{
		{schema.ScopeAgent, "nosuchagent", "nosuchagent"},
		{schema.ScopeRun, strings.ToUpper(schema.RunID{0xab}.String()), schema.RunID{0xab}.String()},
		{schema.ScopeCredential, "k_aaaaaaaaaaaaaaaa", "k_aaaaaaaaaaaaaaaa"},
		{schema.ScopeAddress, "::ffff:192.0.2.7", "192.0.2.7"}, // in the form of requests
		{schema.ScopeRoute, "DELETE /v1/orders/{order_id}", "DELETE /v1/orders/{order_id}"},
		{schema.ScopeTenant, "t", "t"},
	} {
		got := changed[TripResult](t, r, "/v1/breakers/trip", TripRequest{Scope: schema.Scope{Kind: tc.kind, Value: tc.value}, UntilReset: true,
			Force: true, Reason: "x"})
		if got.Scope.Value != tc.want || got.Expires != "" {
			t.Errorf("%+v", got)
		}
	}
}

func TestTripSaysUntilWhen(t *testing.T) {
	r := ready(t, enforcetest.Broker(t), "a", nil)
	for _, body := range []string{`{"scope": {"kind": "tenant", "value": "t"}, "reason": "x"}`,
		`{"scope": {"kind": "tenant", "value": "t"}, "reason": "x", "ttl_seconds": 5, "until_reset": true}`,
		`{"scope": {"kind": "tenant", "value": "t"}, "reason": "x", "until_reset": false}`} {
		if w := enforcetest.Serve(r.API, "POST", "http://localhost/v1/breakers/trip", body, "Content-Type", "application/json"); w.Code != 400 {
			t.Errorf("%s: %d %s", body, w.Code, w.Body)
		}
	}
}

func TestRawSecretIsNeitherEchoedNorKept(t *testing.T) {
	k := enforcetest.Broker(t)
	r := run(t, k, "a", nil)
	r.AwaitSettings(t)
	before := r.entries()
	all := []string{"sk_raw_leak", "sk-proj-4f9a8b7c6d5e", "ghp_16C7e42F292c6912E7", "xoxb-17653672481-19874698323",
		"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "Bearer abcdef",
		"4fda9ce1f0b84d21b7c0aa4e8d2f6e11", "Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5"}
	for _, secret := range all {
		bodies := map[string]any{}
		for _, force := range []bool{false, true} {
			bodies[fmt.Sprint("/v1/breakers/trip ", force)] = TripRequest{Scope: schema.Scope{Kind: schema.ScopeCredential, Value: secret},
				TTL: 60, Force: force, Reason: "leaked"}
		}
		bodies["/v1/breakers/reset"] = ResetRequest{Scope: schema.Scope{Kind: schema.ScopeCredential, Value: secret}, Reason: "leaked"}
		if LooksLikeSecret(secret) {
			bodies["/v1/breakers/trip agent"] = TripRequest{Scope: schema.Scope{Kind: schema.ScopeAgent, Value: secret}, TTL: 60, Force: true,
				Reason: "leaked"}
			bodies["/v1/breakers/trip run"] = TripRequest{Scope: runTarget(secret), TTL: 60, Force: true, Reason: "leaked"}
			bodies["/v1/breakers/trip holder"] = TripRequest{Scope: runTarget(schema.RunID{1}.String()), TTL: 60, Force: true, Credential: secret,
				Reason: "leaked"}
			bodies["/v1/arming/arm"] = ArmingRequest{Pattern: secret, Reason: "leaked"}
			bodies["/v1/bypass"] = BypassRequest{Agent: secret, Seconds: 5, Force: true, Reason: "leaked"}
			bodies["/v1/bypass/end"] = EndBypassRequest{Agent: secret, Reason: "leaked"}
			bodies["/v1/exceptions"] = AddExceptionRequest{Agent: secret, Family: "runaway.*", Seconds: 5, Reason: "leaked"}
			bodies["/v1/exceptions route"] = AddExceptionRequest{Agent: "a", Family: "runaway.*", Seconds: 5, Reason: "leaked",
				Routes: []string{"DELETE /files/" + secret + "/{id}"}}
			bodies["/v1/routes/pin"] = RouteRequest{Route: "GET /files/" + secret + "/{id}", Reason: "leaked"}
			bodies["/v1/routes/undo"] = RouteRequest{Route: "GET /files/{id}/" + secret, Reason: "leaked"}
			bodies["/v1/breakers/trip route"] = TripRequest{Scope: schema.Scope{Kind: schema.ScopeRoute,
				Value: "DELETE /files/" + secret + "/{id}"}, TTL: 60, Force: true, Reason: "leaked"}
			bodies["/v1/runs"] = DeclareTaskRequest{RunKey: secret, Agent: "a", Seconds: 60, Force: true, Reason: "leaked"}
			bodies["/v1/runs target"] = DeclareTaskRequest{RunKey: "r", Agent: "a", Seconds: 60, Force: true, Reason: "leaked",
				Targets: []string{"file:" + secret}}
		}
		for path, body := range bodies {
			path, _, _ := strings.Cut(path, " ")
			code, text := r.Operate(t, "POST", path, body, "")
			if code < 400 || strings.Contains(text, secret) {
				t.Errorf("%s %+v: %d %s", path, body, code, text)
			}
		}
		if code, _ := r.Operate(t, "POST", "/v1/exceptions/"+strings.ReplaceAll(secret, " ", "%20")+"/remove",
			RemoveExceptionRequest{Reason: "x"}, ""); code != 404 {
			t.Errorf("%d", code)
		}
	}
	if log := written(t, k); slices.ContainsFunc(all, func(secret string) bool { return strings.Contains(log, secret) }) ||
		r.entries() != before {
		t.Errorf("the log holds one of them:\n%s", log)
	}
}

func TestIdsThatLookRandomAreTakenWhenTheyWereMet(t *testing.T) {
	r := ready(t, enforcetest.Broker(t), "a", nil)
	r.Ask("4fda9ce1f0b84d21b7c0aa4e8d2f6e11", "r", "GET", "/v1/orders/1", "") // a consumer of that name
	changed[TripResult](t, r, "/v1/breakers/trip", TripRequest{Scope: schema.Scope{Kind: schema.ScopeCredential,
		Value: "4fda9ce1f0b84d21b7c0aa4e8d2f6e11"}, TTL: 60, Reason: "x"})
	for _, id := range []string{"k_abcdefghijklmnop", "0b2e4c1a-91d0-4a52-8f7e-3a1c5d6e7f80", "spiffe://example.org/ns/prod/sa/billing",
		"billing-gateway-eu-1", "CN=billing,O=Example 12"} {
		if MayBeSecret(id) {
			t.Errorf("%s is taken for a secret", id)
		}
	}
}

func TestArmedByCommandWithoutARestartAtEveryPoint(t *testing.T) {
	k := enforcetest.Broker(t)
	observes := func(o *enforcetest.Options) { o.Mode, o.Armed = "observe", func(string, string) bool { return false } }
	a, b := ready(t, k, "a", observes), ready(t, k, "b", observes)
	a.PutManifest(t, "version: 1\nagent: billing\nscope: {routes: [GET /**]}\n")
	enforcetest.Within(t, "the manifest is at the other point", func() bool { return b.Manifests() == 1 })
	if v := b.Ask("billing", "r1", "DELETE", "/v1/orders/7", ""); v.Status != 200 || v.Would == "" {
		t.Fatalf("observed: %+v", v)
	}
	done := changed[ArmingResult](t, a, "/v1/arming/arm", ArmingRequest{Pattern: "billing", Reason: "a week of it looked right", By: "ann"})
	if done.Ref != "billing" || len(done.Configured) == 0 || done.Configured[0].Mode != "observe" {
		t.Errorf("%+v", done)
	}
	enforcetest.Within(t, "it is enforced at the other point", func() bool {
		return b.Ask("billing", "r1", "DELETE", "/v1/orders/7",
			"").Status == 403
	})
	if v := b.Ask("support", "r2", "DELETE", "/v1/orders/7", ""); v.Status != 200 {
		t.Errorf("another agent: %+v", v)
	}
	agents := changed[[]ArmedAgent](t, b, "/v1/arming/agents", ArmedAgentsRequest{Agents: []string{"billing", "support"}})
	if agents[0].State != "armed" || agents[0].Pattern != "billing" || agents[1].State != "observe" || agents[1].Why != "configuration" {
		t.Errorf("%+v", agents)
	}
	enforcetest.Within(t, "every point says what it enforces", func() bool {
		s := (&status{b.server}).status(caller{tenant: "t"})
		return len(s.Points) == 2 && s.Points[0].Mode == "observe" && s.Points[1].Mode == "observe" && len(s.Orders) == 1 &&
			s.Orders[0].By == "ann" && s.Orders[0].Role == "admin"
	})
	changed[BypassResult](t, a, "/v1/bypass", BypassRequest{Agent: "billing", Seconds: 60, Reason: "x"})
	enforcetest.Within(t, "it is bypassed at the other point", func() bool {
		return b.Ask("billing", "r1", "DELETE", "/v1/orders/7",
			"").Status == 200
	})
	if agents := changed[[]ArmedAgent](t, b, "/v1/arming/agents",
		ArmedAgentsRequest{Agents: []string{"billing"}}); agents[0].State != "bypassed" || agents[0].Until == "" {
		t.Errorf("%+v", agents)
	}
	changed[ChangeResult](t, a, "/v1/bypass/end", EndBypassRequest{Agent: "billing", Reason: "x"})
	enforcetest.Within(t, "the bypass has ended at the other point", func() bool {
		return b.Ask("billing", "r1", "DELETE", "/v1/orders/7",
			"").Status == 403
	})
	changed[ArmingResult](t, b, "/v1/arming/disarm", ArmingRequest{Pattern: "billing", Reason: "x"})
	enforcetest.Within(t, "it passes again", func() bool { return a.Ask("billing", "r1", "DELETE", "/v1/orders/7", "").Status == 200 })
	changed[ArmingResult](t, b, "/v1/arming/arm", ArmingRequest{Pattern: "*", Reason: "x"})
	both := changed[[]ArmedAgent](t, b, "/v1/arming/agents", ArmedAgentsRequest{Agents: []string{"billing"}})
	if claimed := changed[[]ArmedAgent](t, b, "/v1/arming/agents", ArmedAgentsRequest{Agents: []string{"billing"},
		Claimed: []string{"billing"}}); both[0].State != "observe" || claimed[0].State != "armed" {
		t.Errorf("the agent %+v, and who claims its name %+v", both, claimed)
	}
	changed[ArmingResult](t, b, "/v1/arming/clear", ArmingRequest{Pattern: "billing", Reason: "x"})
	if code, text := b.Operate(t, "POST", "/v1/arming/clear", ArmingRequest{Pattern: "billing", Reason: "x"}, ""); code != 404 {
		t.Errorf("%d %s", code, text)
	}
}

func TestOrderWithATypoIsRefused(t *testing.T) {
	r := ready(t, enforcetest.Broker(t), "a", nil)
	for path, body := range map[string]any{
		"/v1/arming/arm":    ArmingRequest{Pattern: "family:runaway.lop", Reason: "x"},
		"/v1/arming/disarm": ArmingRequest{Pattern: "billing/[", Reason: "x"},
		"/v1/exceptions":    AddExceptionRequest{Agent: "billing", Family: "runaway.lop", Seconds: 5, Reason: "x"},
	} {
		if code, text := r.Operate(t, "POST", path, body, ""); code != 422 {
			t.Errorf("%s: %d %s", path, code, text)
		}
	}
	if code, text := r.Operate(t, "POST", "/v1/bypass", BypassRequest{Agent: "nosuch", Seconds: 5, Reason: "x"}, ""); code != 404 ||
		!strings.Contains(text, "force") {
		t.Errorf("%d %s", code, text)
	}
	if got := changed[ArmingResult](t, r, "/v1/arming/arm", ArmingRequest{Pattern: "nosuch", Reason: "x"}); len(got.Notes) == 0 ||
		!strings.Contains(got.Notes[0], "no agent of that name") {
		t.Errorf("%+v", got)
	}
}

func TestExceptionByCommandIsListedAndRemoved(t *testing.T) {
	r := ready(t, enforcetest.Broker(t), "a", nil)
	r.Ask("billing", "r", "GET", "/v1/orders/1", "")
	added := changed[ExceptionResult](t, r, "/v1/exceptions", AddExceptionRequest{Agent: "billing", Family: "runaway.*",
		Routes: []string{"DELETE /v1/orders/{id}"}, Seconds: 3600, Reason: "the nightly purge", By: "ann"})
	list := (&exceptions{r.server, nil}).lines("t")
	if len(list) != 1 || list[0].ID != added.Ref || list[0].By != "ann" || list[0].Role != "admin" || list[0].Expires == "" ||
		len(added.Notes) != 0 {
		t.Fatalf("%+v %+v", list, added)
	}
	changed[ChangeResult](t, r, "/v1/exceptions/"+added.Ref+"/remove", RemoveExceptionRequest{Reason: "done"})
	if len((&exceptions{r.server, nil}).lines("t")) != 0 {
		t.Error("it is there yet")
	}
	if code, _ := r.Operate(t, "POST", "/v1/exceptions/"+added.Ref+"/remove", RemoveExceptionRequest{Reason: "done"}, ""); code != 404 {
		t.Error(code)
	}
}

func TestWhatAnOlderPointCannotReadIsNotWritten(t *testing.T) {
	k := enforcetest.Broker(t)
	heartbeat, err := wire.EncodeDocument(wire.PointVersion, &schema.PointState{Point: "old", At: time.Now().UnixNano()})
	if err != nil {
		t.Fatal(err)
	}
	enforcetest.Produce(t, k, wire.PointsTopic, "old", heartbeat)
	r := run(t, k, "a", nil)
	enforcetest.Within(t, "the heartbeats are read", func() bool {
		return !strings.Contains(fmt.Sprint(r.Supports(schema.CommandArm)),
			"are being read")
	})
	before := r.entries()
	for path, body := range map[string]any{
		"/v1/arming/arm": ArmingRequest{Pattern: "*", Reason: "x"},
		"/v1/bypass":     BypassRequest{Agent: "billing", Seconds: 5, Force: true, Reason: "x"}, // an old point would bypass the tenant
		"/v1/bypass/end": EndBypassRequest{Reason: "x"},
		"/v1/exceptions": AddExceptionRequest{Agent: "billing", Family: "runaway.*", Seconds: 5, Reason: "x"},
	} {
		if code, text := r.Operate(t, "POST", path, body, ""); code != http.StatusConflict || !strings.Contains(text, "old") {
			t.Errorf("%s: %d %s", path, code, text)
		}
	}
	if r.entries() != before {
		t.Error("something was written")
	}
	changed[BypassResult](t, r, "/v1/bypass", BypassRequest{Seconds: 5, Reason: "x"})
}
