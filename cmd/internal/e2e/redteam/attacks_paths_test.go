package redteam

import (
	"strings"

	"flyball/schema"
)

// Attacks with other spellings of a path.
var pathAttacks = concat(
	each("POST of an account's close written as %s", closing, func(s []string) []Step {
		return []Step{{Manifest: scoped},
			must(denied, send("POST", "/v1/accounts/7/close", bot)),
			must(refusedOrCleaned, send("POST", s[0], bot))}
	}),
	each("the path %q is in the record as it was decided on", [][]string{{"/v1/orders/é"}, {"/v1/orders/7#x"}, {"/v1/orders/\xff"},
		{"/v1/orders/7;x=1/y"}, {"/v1/orders/a%2Fb%20c"}, {"/v1/orders/a+b?x=é#y"}}, func(s []string) []Step {
		return []Step{{Send: send("GET", s[0], "bearer:tok@@", "X-Agent-Run-Id: run@@")}}
	}),
	each("a route's kill switch and %s", deleting, func(s []string) []Step {
		return []Step{kill(schema.ScopeRoute, "DELETE /v1/accounts/{account_id}"),
			must(denied, send("DELETE", "/v1/accounts/7", bot)),
			must(refused, send("DELETE", s[0], bot))}
	}),
	[]Attack{
		{Name: "an encoded slash in a declared route stays one segment",
			Steps: []Step{{Manifest: scoped + `quotas: [{name: projects, calls: 100, per: 24h, routes: ["DELETE /v1/projects/{project}"]}]` + "\n"},
				must(passes, send("GET", "/v1/orders/a%2Fb", bot))}},
		{Name: "an absolute URI", Steps: []Step{{Manifest: scoped}, must(refused, send("DELETE", "http://shop.example/v1/accounts/7", bot))}},
		{Name: "a fragment", Steps: []Step{{Manifest: scoped}, must(refused, send("DELETE", "/v1/notes/1#/../../accounts/7", bot))}},
		{Name: "a query that looks like a path", Steps: []Step{{Manifest: scoped},
			must(denied, send("DELETE", "/v1/accounts/7?/v1/notes/7", bot)),
			must(denied, send("POST", "/v1/accounts/7/close?x=/v1/notes/1", bot))}},
	},
)

// refusedOrCleaned checks that the service did not receive the request, or only with a path
// that the gateway has resolved to one of the notes that the agent may write.
func refusedOrCleaned(r *result) string {
	if len(r.served) == 1 && strings.HasPrefix(r.served[0].target, "/v1/notes/") && !strings.ContainsAny(r.served[0].target, ".%;\\") {
		return ""
	}
	return refused(r)
}

// closing are paths that servers resolve, or may resolve, to POST /v1/accounts/7/close, which
// needs an approval. Unresolved they match POST /v1/notes/**.
var closing = [][]string{
	{"/v1/notes/../accounts/7/close"}, {"/v1/notes/%2e%2e/accounts/7/close"}, {"/v1/notes/..%2faccounts/7/close"},
	{"/v1/notes/..%2Faccounts%2F7%2Fclose"},
	{"/v1/notes/..;/accounts/7/close"}, {"/v1/notes/%252e%252e/accounts/7/close"}, {"/v1/notes/a/../../accounts/7/close"},
	{"/v1/notes/.%2e/accounts/7/close"},
	{"/v1/notes/..%5caccounts%5c7%5cclose"}, {"/v1/notes/..%00/../accounts/7/close"}, {"/v1/./accounts/7/close"},
	{"/v1/x/../accounts/7/close"},
	{"/v1/%2e/accounts/7/close"}, {"/v1/accounts/7/close%2F"}, {"/v1/accounts/7%2Fclose"}, {"/V1/accounts/7/close"}, {"//v1/accounts/7/close"},
	{"/v1//accounts/7/close"}, {"/v1/accounts/7/close/"}, {"/v1/accounts/7/close;x=y"}, {"/v1/account%73/7/close"},
	{"/v1/notes/..%c0%afaccounts/7/close"},
}

// deleting are paths that servers resolve, or may resolve, to DELETE /v1/accounts/7.
var deleting = [][]string{
	{"/v1/./accounts/7"}, {"/v1/x/../accounts/7"}, {"/v1/%2e/accounts/7"}, {"/v1/accounts/abc"}, {"/v1/accounts/7.json"}, {"/v1/accounts/0x7"},
	{"/v1/accounts/7%20"}, {"/v1/accounts%2f7"}, {"/v1/accounts/%2f7"}, {"//v1/accounts/7"}, {"/v1/accounts//7"}, {"/v1/accounts/7/"},
	{"/v1/accounts/7;x"}, {"/v1/%61ccounts/7"},
}
