package redteam

import "flyball/schema"

// Attacks with the address of the caller.
var addressAttacks = concat(
	each("a killed address behind %s", [][]string{{"X-Forwarded-For: 192.0.2.1"}, {"X-Forwarded-For: 192.0.2.1, 192.0.2.2"},
		{"X-Real-Ip: 192.0.2.1"}, {"Forwarded: for=192.0.2.1"}, {"True-Client-Ip: 192.0.2.1"},
		{"X-Envoy-External-Address: 192.0.2.1"}, {"X-Flyball-Client-Addr: 192.0.2.1"}, {"X_Forwarded_For: 192.0.2.1"}}, func(s []string) []Step {
		return []Step{kill(schema.ScopeAddress, "127.0.1.1"),
			must(denied, send("GET", "/v1/orders/1", "", "X-Agent-Id: a@@").from("127.0.1.1")),
			must(denied, send("GET", "/v1/orders/1", "", "X-Agent-Id: a@@", s[0]).from("127.0.1.1"))}
	}),
	each("another's killed address is claimed by %s", [][]string{{"X-Forwarded-For: 127.0.1.2"}, {"X-Forwarded-For: 127.0.1.2, 127.0.1.2"},
		{"X-Real-Ip: 127.0.1.2"}, {"Forwarded: for=127.0.1.2"}}, func(s []string) []Step {
		return []Step{kill(schema.ScopeAddress, "127.0.1.2"),
			must(passes, send("GET", "/v1/orders/1", "", "X-Agent-Id: a@@", s[0]).from("127.0.1.3"))}
	}),
)
