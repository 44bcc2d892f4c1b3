package redteam

import "flyball/schema"

// Attacks with another name, another key or another run.
var identityAttacks = concat(
	each("a tripped run of %s goes on", everyone, func(s []string) []Step {
		run := "X-Agent-Run-Id: run@@"
		name := "X-Agent-Id: a@@"
		return []Step{{Detect: send("GET", "/v1/orders/1", s[1], run, name)},
			must(denied, send("GET", "/v1/orders/2", s[1], run, name)),
			must(denied, send("GET", "/v1/orders/2", s[1], run, name, "Cookie: a=b", "X-Request-Id: mine"))}
	}),
	each("a tripped run of %s shows two run ids", established, func(s []string) []Step {
		return []Step{{Detect: send("GET", "/v1/orders/1", s[1], "X-Agent-Run-Id: run@@")},
			must(refused, send("GET", "/v1/orders/2", s[1], "X-Agent-Run-Id: run@@", "X-Agent-Run-Id: other@@")),
			must(refused, send("GET", "/v1/orders/2", s[1], "X-Agent-Run-Id: other@@", "X-Agent-Run-Id: run@@"))}
	}),
	each("a tripped run of %s comes back under another run id", established, func(s []string) []Step {
		return []Step{{Detect: send("GET", "/v1/orders/1", s[1], "X-Agent-Run-Id: run@@")},
			must(denied, send("GET", "/v1/orders/2", s[1], "X-Agent-Run-Id: other@@")),
			must(denied, send("GET", "/v1/orders/2", s[1])),
			must(denied, send("GET", "/v1/orders/2", s[1], "X-Agent-Id: other", "X-Agent-Run-Id: third@@"))}
	}),
	each("a run of %s that a person stopped comes back under another run id", established, func(s []string) []Step {
		return []Step{{TripRun: send("GET", "/v1/orders/1", s[1], "X-Agent-Run-Id: run@@")},
			must(denied, send("GET", "/v1/orders/2", s[1], "X-Agent-Run-Id: run@@")),
			must(denied, send("GET", "/v1/orders/2", s[1], "X-Agent-Run-Id: other@@")),
			must(denied, send("GET", "/v1/orders/2", s[1]))}
	}),
	each("a tripped run of %s comes back under another agent's name", [][]string{{"a bearer", "bearer:tok@@"}, {"an API key", "key:tok@@"}},
		func(s []string) []Step {
			return []Step{{Detect: send("GET", "/v1/orders/1", s[1], "X-Agent-Run-Id: run@@", "X-Agent-Id: one@@")},
				must(denied, send("GET", "/v1/orders/2", s[1], "X-Agent-Run-Id: other@@", "X-Agent-Id: two@@")),
				must(denied, send("GET", "/v1/orders/2", s[1], "X-Agent-Run-Id: other@@"))}
		}),
	each("a killed credential beside %s", beside, func(s []string) []Step {
		return []Step{kill(schema.ScopeCredential, "secret:tok@@"),
			must(denied, send("GET", "/v1/orders/1", "bearer:tok@@")),
			must(refused, send("GET", "/v1/orders/1", "", s[1:]...))}
	}),
	each("a tripped run whose token stands beside %s", beside, func(s []string) []Step {
		return []Step{{Detect: send("GET", "/v1/orders/1", "bearer:tok@@", "X-Agent-Run-Id: run@@")},
			must(denied, send("GET", "/v1/orders/1", "bearer:tok@@", "X-Agent-Run-Id: run@@")),
			must(refused, send("GET", "/v1/orders/1", "", append([]string{"X-Agent-Run-Id: run@@"}, s[1:]...)...)),
			must(refused, send("GET", "/v1/orders/1", "", append([]string{"X-Agent-Run-Id: other@@"}, s[1:]...)...))}
	}),
	[]Attack{
		{Name: "a bearer token is added to a tripped run", Steps: []Step{
			{Detect: send("GET", "/v1/orders/1", bot, "X-Agent-Run-Id: run@@")},
			must(denied, send("GET", "/v1/orders/2", bot, "X-Agent-Run-Id: run@@", "Authorization: Bearer whatever")),
			must(denied, send("GET", "/v1/orders/2", bot, "X-Agent-Run-Id: run@@", "X-Api-Key: junk"))}},
		{Name: "a killed consumer shows junk keys and another name", Steps: []Step{kill(schema.ScopeAgent, "bot@@"),
			must(denied, send("GET", "/v1/orders/1", bot)),
			must(denied, send("GET", "/v1/orders/1", bot, "X-Agent-Id: other")),
			must(denied, send("GET", "/v1/orders/1", bot, "X-Api-Key: junk", "Authorization: Basic junk")),
			must(denied, send("GET", "/v1/orders/1", bot, "X-Consumer-Username: other", "X-Consumer-Custom-Id: other")),
			must(denied, send("GET", "/v1/orders/1", bot, "Signature-Agent: other.example", "Mcp-Session-Id: other"))}},
		{Name: "a killed consumer of a credential breaker", Steps: []Step{kill(schema.ScopeCredential, "bot@@"),
			must(denied, send("GET", "/v1/orders/1", bot)),
			must(denied, send("GET", "/v1/orders/1", bot, "Authorization: Bearer junk", "X-Api-Key: junk"))}},
		{Name: "a client says that it is a consumer", Steps: []Step{kill(schema.ScopeAgent, "bot@@"),
			must(passes, send("GET", "/v1/orders/1", "", "X-Consumer: bot@@"))}, Only: realGateways},
		{Name: "a client says that it is a consumer, in other spellings", Steps: []Step{kill(schema.ScopeAgent, "bot@@"),
			must(passes, send("GET", "/v1/orders/1", "", "X-Consumer-Username: bot@@")),
			must(passes, send("GET", "/v1/orders/1", "", "X-Consumer-Custom-Id: bot@@")),
			must(passes, send("GET", "/v1/orders/1", "", "X-Forwarded-Client-Cert: URI=spiffe://shop/bot@@"))}, Only: realGateways},
		{Name: "a run id of 300 bytes", Steps: []Step{
			{Detect: send("GET", "/v1/orders/1", bot, "X-Agent-Run-Id: "+long300)},
			must(denied, send("GET", "/v1/orders/2", bot, "X-Agent-Run-Id: "+long300))}},
		{Name: "an asserted name trips nobody else", Steps: []Step{
			{Detect: send("GET", "/v1/orders/1", "", "X-Agent-Id: bot@@", "X-Agent-Run-Id: run@@")},
			must(passes, send("GET", "/v1/orders/2", bot, "X-Agent-Run-Id: run@@"))}},
	},
)

var realGateways = []string{"envoy-grpc", "envoy-http", "nginx", "caddy", "traefik", "haproxy"}

// everyone are the kinds of identity that a request can have; established are those that
// a gateway or a secret proves.
var (
	everyone = [][]string{{"nobody", ""}, {"a bearer", "bearer:tok@@"}, {"an API key", "key:tok@@"}, {"both", "both:tok@@"},
		{"a consumer", bot}}

	established = [][]string{{"a bearer", "bearer:tok@@"}, {"an API key", "key:tok@@"}, {"both", "both:tok@@"}, {"a consumer", bot}}
)

// beside are headers in which a revoked token is beside another credential or under another
// name.
var beside = [][]string{
	{"a junk API key", "X-Api-Key: junk", "Authorization: Bearer tok@@"},
	{"a junk API key after it", "Authorization: Bearer tok@@", "X-Api-Key: junk"},
	{"another Authorization before it", "Authorization: Bearer junk", "Authorization: Bearer tok@@"},
	{"another Authorization after it", "Authorization: Bearer tok@@", "Authorization: Bearer junk"},
	{"a tab", "Authorization: Bearer\ttok@@"},
	{"two spaces", "Authorization: Bearer  tok@@"},
	{"another case", "authorization: bearer tok@@"},
	{"a comma", "Authorization: Bearer tok@@,"},
	{"another scheme", "Authorization: Token tok@@"},
	{"the API key header", "X-Api-Key: tok@@"},
	{"two API keys", "X-Api-Key: junk", "X-Api-Key: tok@@"},
	{"two API keys, the real one first", "X-Api-Key: tok@@", "X-Api-Key: junk"},
	{"spaces around the key", "X-Api-Key:   tok@@  "},
}

const long300 = "@@-0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789" +
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789" +
	"0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
