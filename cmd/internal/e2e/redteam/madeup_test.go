package redteam

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"flyball/cmd/internal/realparts"
	"flyball/detect/enforce/api"
	"flyball/schema"
)

// times returns the number of generated requests: the value of a variable, otherwise the number for CI.
//
//	FLYBALL_FUZZ_CHECK=1000000 FLYBALL_FUZZ_GATEWAY=10000 go test -run TestMadeUp -timeout 60m ./cmd/internal/e2e/redteam
func times(name string, otherwise int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil {
		return n
	}
	return otherwise
}

// stopped are callers that must be denied for any further content of their request: a breaker
// denies them, or a manifest holds their write.
var stopped = []struct {
	as    string
	base  []string // headers that identify the caller; they do not change
	from  string
	write bool // only DELETE /v1/accounts/7 is held
}{
	{"consumer:killed", nil, "", false}, {"bearer:killed-token", nil, "", false}, {"key:killed-token", nil, "", false},
	{"bearer:tripped-token", []string{"X-Agent-Run-Id: tripped"}, "", false},
	{"", nil, "127.0.8.8", false}, {"consumer:bot-held", nil, "", true},
}

// maker generates requests; the same seed gives the same requests.
type maker struct{ *rand.Rand }

func (m maker) pick(list ...string) string { return list[m.IntN(len(list))] }

// header returns a header that can make a difference in a request, for example another name or
// credential.
func (m maker) header() string {
	name := m.pick("X-Original-Method", "X-Original-URI", "X-Original-URL", "X-Original-Host", "X-Forwarded-Method", "X-Forwarded-Uri",
		"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Prefix",
		"X-Flyball-Run", "X-Flyball-Decision", "X-Flyball-Receipt", "X-Flyball-Why", "X-Flyball-Token", "X-Flyball-Gate",
		"X-HTTP-Method-Override", "X-Method-Override", "X-HTTP-Method", "Mcp-Method", "Mcp-Name", "Mcp-Session-Id",
		"X-Request-Id", "Traceparent", "Tracestate", "X-Task-Id", "X-Task-Type", "X-Session-Id", "X-Parent-Agent-Id", "Signature-Agent",
		"X-Consumer-Username", "X-Consumer-Custom-Id", "X-Principal", "X-User-Id",
		"X-Forwarded-Client-Cert", "Forwarded", "Via", "X-Real-Ip", "Range", "Accept", "Accept-Encoding", "Cookie", "Cache-Control",
		"If-None-Match", "Content-Type", "X-Amount", "X-Currency", "Te", "Connection", "Upgrade", "Expect",
		"X-Rewrite-Url", "X-Envoy-Original-Path", "X-Envoy-Auth-Failure-Mode-Allowed", "X-Api-Key-Id", "Proxy-Authorization", "X-A",
		"X-Agent-Id", "X-Agent-Run-Id", "Authorization", "X-Api-Key", "X-Run-Id", "X-Agent-Name")
	if m.IntN(8) == 0 {
		name = m.pick(strings.ToLower(name), strings.ToUpper(name), strings.ReplaceAll(name, "-", "_"))
	}
	return name + m.pick(": ", ":", ":  ", ":\t") + m.value()
}

func (m maker) value() string {
	switch m.IntN(12) {
	case 0:
		return m.text(m.IntN(40))
	case 1:
		return strings.Repeat(m.pick("a", ",", " ", "é", "%", "\\"), m.IntN(3000))
	}
	return m.pick("GET", "DELETE", "/v1/orders/7", "/v1/notes/7", "/", "*", "", "127.0.0.1", "192.0.2.1, 192.0.2.2", "other", "killed",
		"Bearer other", "granted", "c_0123456789abcdef", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		"00000000-0000-0000-0000-00000000f00d", "URI=spiffe://shop/other", "host=other.example;for=192.0.2.1", "ping", "tools/list", "trailers",
		"close", "keep-alive, X-Consumer", "X-Agent-Id", "upgrade", "websocket", "100-continue",
		"bytes=0-1", "gzip", "application/json", "text/html", "0", "-1", "60", "EUR", "true", "a=b; c=d", `"quoted"`, "ä", "\xff\xfe", "a, b",
		"a;b", "http://other.example/v1/orders/7")
}

// text returns text that a header line may contain, and sometimes text that it must not
// contain.
func (m maker) text(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(0x20 + m.IntN(0x5f))
		switch m.IntN(60) {
		case 0:
			b[i] = byte(0x80 + m.IntN(0x80))
		case 1:
			b[i] = byte(1 + m.IntN(8)) // control characters without line ends
		}
	}
	return string(b)
}

func (m maker) path() string {
	p := m.pick("/v1/orders/7", "/v1/accounts/7", "/v1/notes/1", "/v1/accounts/7/close", "/", "/v1/payouts", "/healthz", "/v1/projects/a%2Fb")
	for range m.IntN(3) {
		at := m.IntN(len(p) + 1)
		p = p[:at] + m.pick("/", "//", "/./", "/../", "%2e", "%2f", "%2F..", ";x=y", "%5c", "%00", "%zz", ".", "..;/", "%252e", "\\", "+", "%20",
			"é", "%c3%a9", "A") + p[at:]
	}
	if m.IntN(3) == 0 {
		p += "?" + m.pick("a=b", "amount=10&amount=100000&currency=EUR", "_method=DELETE", "x=%zz", "a;b", "?", strings.Repeat("a", m.IntN(2000)))
	}
	if !strings.HasPrefix(p, "/") {
		p = "/" + p
	}
	return p
}

func (m maker) request() *Request {
	s := stopped[m.IntN(len(stopped))]
	r := &Request{Method: m.pick("GET", "GET", "GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "MOVE", "get", "X"), Path: m.path(),
		As: s.as, From: s.from, Headers: slices.Clone(s.base)}
	if s.write {
		r.Method, r.Path = "DELETE", "/v1/accounts/7"+m.pick("", "", "?a=b", "?_method=GET", "?"+strings.Repeat("a", m.IntN(500)))
	}
	for range m.IntN(5) {
		r.Headers = slices.Insert(r.Headers, m.IntN(len(r.Headers)+1), m.header())
	}
	if m.IntN(4) == 0 {
		r.Body = m.pick(`{"amount":10,"currency":"EUR"}`, "hello", `{"jsonrpc":"2.0","method":"tools/call","params":{"name":"x"}}`,
			strings.Repeat("x", m.IntN(10_000)), "\x00\xff")
	}
	return r
}

// stop opens the breakers of the callers in stopped.
func (p *testPoint) stop(through way) {
	for _, scope := range []schema.Scope{{Kind: schema.ScopeAgent, Value: "killed"}, {Kind: schema.ScopeAddress, Value: "127.0.8.8"},
		{Kind: schema.ScopeCredential, Value: p.resolver.CredentialID("api_key", "killed-token")}} {
		p.operate("POST", "/v1/breakers/trip", api.TripRequest{Scope: scope, TTL: 3600, Force: true, Reason: "test"})
	}
	p.operate("PUT", "/v1/manifests", api.PutManifestRequest{Text: strings.ReplaceAll(scoped, "@@", "-held"), Reason: "test"})
	r := through.send(send("GET", "/v1/orders/1", "bearer:tripped-token", "X-Agent-Run-Id: tripped"), "redteam/trip")
	run := decisionHeader(r, "X-Flyball-Run")
	if run == "" {
		p.t.Fatalf("no run id: %+v", r)
	}
	p.operate("POST", "/v1/breakers/trip", api.TripRequest{Scope: schema.Scope{Kind: schema.ScopeRun, Value: run}, TTL: 3600, Reason: "test"})
}

// The check alone, in every dialect: a stopped caller stays denied for any other content of
// its request, and no request gets a response that a gateway treats as an outage.
func TestMadeUpRequestsToTheCheck(t *testing.T) {
	p := newPoint(t)
	ways := []way{newAloneGRPC(t, p.config.Check.GRPC)}
	for dialect := range speaks {
		ways = append(ways, &alone{dialect: dialect, addr: p.config.Check.Listen})
	}
	ways = append(ways, &alone{dialect: "envoy", addr: p.config.Check.Listen})
	slices.SortFunc(ways, func(a, b way) int { return strings.Compare(a.name(), b.name()) })
	p.stop(ways[0])
	n, began := times("FLYBALL_FUZZ_CHECK", 8_000), time.Now()
	statuses := madeUp(t, 17, n, ways)
	fmt.Printf("%d made-up requests to the check in %s: %v\n", n, time.Since(began).Round(time.Second), statuses)
}

// The same through every real gateway.
func TestMadeUpRequestsThroughGateways(t *testing.T) {
	p := newPoint(t)
	s := newService(t)
	n := times("FLYBALL_FUZZ_GATEWAY", 600)
	for i, name := range gateways() {
		w := &gateway{realparts.StartGateway(t, name, files, s.Listener.Addr().String(), p.config.Check.Listen, p.config.Check.GRPC), s,
			"shop.example"}
		if i == 0 {
			p.stop(w)
		}
		began := time.Now()
		statuses := madeUp(t, 18, n, []way{w})
		fmt.Printf("%d made-up requests through %s in %s: %v\n", n, name, time.Since(began).Round(time.Second), statuses)
	}
}

func madeUp(t *testing.T, seed uint64, n int, ways []way) map[int]int {
	t.Helper()
	m := maker{rand.New(rand.NewPCG(seed, seed))}
	statuses, failed := map[int]int{}, 0
	for i := range n {
		r, w := m.request(), ways[i%len(ways)]
		out := w.send(r, fmt.Sprintf("redteam/u%d.%d.%s", seed, i, strings.ReplaceAll(w.name(), "/", "-")))
		statuses[out.status]++
		why := refused(out)
		if out.status == http.StatusOK && out.way != "" {
			why = "status 200"
		}
		if strings.HasPrefix(w.name(), "check/") && (out.status == 0 || out.status >= 500) {
			why = fmt.Sprintf("the answer is taken for an outage: status %d %s", out.status, out.failure)
		}
		if why != "" {
			if failed++; failed <= 10 {
				t.Errorf("request %d of seed %d, %s: %s\n%q", i, seed, w.name(), why, requestText(r, "shop.example", "x"))
			}
		}
	}
	if failed > 0 {
		t.Errorf("%d of %d requests", failed, n)
	}
	return statuses
}
