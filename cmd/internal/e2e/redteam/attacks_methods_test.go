package redteam

// Attacks with words that make a call look less dangerous.
var methodAttacks = concat(
	each("a write of an allowed route with %s: DELETE", [][]string{{"X-HTTP-Method-Override"}, {"X-Method-Override"}, {"X-HTTP-Method"}},
		func(s []string) []Step {
			return []Step{{Manifest: scoped},
				must(denied, send("DELETE", "/v1/accounts/7", bot)),
				must(refused, send("POST", "/v1/accounts/7", bot, s[0]+": DELETE")),
				must(refused, send("GET", "/v1/accounts/7", bot, s[0]+": DELETE")),
				must(denied, send("DELETE", "/v1/accounts/7", bot, s[0]+": GET"))}
		}),
	each("a DELETE with %s: %s is no read", [][]string{{"Mcp-Method", "ping"}, {"Mcp-Name", "list_accounts"},
		{"Mcp-Tool-Name", "list_accounts"}, {"X-Tool-Name", "list_accounts"}}, func(s []string) []Step {
		return []Step{{Manifest: scoped}, must(denied, send("DELETE", "/v1/accounts/7", bot, s[0]+": "+s[1]))}
	}),
	each("method %s", [][]string{{"delete"}, {"Delete"}, {"DELETE "}, {"PURGE"}, {"PROPFIND"}, {"MOVE"}, {"X"}}, func(s []string) []Step {
		return []Step{{Manifest: scoped}, must(refused, send(s[0], "/v1/accounts/7", bot))}
	}),
	[]Attack{
		{Name: "_method in the query", Steps: []Step{{Manifest: scoped}, must(refused, send("POST", "/v1/accounts/7?_method=DELETE", bot))}},
		{Name: "a task's type that the client says", Steps: []Step{{Manifest: scoped},
			must(denied, send("DELETE", "/v1/accounts/7", bot, "X-Task-Type: cleanup", "X-Task-Id: t1"))}},
	},
)
