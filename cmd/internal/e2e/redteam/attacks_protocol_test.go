package redteam

import (
	"strings"

	"flyball/schema"
)

// Attacks with requests that two servers read differently.
var protocolAttacks = concat(
	each("a killed agent reads on with %s", [][]string{
		{"a control character", "X-A: a\x01b"}, {"DEL", "X-A: a\x7fb"}, {"a NUL", "X-A: a\x00b"}, {"a bare CR", "X-A: a\rb"},
		{"a space before the colon", "X-A : b"}, {"a header without a name", ": b"},
		{"a header without a colon", "nothing"}, {"a folded line", "X-A: a\r\n b"}, {"a name of other bytes", "X-\xc3\xa4: b"},
		{"Latin-1", "X-A: \xe4\xf6"}, {"Expect", "Expect: 100-continue"}, {"a junk Expect", "Expect: junk"},
		{"Upgrade", "Connection: upgrade", "Upgrade: websocket"}, {"TE", "TE: trailers, chunked"}, {"Range", "Range: bytes=0-1"},
		{"7 KB of headers", "X-A: " + strings.Repeat("a", 7000)},
		{"30 KB of headers", "X-A: " + strings.Repeat("a", 7000), "X-B: " + strings.Repeat("b", 7000), "X-C: " + strings.Repeat("c", 7000),
			"X-D: " + strings.Repeat("d", 7000)},
		{"200 headers", strings.TrimSuffix(strings.Repeat("X-Many: 1\r\n", 200), "\r\n")},
		{"a connection option that removes the identity",
			"Connection: X-Consumer, X-Agent-Id, X-Original-URI, X-Forwarded-Uri, X-Forwarded-Method, X-Original-Method"},
		{"a second Host", "Host: other.example"}, {"a conditional", `If-None-Match: "x"`}, {"another encoding", "Accept-Encoding: x, gzip"},
	}, func(s []string) []Step {
		return []Step{kill(schema.ScopeAgent, "bot@@"), must(denied, send("GET", "/v1/orders/7", bot)),
			must(refused, send("GET", "/v1/orders/7", bot, s[1:]...)), must(refused, send("DELETE", "/v1/accounts/7", bot, s[1:]...))}
	}),
	each("a killed agent with a GET that has %s", [][]string{
		{"a body", "Content-Length: 5\r\n\r\nhello"}, {"two lengths", "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"},
		{"a length and chunks", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		{"chunks", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"}, {"an unknown coding", "Transfer-Encoding: xchunked\r\n\r\n"},
		{"a second request after it",
			"\r\nGET /v1/orders/8 HTTP/1.1\r\nHost: shop.example\r\nX-Login: bot@@\r\nX-Consumer: bot@@\r\nUser-Agent: UA\r\nConnection: " +
				"close\r\n\r\n"},
	}, func(s []string) []Step {
		return []Step{kill(schema.ScopeAgent, "bot@@"), must(refused,
			raw("GET", "GET /v1/orders/7 HTTP/1.1\r\nHost: shop.example\r\nX-Login: bot@@\r\nX-Consumer: bot@@\r\nUser-Agent: UA\r\n"+s[1]))}
	}),
	each("a killed agent with the request line %q", [][]string{
		{"GET /v1/orders/7 HTTP/1.0"}, {"GET  /v1/orders/7 HTTP/1.1"}, {"GET /v1/orders/7"}, {"GET http://shop.example/v1/orders/7 HTTP/1.1"},
		{"GET /v1/orders/7\x01 HTTP/1.1"}, {"GET /v1/orders/\xff HTTP/1.1"},
		{"GET * HTTP/1.1"}, {"OPTIONS * HTTP/1.1"}, {"GET v1/orders/7 HTTP/1.1"}, {"CONNECT shop.example:80 HTTP/1.1"},
		{"GET /v1/orders/7?" + strings.Repeat("a", 6000) + " HTTP/1.1"}, {"GET /v1/orders/7 HTTP/2.0"},
		{"GET /v1/orders/%zz HTTP/1.1"}, {"GET /v1/orders/a b HTTP/1.1"}, {"GET ?x HTTP/1.1"}, {`GET \v1\orders\7 HTTP/1.1`},
		{"TRACE /v1/orders/7 HTTP/1.1"},
	}, func(s []string) []Step {
		method, _, _ := strings.Cut(s[0], " ")
		return []Step{kill(schema.ScopeAgent, "bot@@"), must(refused,
			raw(method, s[0]+"\r\nHost: shop.example\r\nX-Login: bot@@\r\nX-Consumer: bot@@\r\nUser-Agent: UA\r\nConnection: close\r\n\r\n"))}
	}),
)

// raw returns a request as bytes; only real gateways and the HTTP listener get it.
func raw(method, text string) *Request { return &Request{Method: method, Raw: text} }
