package redteam

import "flyball/schema"

// scoped is the manifest of an agent that may read everything, write notes, and pay small
// amounts; all other calls need an approval.
const scoped = `version: 1
agent: bot@@
scope: {routes: ["GET /**", "HEAD /**", "OPTIONS /**", "POST /v1/notes/**", POST /v1/payouts, POST /v1/transfers, POST /v1/refunds]}
autonomy: [{routes: [POST /v1/payouts, POST /v1/transfers, POST /v1/refunds], alone_below: 50, currency: EUR}]
`

const bot = "consumer:bot@@"

// Attacks in which a client sends the headers of gateways for the check.
var dialectAttacks = concat(
	each("a client's %s, %s say that a DELETE is a GET", spellings, func(s []string) []Step {
		return []Step{{Manifest: scoped},
			must(denied, send("DELETE", "/v1/accounts/7", bot)),
			must(denied, send("DELETE", "/v1/accounts/7", bot, s[0]+": GET", s[1]+": /v1/orders/7")),
			must(denied, send("DELETE", "/v1/accounts/7", bot, s[0]+": GET", s[0]+": GET", s[1]+": /v1/orders/7", s[1]+": /v1/orders/7")),
			must(denied, send("DELETE", "/v1/accounts/7", bot, s[0]+": GET")),
			must(denied, send("DELETE", "/v1/accounts/7", bot, s[1]+": /v1/notes/7")),
			must(passes, send("GET", "/v1/orders/7", bot, s[0]+": DELETE", s[1]+": /v1/accounts/7"))}
	}),
	each("a client's %s, %s with another spelling of the other pair",
		[][]string{{"X-Original-Method", "X-Forwarded-Uri"}, {"X-Forwarded-Method", "X-Original-URI"}}, func(s []string) []Step {
			return []Step{{Manifest: scoped}, must(denied, send("DELETE", "/v1/accounts/7", bot, s[0]+": GET", s[1]+": /v1/orders/7"))}
		}),
	[]Attack{
		{Name: "both pairs at once, different from each other", Steps: []Step{{Manifest: scoped},
			must(denied, send("DELETE", "/v1/accounts/7", bot, "X-Original-Method: GET", "X-Original-URI: /v1/orders/7", "X-Forwarded-Method: POST",
				"X-Forwarded-Uri: /v1/notes/7"))}},
		{Name: "a client's X-Flyball headers name a run and a decision", Steps: []Step{
			must(passesAsDecided, send("GET", "/v1/orders/7", bot, "X-Flyball-Run: 00000000-0000-0000-0000-00000000f00d", "X-Flyball-Decision: mine",
				"X-Flyball-Why: granted", "X-Flyball-Receipt: mine")),
			must(passesAsDecided, send("GET", "/v1/orders/7", bot, "X_Flyball_Run: mine", "X-Flyball_Decision: mine", "x-flyball-receipt: mine"))}},
		{Name: "a client's X-Flyball headers on a call that is denied", Steps: []Step{kill(schema.ScopeAgent, "bot@@"),
			must(denied, send("GET", "/v1/orders/7", bot, "X-Flyball-Run: mine", "X-Flyball-Decision: mine", "X-Flyball-Why: granted",
				"X-Flyball-Gate: mine"))}},
		{Name: "another host", Steps: []Step{{Manifest: scoped},
			must(denied, send("DELETE", "/v1/accounts/7", bot, "X-Forwarded-Host: other.example", "X-Original-Host: other.example",
				"Forwarded: host=other.example"))}},
		{Name: "a URL in another header", Steps: []Step{{Manifest: scoped},
			must(denied, send("DELETE", "/v1/accounts/7", bot, "X-Original-URL: /v1/orders/7", "X-Rewrite-URL: /v1/orders/7",
				"X-Envoy-Original-Path: /v1/orders/7", "X-Forwarded-Path: /v1/orders/7", "X-Forwarded-Prefix: /v1/notes"))}},
	},
)

// spellings are the headers with the original method and path that gateways use, and other
// spellings that servers treat as the same headers.
var spellings = [][]string{
	{"X-Original-Method", "X-Original-URI"}, {"X-Forwarded-Method", "X-Forwarded-Uri"}, {"x-original-method", "x-original-uri"},
	{"X_Original_Method", "X_Original_URI"}, {"X-Forwarded_Method", "X-Forwarded_Uri"},
}
