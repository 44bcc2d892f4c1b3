package manifest

import (
	"strings"
	"testing"
	"time"

	"flyball/detect/enforce"
	"flyball/schema"
	"flyball/schema/route"
)

const refunds = `version: 1
agent: billing/refunds
owner: payments@example.com
scope:
  routes: [GET /v1/**, POST /v1/refunds, "PATCH /v1/orders/{id}", "DELETE /v1/orders/{id}", "tool:refund_payment"]
  resources: ["order:*", "refund:*"]
task_types:
  refund: {routes: [POST /v1/refunds]}
  admin: {routes: ["* /**"]}
autonomy:
  - {routes: [POST /v1/refunds, "tool:refund_payment"], alone_below: 50, per_run: 120, per_day: 500, currency: EUR}
  - {routes: ["PATCH /v1/orders/{id}"], ask: never}
quotas:
  - {name: calls, calls: 100, per: 1h}
  - {name: money, amount: 2000, currency: EUR, per: 24h, of: principal}
hours: {days: [mon, tue, wed, thu, fri], from: "07:00", to: "19:00", timezone: Europe/Berlin}
`

func must(t testing.TB, text string) *Manifest {
	t.Helper()
	m, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

var monday = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC).UnixNano()

func call(method, template string, change func(*schema.Call)) *schema.Call {
	c := &schema.Call{Method: method, Route: template, RouteKey: route.Key(template), AgentID: "billing/refunds",
		AgentTrust: schema.TrustVerified, Reversibility: schema.Reversible}
	if method == "GET" {
		c.Reversibility = schema.ReadOnly
	}
	if change != nil {
		change(c)
	}
	return c
}

func paying(amount, currency string) func(*schema.Call) {
	return func(c *schema.Call) {
		c.Reversibility = schema.Irreversible
		if amount != "" {
			c.SetAttr(route.AttrAmount, amount)
		}
		if currency != "" {
			c.SetAttr(route.AttrCurrency, currency)
		}
	}
}

// asked is a call and what is known about it.
type asked struct {
	Call        *schema.Call
	Now         int64
	Task        *schema.Task
	ClaimedType string
}

func TestManifestDecides(t *testing.T) {
	m := must(t, refunds)
	named := func(kind, id string) func(*schema.Call) {
		return func(c *schema.Call) { c.Resources = []schema.Resource{{Type: kind, ID: id}} }
	}
	for name, tc := range map[string]struct {
		in     asked
		action schema.Action
		why    string
	}{
		"read in scope":          {asked{Call: call("GET", "/v1/orders/{id}", nil)}, 0, whyInScope},
		"read outside is a note": {asked{Call: call("GET", "/admin", nil)}, schema.ActionAnnotate, whyReadOutside},
		"write in scope":         {asked{Call: call("PATCH", "/v1/orders/{order_id}", named("order", "7"))}, 0, whyInScope},
		"write outside":          {asked{Call: call("PUT", "/v1/users/{id}", nil)}, schema.ActionGate, WhyOutside},
		"another resource":       {asked{Call: call("PATCH", "/v1/orders/{id}", named("user", "7"))}, schema.ActionGate, whyResource},
		"a resource nobody can name": {asked{Call: call("PATCH", "/v1/orders/{id}", named("invoice", "?"))}, schema.ActionGate,
			whyResourceHidden},
		"one of a kind that is granted": {asked{Call: call("PATCH", "/v1/orders/{id}", named("order", "?"))}, 0, whyInScope},
		"refund below":                  {asked{Call: call("POST", "/v1/refunds", paying("49.99", "EUR"))}, 0, whyInScope},
		"refund at the limit":           {asked{Call: call("POST", "/v1/refunds", paying("50", "EUR"))}, schema.ActionGate, whyAmount},
		"refund just below in pieces":   {asked{Call: call("POST", "/v1/refunds", paying("49.9999999", "EUR"))}, schema.ActionGate, whyAmount},
		"amount without a currency":     {asked{Call: call("POST", "/v1/refunds", paying("10", ""))}, schema.ActionGate, whyNoCurrency},
		"amount unknown":                {asked{Call: call("POST", "/v1/refunds", paying("", ""))}, schema.ActionGate, whyNoAmount},
		"another currency":              {asked{Call: call("POST", "/v1/refunds", paying("1", "USD"))}, schema.ActionGate, whyCurrency},
		"irreversible and not granted": {asked{Call: call("DELETE", "/v1/orders/{id}",
			func(c *schema.Call) { c.Reversibility = schema.Irreversible })}, schema.ActionGate, whyIrreversible},
		"a tool above": {asked{Call: call("POST", "/mcp",
			func(c *schema.Call) { c.ToolName = "refund_payment"; paying("60", "EUR")(c) })}, schema.ActionGate, whyAmount},
		"outside hours": {asked{Call: call("PATCH", "/v1/orders/{id}", nil), Now: monday + int64(12*time.Hour)},
			schema.ActionGate, whyHours},
		"a read at night": {asked{Call: call("GET", "/v1/orders", nil), Now: monday + int64(12*time.Hour)}, 0, whyInScope},
		"on a Sunday": {asked{Call: call("PATCH", "/v1/orders/{id}", nil), Now: monday - int64(24*time.Hour)},
			schema.ActionGate, whyHours},
		"declared target": {asked{Call: call("POST", "/v1/refunds", paying("5", "EUR")),
			Task: &schema.Task{Type: "refund", Targets: []string{"order:7"}, Expires: 1 << 62}}, 0, whyInScope},
		"another target": {asked{Call: call("PATCH", "/v1/orders/{id}", named("order", "8")),
			Task: &schema.Task{Targets: []string{"order:7"}, Expires: 1 << 62}}, schema.ActionGate, whyTaskTarget},
		"another task": {asked{Call: call("PATCH", "/v1/orders/{id}", nil),
			Task: &schema.Task{Type: "refund", Expires: 1 << 62}}, schema.ActionGate, whyTaskRoute},
		"a type that nobody declared": {asked{Call: call("PATCH", "/v1/orders/{id}", nil), Task: &schema.Task{Type: "other", Expires: 1 << 62}},
			schema.ActionGate, whyTypeUnknown},
		"after the task": {asked{Call: call("GET", "/v1/orders", nil), Task: &schema.Task{Expires: 1}}, schema.ActionDeny,
			whyTaskOver},
		"agentPicksWiderTask": {asked{Call: call("PUT", "/v1/users/{id}", nil), ClaimedType: "admin"}, schema.ActionGate, WhyOutside},
		"agentPicksWiderTask, declared": {asked{Call: call("PATCH", "/v1/orders/{id}", nil), ClaimedType: "admin",
			Task: &schema.Task{Type: "refund", Expires: 1 << 62}}, schema.ActionGate, whyTaskRoute},
		"a claimed type narrows": {asked{Call: call("PATCH", "/v1/orders/{id}", nil), ClaimedType: "refund"}, schema.ActionGate,
			whyTaskRoute},
	} {
		if tc.in.Now == 0 {
			tc.in.Now = monday
		}
		if a := m.Evaluate(&enforce.Request{Call: tc.in.Call, Task: tc.in.Task, ClaimedTaskType: tc.in.ClaimedType},
			tc.in.Now); a.Action != tc.action || a.Why != tc.why {
			t.Errorf("%s: %v because %s (%s), want %v because %s", name, a.Action, a.Why, a.Line, tc.action, tc.why)
		}
	}
}

func TestQuotasOfACall(t *testing.T) {
	m := must(t, refunds)
	spends := func(c *schema.Call) (out []string) {
		for _, s := range m.Evaluate(&enforce.Request{Call: c}, monday).Spends {
			out = append(out, s.Quota+" "+s.Of+" "+strings.TrimSuffix(time.Duration(s.Units).String(), "ns"))
		}
		return out
	}
	c := call("POST", "/v1/refunds", paying("20.5", "EUR"))
	c.RunKey, c.CredentialID = "r-1", "k"
	want := "calls billing/refunds 1, money credential:k 20.5µs, autonomy0_per_run r-1 20.5µs, autonomy0_per_day billing/refunds 20.5µs"
	if got := strings.Join(spends(c), ", "); got != want {
		t.Error(got)
	}
	// Above the amount that the agent may spend alone the call needs approval, and it spends
	// nothing of the quotas of calls without approval.
	c = call("POST", "/v1/refunds", paying("80", "EUR"))
	c.CredentialID = "k"
	if got := strings.Join(spends(c), ", "); got != "calls billing/refunds 1, money credential:k 80µs" {
		t.Error(got)
	}
	// An unknown amount exceeds every limit by amount.
	for _, s := range m.Evaluate(&enforce.Request{Call: call("POST", "/v1/refunds", paying("", ""))}, monday).Spends {
		if s.Quota == "money" && s.Units <= s.Limit {
			t.Error("an amount that nobody knows fits")
		}
	}
	if got := spends(call("GET", "/v1/orders", nil)); len(got) != 1 {
		t.Error(got)
	}
}

// wrong maps invalid documents to the text that the error must contain.
var wrong = map[string]string{
	"version: 2\nagent: a\n":                                     "version: 2",
	"version: 1\n":                                               "agent: empty",
	"version: 1\nagent: a\nscop: {}\n":                           "scop",
	"version: 1\nagent: \"a[\"\n":                                "agent:",
	"version: 1\nagent: a\nscope: {routes: [v1]}\n":              "scope.routes[0]",
	"version: 1\nagent: a\nscope: {routes: [\"GET /a/**/b\"]}\n": "comes last",
	"version: 1\nagent: a\nscope: {resources: [order]}\n":        "scope.resources[0]",
	"version: 1\nagent: a\ntask_types: {x: {}}\n":                "task_types.x",
	"version: 1\nagent: a\ntask: maybe\n":                        "task:",
	"version: 1\nagent: a\nautonomy: [{ask: always}]\n":          "autonomy[0].routes",
	"version: 1\nagent: a\nautonomy: [{routes: [GET /a]}]\n":     "autonomy[0]: neither",
	"version: 1\nagent: a\nautonomy: [{routes: [GET /a], ask: always, alone_below: 3, currency: EUR}]\n": "contradict",
	"version: 1\nagent: a\nautonomy: [{routes: [GET /a], alone_below: 3}]\n":                             "currency: empty",
	"version: 1\nagent: a\nautonomy: [{routes: [GET /a], alone_below: -3, currency: EUR}]\n":             "alone_below: -3",
	"version: 1\nagent: a\nquotas: [{name: x, per: 1h}]\n":                                               "exactly one",
	"version: 1\nagent: a\nquotas: [{name: x, calls: 1, irreversible: 1, per: 1h}]\n":                    "exactly one",
	"version: 1\nagent: a\nquotas: [{name: X, calls: 1, per: 1h}]\n":                                     "quotas[0].name",
	"version: 1\nagent: a\nquotas: [{name: x, calls: 1, per: 1s}]\n":                                     "quotas[0].per",
	"version: 1\nagent: a\nquotas: [{name: x, calls: 1, per: 1h, of: world}]\n":                          "quotas[0].of",
	"version: 1\nagent: a\nquotas: [{name: x, calls: 1, per: 1h}, {name: x, calls: 2, per: 1h}]\n":       "twice",
	"version: 1\nagent: a\nquotas: [{name: x, amount: 1, per: 1h, currency: eur}]\n":                     "ISO 4217",
	"version: 1\nagent: a\nhours: {from: \"7\", to: \"19:00\", timezone: UTC}\n":                         "hours.from",
	"version: 1\nagent: a\nhours: {from: \"07:00\", to: \"19:00\", timezone: Mars/Base}\n":               "hours.timezone",
	"version: 1\nagent: a\nhours: {days: [monday], from: \"07:00\", to: \"19:00\", timezone: UTC}\n":     "hours.days[0]",
	"version: 1\nagent: a\nfailure_mode: {reads: open}\n":                                                "failure_mode.reads",
	"agent: [":                  "manifest:",
	strings.Repeat("#", 70<<10): "bytes",
}

func TestBadManifestIsRefusedByName(t *testing.T) {
	for text, want := range wrong {
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q: %v, want it to name %q", text, err, want)
		}
	}
}

func TestAmountsAreNeverRoundedDown(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "50": 50_000, "49.99": 49_990, "49.9991": 50_000, "49.9990000": 49_999, ".5": 500,
		"7.": 7000} {
		if got, ok := parseThousandths(text); !ok || got != want {
			t.Errorf("%s: %d %v, want %d", text, got, ok, want)
		}
	}
	for _, text := range []string{"", ".", "-1", "1e3", "1,000", "NaN", "999999999999999999999"} {
		if got, ok := parseThousandths(text); ok {
			t.Errorf("%q was read as %d", text, got)
		}
	}
}

func TestAssertedNameCannotChooseAWiderManifest(t *testing.T) {
	s := NewStore()
	for _, text := range []string{"version: 1\nagent: admin\n", "version: 1\nagent: \"*\"\nscope: {routes: [GET /**]}\n",
		"version: 1\nagent: billing/*\n"} {
		if err := s.Put("t", schema.Manifest{Text: text}); err != nil {
			t.Fatal(err)
		}
	}
	of := func(agent string, trust schema.Trust) string {
		_, doc := s.ForAgent("t", agent, trust)
		return doc.Agent
	}
	for _, tc := range []struct {
		agent string
		trust schema.Trust
		want  string
	}{{"admin", schema.TrustVerified, "admin"}, {"admin", schema.TrustAsserted, "*"}, {"billing/x", schema.TrustVerified, "billing/*"},
		{"billing/x", schema.TrustAsserted, "*"}, {"other", schema.TrustVerified, "*"}, {"", schema.TrustNone, "*"}} {
		if got := of(tc.agent, tc.trust); got != tc.want {
			t.Errorf("%s, %v: %q, want %q", tc.agent, tc.trust, got, tc.want)
		}
	}
}

func BenchmarkDecide(b *testing.B) {
	m := must(b, refunds)
	c := call("POST", "/v1/refunds", paying("49.99", "EUR"))
	b.ReportAllocs()
	for b.Loop() {
		m.Evaluate(&enforce.Request{Call: c}, monday)
	}
}

// An amount with unknown currency exceeds every limit.
func TestQuotaIsNotSpentByAnAmountWithoutCurrency(t *testing.T) {
	m := must(t, "version: 1\nagent: billing/refunds\nquotas: [{name: money, amount: 2000, currency: EUR, per: 24h}]\n")
	for currency, want := range map[string]int64{"EUR": 10_000, "": 2_000_001} {
		c := call("POST", "/v1/refunds", paying("10", currency))
		c.Reversibility = schema.Compensable
		if s := m.Evaluate(&enforce.Request{Call: c}, monday).Spends; len(s) != 1 || s[0].Units != want {
			t.Errorf("%q: %+v", currency, s)
		}
	}
}
