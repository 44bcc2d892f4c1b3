package check

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/twmb/franz-go/pkg/kfake"
	"google.golang.org/grpc/codes"

	"flyball/detect/enforce/api"
	"flyball/detect/enforce/enforcetest"
	"flyball/schema"
	"flyball/schema/route"
)

// notary is a manifest that grants notes and nothing else.
const notary = `version: 1
agent: notary
scope: {routes: [GET /**, "POST /v1/notes/**", "DELETE /v1/notes/{id}", "PUT /@scope/name", "PUT /{package}"]}
autonomy: [{routes: ["DELETE /v1/notes/{id}"], ask: never}, {routes: ["PUT /{package}"], ask: never}]
`

var closing = route.Rule{Method: "POST", Template: "/v1/accounts/{id}/close", Effect: schema.EffectDelete,
	Reversibility: schema.Irreversible}

// asks returns the check of a point with folded commands; armed: everything is armed.
func asks(t testing.TB, armed bool, rules []route.Rule, commands ...schema.Command) func(method, path, body string,
	headers ...string) answer {
	c := newChecker(t, func(o *enforcetest.Options) {
		o.Armed = func(string, string) bool { return armed }
		o.Routes = enforcetest.Table(t, rules...)
	})
	c.replay(commands...)
	return func(method, path, body string, headers ...string) answer {
		h := http.Header{"X-Consumer": {"notary"}}
		for i := 0; i+1 < len(headers); i += 2 {
			h.Add(headers[i], headers[i+1])
		}
		return c.check(&request{method: method, path: path, headers: h.Get, joined: func(n string) string {
			return strings.Join(h.Values(n),
				",")
		}, body: []byte(body)})
	}
}

func manifestOf(text string) schema.Command {
	return schema.Command{ID: "m", Kind: schema.CommandManifest, Tenant: "t", Manifest: &schema.Manifest{Text: text}}
}

func killRoute(value string) schema.Command {
	return schema.Command{ID: "k" + value, Kind: schema.CommandForceOpen, Tenant: "t", Scope: schema.Scope{Kind: schema.ScopeRoute,
		Value: value}, By: "ann", Reason: "stop"}
}

// hiddenPaths are spellings of POST /v1/accounts/7/close under a granted path.
var hiddenPaths = []string{"/v1/notes/../accounts/7/close", "/v1/notes/%2e%2e/accounts/7/close", "/v1/notes/..%2faccounts/7/close",
	"/v1/notes/..;/accounts/7/close", "/v1/notes/%252e%252e/accounts/7/close",
	"/v1/notes/a/../../accounts/7/close", `/v1/notes/..\accounts\7\close`, "/v1/notes/..%5caccounts%5c7%5cclose",
	"/v1/notes/x%2f..%2f..%2faccounts%2f7%2fclose", "/v1/notes/..%c0%afaccounts/7/close"}

// writtenPaths are other spellings of the same path.
var writtenPaths = []string{"/v1/./accounts/7/close", "/v1/accounts/x/../7/close", "/v1/%2e/accounts/7/close", "/v1/accounts/7/close%2F",
	"/v1/accounts/7%2Fclose", "/V1/accounts/7/close", "/v1/Accounts/7/CLOSE",
	"/v1/accounts/7/close%20", "/v1/accounts/7/close%00", "/v1/accounts/7/close.json", "/v1/accounts/7/close%3fx", "/v1/accounts/7/close;x",
	"//v1///accounts/7/close/", "/v1/accounts/7/clos%65",
	"http://api.example.org/v1/accounts/7/close", "/v1/accounts/7.json/close", "/v1/accounts/abc/close", "/v1/accounts/%2f7/close"}

func TestGrantedPathDoesNotHideAnother(t *testing.T) {
	ask := asks(t, true, []route.Rule{closing}, manifestOf(notary))
	if a := ask("POST", "/v1/notes/7", ""); a.status != 200 {
		t.Fatalf("what is granted: %d %s", a.status, a.why)
	}
	for _, path := range append(slices.Clone(hiddenPaths), "/v1/accounts/7/close") {
		if a := ask("POST", path, ""); a.status != 403 {
			t.Errorf("%s: %d %s", path, a.status, a.why)
		} else if strings.Contains(path, "%2f") && a.why != whyAmbiguousPath {
			t.Errorf("%s: %s, want %s", path, a.why, whyAmbiguousPath)
		}
	}
}

func TestKillSwitchOnARouteHoldsEverySpelling(t *testing.T) {
	for name, ask := range map[string]func(string, string, string, ...string) answer{
		"declared":        asks(t, false, []route.Rule{closing}, killRoute("POST /v1/accounts/{id}/close")),
		"undeclared":      asks(t, false, nil, killRoute("POST /v1/accounts/{id}/close")),
		"named otherwise": asks(t, false, []route.Rule{closing}, killRoute("POST /v1/accounts/{account_id}/close")),
	} {
		for _, path := range append(append(writtenPaths, hiddenPaths...), "/v1/accounts/7/close") {
			if a := ask("POST", path, ""); a.status != 403 {
				t.Errorf("%s: %s: %d %s", name, path, a.status, a.why)
			}
		}
		if a := ask("post", "/v1/accounts/7/close", ""); a.status != 403 {
			t.Errorf("%s: lower-case method: %s", name, a.why)
		}
		for _, path := range []string{"/v1/accounts/7", "/v1/accounts", "/v1/accounts/7/close/reasons", "/v1/closings"} {
			if a := ask("POST", path, ""); a.status != 200 {
				t.Errorf("%s: %s: %s", name, path, a.why)
			}
		}
	}
}

func TestKillSwitchOnAnItemHoldsWhateverItsNameLooksLike(t *testing.T) {
	item := route.Rule{Template: "/v2/items/{item_id}"}
	for name, rules := range map[string][]route.Rule{"declared": {item}, "undeclared": nil} {
		ask := asks(t, false, rules, killRoute("DELETE /v2/items/{id}"))
		for _, path := range []string{"/v2/items/7", "/v2/./items/7", "/v2/items/abc", "/v2/items/7.json", "/v2/items/0x7", "/v2/items/%2f7",
			"/v2/items/7%20", "/v2/items/+7", "/v2/items/7;x=1", "/v2/items/%37"} {
			if a := ask("DELETE", path, ""); a.status != 403 || a.why != "forced_open" {
				t.Errorf("%s: %s: %d %s", name, path, a.status, a.why)
			}
		}
		for method, path := range map[string]string{"GET": "/v2/items/7", "DELETE": "/v2/items/7/lines"} {
			if a := ask(method, path, ""); a.status != 200 {
				t.Errorf("%s: %s %s: %s", name, method, path, a.why)
			}
		}
	}
	// A person who stops reads of an item does not stop the search next to it.
	ask := asks(t, false, nil, killRoute("GET /v2/items/{id}"))
	if a := ask("GET", "/v2/items/search", ""); a.status != 200 {
		t.Errorf("search: %s", a.why)
	}
	if a := ask("GET", "/v2/items/7.json", ""); a.status != 403 {
		t.Errorf("7.json: %s", a.why)
	}
}

func TestMethodInAHeaderIsDecidedAsThatMethod(t *testing.T) {
	ask := asks(t, true, nil, manifestOf(notary), killRoute("DELETE /v1/notes/{id}"))
	for _, header := range []string{"X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method"} {
		for _, method := range []string{"GET", "POST"} {
			if a := ask(method, "/v1/notes/7", "", header, "DELETE"); a.status != 403 {
				t.Errorf("%s with %s: %s", method, header, a.why)
			}
			if a := ask(method, "/v1/notes/7", "", header, "GET", header, "delete"); a.status != 403 {
				t.Errorf("%s with %s twice: %s", method, header, a.why)
			}
		}
		if a := ask("DELETE", "/v1/notes/7", "", header, "GET"); a.status != 403 {
			t.Errorf("%s made a DELETE a GET: %s", header, a.why)
		}
	}
	for what, q := range map[string][2]string{"query": {"/v1/notes/7?_method=DELETE", ""}, "form": {"/v1/notes/7", "_method=delete&a=b"},
		"body": {"/v1/notes/7", `{"_method":"DELETE"}`}} {
		if a := ask("POST", q[0], q[1]); a.status != 403 {
			t.Errorf("%s: %s", what, a.why)
		}
	}
	if a := ask("POST", "/v1/notes/7", ""); a.status != 200 {
		t.Errorf("without any: %s", a.why)
	}
}

// The body is JSON-RPC on a REST call, or a batch that hides the call of a tool.
func TestBodyOfMCPDoesNotPassWhatTheMethodWouldNot(t *testing.T) {
	const tools = "version: 1\nagent: notary\nscope: {routes: [GET /**, \"tool:list_x\"]}\n"
	const list = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_x","arguments":{}}}`
	const drop = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"delete_x","arguments":{}}}`
	ask := asks(t, true, nil, manifestOf(tools))
	for _, x := range []struct {
		method, path, body string
		want               int
	}{
		{"POST", "/mcp", list, 200}, {"POST", "/mcp", drop, 403}, {"POST", "/mcp", `{"jsonrpc":"2.0","id":1,"method":"ping"}`, 200}, {"POST",
			"/mcp", "[" + list + "," + drop + "]", 403},
		{"DELETE", "/v1/accounts/7", `{"jsonrpc":"2.0","method":"ping"}`, 403}, {"PUT", "/v1/accounts/7", list, 403}, {"POST",
			"/v1/accounts/7/close", list, 403},
		{"POST", "/v1/accounts/7/close", `{"jsonrpc":"2.0","method":"ping"}`, 403},
		{"POST", "/mcp", `{"jsonrpc":"2.0","method":"tools/call","params":{"name":"delete_x"},"params":{"name":"list_x"}}`, 403},
	} {
		if a := ask(x.method, x.path, x.body); a.status != x.want {
			t.Errorf("%s %s %.80s: %d %s, want %d", x.method, x.path, x.body, a.status, a.why, x.want)
		}
	}
}

func TestAmbiguousPathIsRefusedOnlyWhereItMatters(t *testing.T) {
	rules := []route.Rule{closing, {Method: "PUT", Template: "/{package}"}}
	ask := asks(t, true, rules, manifestOf(notary))
	for what, x := range map[string][2]string{"a read": {"GET", "/v1/notes/..%2faccounts/7"}, "a scoped package": {"PUT", "/@scope%2fname"},
		"both readings are granted": {"POST", "/v1/notes/a%2fb"}, "a blank": {"POST", "/v1/notes/a%20b"}} {
		if a := ask(x[0], x[1], ""); a.status != 200 {
			t.Errorf("%s: %s", what, a.why)
		}
	}
	// A path with only dot segments has one meaning: approval is needed for the resulting call.
	if a := ask("POST", "/v1/notes/./../accounts/7/close", ""); a.why != "policy.scope:route_outside" || a.action != schema.ActionGate {
		t.Errorf("dot segments: %s %s", a.action, a.why)
	}
	observed := asks(t, false, rules, manifestOf(notary))
	if a := observed("POST", "/v1/notes/..%2faccounts/7/close", ""); a.status != 200 || a.would != "deny "+whyAmbiguousPath {
		t.Errorf("nothing is armed: %d %s, would %q", a.status, a.why, a.would)
	}
	for name, path := range map[string]string{"too long": "/v1/notes/" + strings.Repeat("a", route.MaxReadable),
		"escapes of escapes": "/v1/notes/%2525252525252e"} {
		if a := ask("POST", path, ""); a.status != 403 || a.why != whyUnreadable {
			t.Errorf("%s: %d %s", name, a.status, a.why)
		}
		if a := ask("GET", path, ""); a.status != 200 {
			t.Errorf("a read that is %s: %s", name, a.why)
		}
		if a := observed("POST", path, ""); a.status != 200 || a.would != "deny "+whyUnreadable {
			t.Errorf("nothing is armed, %s: %d %s, would %q", name, a.status, a.why, a.would)
		}
	}
	// The path after the first 2 KiB is also read.
	if a := ask("POST", "/v1"+strings.Repeat("/.", 1500)+"/accounts/7/close", ""); a.status != 403 {
		t.Errorf("behind 3 KB of dots: %s", a.why)
	}
}

// The quota of a route counts every spelling of the path.
func TestQuotaOfARouteCountsEverySpelling(t *testing.T) {
	r := walked(t, enforcetest.Broker(t), closing)
	r.PutManifest(t, "version: 1\nagent: billing\nautonomy: [{routes: [\"POST /v1/accounts/{id}/close\"], ask: never}]\n"+
		"quotas: [{name: closings, calls: 3, per: 1h, routes: [\"POST /v1/accounts/{id}/close\"]}]\n")
	passed := 0
	for _, path := range writtenPaths {
		if v := r.ask("billing", "r1", "POST", path, ""); v.status == 200 {
			passed++
		}
	}
	if passed > 3 {
		t.Errorf("%d passed, 3 are granted", passed)
	}
}

func walked(t *testing.T, k *kfake.Cluster, rules ...route.Rule) *site {
	return run(t, k, fmt.Sprint("w", time.Now().UnixNano()), func(o *enforcetest.Options) {
		o.Routes = enforcetest.Table(t, append(rules, route.Rule{Method: "POST", Template: "/v1/refunds", Effect: schema.EffectPay,
			Reversibility: schema.Irreversible, Amount: "arg:amount", Currency: "arg:currency"},
			route.Rule{Method: "POST", Template: "/v1/payouts", Effect: schema.EffectPay, Reversibility: schema.Irreversible,
				Amount: "header:x-amount", Currency: "header:x-currency"},
			route.Rule{Method: "POST", Template: "/v1/transfers", Effect: schema.EffectPay, Reversibility: schema.Irreversible,
				Amount: "query:amount", Currency: "query:cur"})...)
	})
}

const payer = `version: 1
agent: billing
scope: {routes: [GET /**, "POST /v1/**", "DELETE /v1/**"]}
autonomy: [{routes: ["POST /v1/refunds", "POST /v1/payouts", "POST /v1/transfers"], alone_below: 50, currency: EUR}]
`

func TestAmountThatIsNotCertainAsks(t *testing.T) {
	ask := asks(t, true, []route.Rule{{Method: "POST", Template: "/v1/refunds", Reversibility: schema.Irreversible, Amount: "arg:pay.amount",
		Currency: "arg:pay.currency"},
		{Method: "POST", Template: "/v1/payouts", Reversibility: schema.Irreversible, Amount: "header:x-amount", Currency: "header:x-currency"},
		{Method: "POST", Template: "/v1/transfers", Reversibility: schema.Irreversible, Amount: "query:amount", Currency: "query:cur"},
		{Method: "POST", Template: "/v1/tips", Reversibility: schema.Irreversible, Amount: "query:amount", Currency: "EUR"},
	}, manifestOf(strings.Replace(strings.Replace(payer, "agent: billing", "agent: notary", 1), `"POST /v1/transfers"]`,
		`"POST /v1/transfers", "POST /v1/tips"]`, 1)))
	for what, x := range map[string]struct {
		path, body string
		headers    []string
		want       string // "": passes
	}{
		"an amount":                   {path: "/v1/transfers?amount=10&cur=EUR"},
		"the route's only currency":   {path: "/v1/tips?amount=10"},
		"a query key twice":           {path: "/v1/transfers?amount=10&amount=100000&cur=EUR", want: "amount_unknown"},
		"a query key in two cases":    {path: "/v1/transfers?amount=10&Amount=100000&cur=EUR", want: "amount_unknown"},
		"a query key as a list":       {path: "/v1/transfers?amount=10&amount[]=100000&cur=EUR", want: "amount_unknown"},
		"an encoded query key beside": {path: "/v1/transfers?amount=10&%61mount=100000&cur=EUR", want: "amount_unknown"},
		"a semicolon between":         {path: "/v1/transfers?amount=10;amount=100000&cur=EUR", want: "amount_unknown"},
		"query and form":              {path: "/v1/transfers?amount=10&cur=EUR", body: "amount=100000", want: "amount_unknown"},
		"no currency":                 {path: "/v1/transfers?amount=10", want: "currency_unknown"},
		"two currencies":              {path: "/v1/transfers?amount=10&cur=EUR&cur=JPY", want: "currency_unknown"},
		"another currency":            {path: "/v1/transfers?amount=10&cur=JPY", want: "currency_differs"},
		"a header":                    {path: "/v1/payouts", headers: []string{"X-Amount", "10", "X-Currency", "EUR"}},
		"a header twice": {path: "/v1/payouts", headers: []string{"X-Amount", "10", "X-Amount", "100000", "X-Currency", "EUR"},
			want: "amount_unknown"},
		"a header of two values": {path: "/v1/payouts", headers: []string{"X-Amount", "10,100000", "X-Currency", "EUR"},
			want: "amount_unknown"},
		"a header's currency twice": {path: "/v1/payouts", headers: []string{"X-Amount", "10", "X-Currency", "EUR", "X-Currency", "JPY"},
			want: "currency_unknown"},
		"a body": {path: "/v1/refunds", body: `{"pay":{"amount":10,"currency":"EUR"}}`},
		"a member twice": {path: "/v1/refunds", body: `{"pay":{"amount":100000,"amount":10,"currency":"EUR"}}`,
			want: "amount_unknown"},
		"a member in two cases": {path: "/v1/refunds", body: `{"pay":{"amount":10,"Amount":100000,"currency":"EUR"}}`,
			want: "amount_unknown"},
		"a member with an escape": {path: "/v1/refunds", body: `{"pay":{"amount":10,"\u0061mount":100000,"currency":"EUR"}}`,
			want: "amount_unknown"},
		"a member above twice": {path: "/v1/refunds",
			body: `{"pay":{"amount":100000,"currency":"EUR"},"pay":{"amount":10,"currency":"EUR"}}`, want: "amount_unknown"},
		"body and query": {path: "/v1/refunds?pay=100000", body: `{"pay":{"amount":10,"currency":"EUR"}}`,
			want: "amount_unknown"},
		"NaN":                      {path: "/v1/refunds", body: `{"pay":{"amount":"NaN","currency":"EUR"}}`, want: "amount_unknown"},
		"Inf":                      {path: "/v1/refunds", body: `{"pay":{"amount":"Inf","currency":"EUR"}}`, want: "amount_unknown"},
		"an exponent":              {path: "/v1/refunds", body: `{"pay":{"amount":1e1,"currency":"EUR"}}`, want: "amount_unknown"},
		"a negative amount":        {path: "/v1/refunds", body: `{"pay":{"amount":-10,"currency":"EUR"}}`, want: "amount_unknown"},
		"digits of another script": {path: "/v1/refunds", body: `{"pay":{"amount":"١٠","currency":"EUR"}}`, want: "amount_unknown"},
		"an array":                 {path: "/v1/refunds", body: `{"pay":{"amount":[10],"currency":"EUR"}}`, want: "amount_unknown"},
		"data behind": {path: "/v1/refunds", body: `{"pay":{"amount":10,"currency":"EUR"}} {"pay":{"amount":100000}}`,
			want: "amount_unknown"},
		"a byte order mark": {path: "/v1/refunds", body: "\xef\xbb\xbf" + `{"pay":{"amount":10,"currency":"EUR"}}`,
			want: "amount_unknown"},
		"hexadecimal": {path: "/v1/transfers?amount=0x10&cur=EUR", want: "amount_unknown"},
		"a plus sign": {path: "/v1/transfers?amount=+10&cur=EUR", want: "amount_unknown"},
		"too large":   {path: "/v1/transfers?amount=99999999999999999999&cur=EUR", want: "amount_unknown"},
		"a part of a body, by its length": {path: "/v1/refunds", body: `{"pay":{"amount":10,"currency":"EUR"}}`,
			headers: []string{"Content-Length", "9000"}, want: "amount_unknown"},
		"a part of a body, by Envoy": {path: "/v1/refunds", body: `{"pay":{"amount":10,"currency":"EUR"}}`,
			headers: []string{"X-Envoy-Auth-Partial-Body", "true"}, want: "amount_unknown"},
		"a body that fills what is read": {path: "/v1/refunds", body: `{"pay":{"amount":10,"currency":"EUR"}}` + strings.Repeat(" ", MaxBody),
			want: "amount_unknown"},
	} {
		a := ask("POST", x.path, x.body, x.headers...)
		if x.want == "" && a.status != 200 || x.want != "" && (a.status != 403 || a.why != "policy.autonomy:"+x.want) {
			t.Errorf("%s: %d %s, want %q", what, a.status, a.why, x.want)
		}
	}
}

// granted asks, grants the question, and returns its id.
func (r *site) granted(t *testing.T, agent, runKey, method, path, body string, headers ...string) string {
	t.Helper()
	held := r.ask(agent, runKey, method, path, body, headers...)
	if held.status != 403 || held.gate == "" {
		t.Fatalf("%s %s: %+v", method, path, held)
	}
	r.Must(t, "POST", "/v1/grants/"+held.gate+"/grant", api.GrantRequest{Reason: "the customer is right"})
	enforcetest.Within(t, "the yes is here", func() bool { return r.Gate(held.gate).State == schema.GateGranted })
	return held.gate
}

func TestYesToOneCallDoesNotPassAnother(t *testing.T) {
	r := walked(t, enforcetest.Broker(t))
	r.PutManifest(t, payer)
	type one struct {
		path, body string
		headers    []string
	}
	long := func(amount int) string {
		return fmt.Sprintf(`{"amount":%d,"currency":"EUR","note":"%s"}`, amount, strings.Repeat("x", MaxBody))
	}
	for what, x := range map[string]struct{ asked, used one }{
		"another amount in a header": {one{"/v1/payouts", "", []string{"X-Amount", "60", "X-Currency", "EUR"}},
			one{"/v1/payouts", "", []string{"X-Amount", "999999", "X-Currency", "EUR"}}},
		"another currency in a header": {one{"/v1/payouts", "", []string{"X-Amount", "60", "X-Currency", "EUR"}},
			one{"/v1/payouts", "", []string{"X-Amount", "60", "X-Currency", "KWD"}}},
		"an amount that is now unknown": {one{"/v1/payouts", "", []string{"X-Amount", "60", "X-Currency", "EUR"}},
			one{"/v1/payouts", "", nil}},
		"an amount twice": {one{"/v1/payouts", "", []string{"X-Amount", "60", "X-Currency", "EUR"}},
			one{"/v1/payouts", "", []string{"X-Amount", "60", "X-Amount", "999999", "X-Currency", "EUR"}}},
		"another query": {one{"/v1/transfers?amount=60&cur=EUR&note=a", "", nil},
			one{"/v1/transfers?amount=60&cur=EUR&cascade=all", "", nil}},
		"another body": {one{"/v1/refunds", `{"amount":60,"currency":"EUR"}`, nil}, one{"/v1/refunds",
			`{"amount":61,"currency":"EUR"}`, nil}},
		"a body that is cut": {one{"/v1/refunds", `{"amount":60,"currency":"EUR"}`, nil}, one{"/v1/refunds",
			long(999999), nil}},
		"another body that is cut": {one{"/v1/refunds", long(60), nil}, one{"/v1/refunds", long(999999), nil}},
		"a body that is said to be cut": {one{"/v1/refunds", `{"amount":60,"currency":"EUR"}`, nil}, one{"/v1/refunds",
			`{"amount":60,"currency":"EUR"}`, []string{"X-Envoy-Auth-Partial-Body", "true"}}},
		"a form instead of a body": {one{"/v1/refunds", `{"amount":60,"currency":"EUR"}`, nil}, one{"/v1/refunds",
			`amount=999999`, nil}},
		"no body": {one{"/v1/refunds", `{"amount":60,"currency":"EUR"}`, nil}, one{"/v1/refunds", "", nil}},
		"another length of a body that nobody showed": {one{"/v1/refunds", "", []string{"Content-Length", "30"}}, one{"/v1/refunds", "",
			[]string{"Content-Length", "36"}}},
		"the last resource of another": {one{"/v1/accounts/7/orders/1/refund", "", nil}, one{"/v1/accounts/8/orders/1/refund",
			"", nil}},
		"another method": {one{"/v1/refunds", `{"amount":60,"currency":"EUR"}`, nil}, one{"/v1/refunds",
			`{"amount":60,"currency":"EUR"}`, []string{"X-HTTP-Method-Override", "DELETE"}}},
	} {
		run := "r " + what
		asked := x.asked
		id := r.granted(t, "billing", run, "POST", asked.path, asked.body, asked.headers...)
		v := r.ask("billing", run, "POST", x.used.path, x.used.body, x.used.headers...)
		if v.status != 403 {
			t.Errorf("%s: %d %s", what, v.status, v.why)
		}
		if v.gate == id {
			t.Errorf("%s: it did not ask anew", what)
		}
		if strings.HasPrefix(what, "a body that is cut") && v.why != whyBodyCut {
			t.Errorf("%s: %s, want %s", what, v.why, whyBodyCut)
		}
		if v := r.ask("billing", run, "POST", asked.path, asked.body, asked.headers...); v.status != 200 || v.why != whyGranted || v.gate != id {
			t.Errorf("%s: the call that the yes is of: %d %s", what, v.status, v.why)
		}
		if v := r.ask("billing", run, "POST", asked.path, asked.body, asked.headers...); v.status != 403 {
			t.Errorf("%s: a second time: %d %s", what, v.status, v.why)
		}
	}
}

// A grant that a person widened to other resources still binds the amount and the query.
func TestWiderYesStillHoldsTheAmount(t *testing.T) {
	r := walked(t, enforcetest.Broker(t), route.Rule{Method: "POST", Template: "/v1/orders/{id}/refund", Effect: schema.EffectPay,
		Reversibility: schema.Irreversible, Amount: "query:amount", Currency: "EUR"})
	r.PutManifest(t, payer)
	held := r.ask("billing", "r1", "POST", "/v1/orders/7/refund?amount=60", "")
	r.Must(t, "POST", "/v1/grants/"+held.gate+"/grant", api.GrantRequest{Reason: "all of them", Resource: "order:*", Uses: 5})
	enforcetest.Within(t, "the yes is here", func() bool { return r.Gate(held.gate).State == schema.GateGranted })
	for path, want := range map[string]int{"/v1/orders/8/refund?amount=60": 200, "/v1/orders/9/refund?amount=999999": 403,
		"/v1/orders/9/refund?amount=60&cascade=all": 403} {
		if v := r.ask("billing", "r1", "POST", path, ""); v.status != want {
			t.Errorf("%s: %d %s", path, v.status, v.why)
		}
	}
}

// Envoy sends at most 8 KiB of a body, and marks a part in a header that Envoy itself sets.
func TestPartOfABodyOverGRPCIsNotTakenForTheBody(t *testing.T) {
	c := newChecker(t, func(o *enforcetest.Options) {
		o.Armed = func(string, string) bool { return true }
		o.Routes = enforcetest.Table(t, route.Rule{Method: "POST", Template: "/v1/refunds", Reversibility: schema.Irreversible,
			Amount: "arg:amount", Currency: "arg:currency"})
	})
	c.replay(manifestOf(payer))
	whole := `{"amount":10,"currency":"EUR"}`
	for what, x := range map[string]struct {
		body    string
		headers map[string]string
		want    codes.Code
	}{
		"the whole body":                  {whole, map[string]string{"content-length": "30", "x-envoy-auth-partial-body": "false"}, codes.OK},
		"a part, by Envoy's word":         {whole, map[string]string{"x-envoy-auth-partial-body": "true"}, codes.PermissionDenied},
		"a part, by the length":           {whole, map[string]string{"content-length": "9000"}, codes.PermissionDenied},
		"a part that fills what is shown": {whole + strings.Repeat(" ", MaxBody), nil, codes.PermissionDenied},
		"an amount twice":                 {`{"amount":10,"currency":"EUR","amount":9}`, nil, codes.PermissionDenied},
	} {
		headers := map[string]string{"x-consumer": "billing"}
		maps.Copy(headers, x.headers)
		got, err := (&authorization{c: c.Checker}).Check(context.Background(),
			&auth.CheckRequest{Attributes: &auth.AttributeContext{Request: &auth.AttributeContext_Request{Http: &auth.AttributeContext_HttpRequest{
				Method: "POST", Path: "/v1/refunds", Headers: headers, RawBody: []byte(x.body)}}}})
		if err != nil || codes.Code(got.GetStatus().GetCode()) != x.want {
			t.Errorf("%s: %v %v", what, got.GetStatus(), err)
		}
	}
}
