package redteam

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	core "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	auth "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"flyball/cmd/internal/realparts"
)

// result is the result of one request.
type result struct {
	request *Request
	way     string
	status  int // status that the client got; 0: the connection was closed
	header  http.Header
	body    string
	served  []served // requests that the service received
	agent   string   // user agent of the request
	took    time.Duration
	failure string // error of sending or reading
}

// served is a request that reached the service.
type served struct {
	method, target string
	header         http.Header
	body           string
}

// way is a path of a request to the check and from there to the service.
type way interface {
	send(r *Request, userAgent string) *result
	name() string
	log() string // path of its access log; "" without one
}

// service is the service behind a gateway. It stores the requests that it received.
type service struct {
	*httptest.Server
	mu  sync.Mutex
	got map[string][]served // by user agent
}

func newService(t testing.TB) *service {
	s := &service{got: map[string][]served{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<20))
		s.mu.Lock()
		ua := r.Header.Get("User-Agent")
		s.got[ua] = append(s.got[ua], served{r.Method, r.RequestURI, r.Header.Clone(), string(body)})
		s.mu.Unlock()
		_, _ = io.WriteString(w, "served")
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *service) of(userAgent string) []served {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.got[userAgent])
}

// requestText returns the request as the client writes it.
func requestText(r *Request, host, userAgent string) string {
	if r.Raw != "" {
		return strings.ReplaceAll(r.Raw, "UA", userAgent)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: %s\r\nConnection: close\r\n", r.Method, r.Path, host, userAgent)
	for _, h := range append(r.identity(), r.Headers...) {
		b.WriteString(h + "\r\n")
	}
	if r.Body != "" || r.Method == "POST" || r.Method == "PUT" || r.Method == "PATCH" {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(r.Body))
	}
	b.WriteString("\r\n" + r.Body)
	return b.String()
}

// exchange writes bytes and reads one response.
func exchange(addr, from, text, method string) (status int, header http.Header, body, failure string) {
	d := net.Dialer{Timeout: 5 * time.Second}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	c, err := d.Dial("tcp", addr)
	if err != nil {
		return 0, nil, "", err.Error()
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(8 * time.Second))
	go func() { _, _ = io.WriteString(c, text) }() // the response can arrive before everything is written
	in := bufio.NewReader(c)
	resp, err := http.ReadResponse(in, &http.Request{Method: method})
	if err != nil {
		return 0, nil, "", err.Error()
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	if strings.Count(text, " HTTP/1.1\r\n") > 1 { // the response to a second request in the same text
		_ = c.SetDeadline(time.Now().Add(time.Second))
		_, _ = io.Copy(io.Discard, in)
	}
	return resp.StatusCode, resp.Header, string(b), ""
}

// gateway is a real gateway with its shipped file.
type gateway struct {
	*realparts.Gateway
	service *service
	host    string // host name that clients use
}

func (g *gateway) name() string { return g.Name }
func (g *gateway) log() string  { return g.Log }

func (g *gateway) send(r *Request, userAgent string) *result {
	began := time.Now()
	out := &result{request: r, agent: userAgent}
	out.status, out.header, out.body, out.failure = exchange(strings.TrimPrefix(g.URL, "http://"), r.From, requestText(r, g.host, userAgent),
		r.Method)
	out.took = time.Since(began)
	out.served = g.service.of(userAgent)
	return out
}

// alone calls the check like a gateway of a dialect that forwards every header of the client,
// except those that the dialect itself sets.
type alone struct {
	dialect string
	addr    string
	conn    net.Conn // connection of the previous request
	in      *bufio.Reader
}

// exchange uses the kept connection, as gateways do, or a new one if the check has closed it.
func (a *alone) exchange(text, method string) (status int, header http.Header, body, failure string) {
	for {
		kept := a.conn != nil
		if !kept {
			c, err := net.DialTimeout("tcp", a.addr, 5*time.Second)
			if err != nil {
				return 0, nil, "", err.Error()
			}
			a.conn, a.in = c, bufio.NewReader(c)
		}
		_ = a.conn.SetDeadline(time.Now().Add(8 * time.Second))
		_, err := io.WriteString(a.conn, text)
		var resp *http.Response
		if err == nil {
			resp, err = http.ReadResponse(a.in, &http.Request{Method: method})
		}
		if err != nil {
			a.conn.Close()
			a.conn = nil
			if kept {
				continue
			}
			return 0, nil, "", err.Error()
		}
		b, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		if err != nil || resp.Close || a.in.Buffered() > 0 {
			a.conn.Close()
			a.conn = nil
		}
		return resp.StatusCode, resp.Header, string(b), ""
	}
}

func (a *alone) name() string { return "check/" + a.dialect }
func (a *alone) log() string  { return "" }

// speaks are the headers that the gateway of a dialect sets itself.
var speaks = map[string][2]string{
	"nginx": {"X-Original-Method", "X-Original-URI"}, "haproxy": {"X-Original-Method", "X-Original-URI"},
	"kong":  {"X-Original-Method", "X-Original-URI"},
	"caddy": {"X-Forwarded-Method", "X-Forwarded-Uri"}, "traefik": {"X-Forwarded-Method", "X-Forwarded-Uri"},
	"apisix": {"X-Forwarded-Method", "X-Forwarded-Uri"},
}

// passedOn returns the client's headers as a gateway sends them to the check.
func passedOn(r *Request, own ...string) []string {
	own = append(own, "Connection", "Content-Length", "Transfer-Encoding", "Host", "X-Consumer", "X-Consumer-Username", "X-Consumer-Custom-Id",
		"X-Forwarded-Client-Cert", "X-Login", "Expect", "Upgrade", "Te")
	var out []string
	for _, h := range append(r.identity(), r.Headers...) {
		name, value, _ := strings.Cut(h, ":")
		if strings.EqualFold(name, "X-Login") {
			out = append(out, "X-Consumer:"+value)
		}
		if !slices.ContainsFunc(own, func(o string) bool { return strings.EqualFold(o, name) }) {
			out = append(out, h)
		}
	}
	return out
}

func peerOf(r *Request) string {
	if r.From != "" {
		return r.From
	}
	return "127.0.0.1"
}

func (a *alone) send(r *Request, userAgent string) *result {
	var b strings.Builder
	if pair, ok := speaks[a.dialect]; ok {
		fmt.Fprintf(&b, "GET /check/%s HTTP/1.1\r\nHost: check\r\n%s: %s\r\n%s: %s\r\nX-Forwarded-For: %s\r\n", a.dialect, pair[0], r.Method,
			pair[1], r.Path, peerOf(r))
		for _, h := range passedOn(r, pair[0], pair[1], "X-Forwarded-For") {
			b.WriteString(h + "\r\n")
		}
		fmt.Fprintf(&b, "User-Agent: %s\r\n\r\n", userAgent)
	} else {
		fmt.Fprintf(&b, "%s /check/envoy%s HTTP/1.1\r\nHost: shop.example\r\n", r.Method, r.Path)
		for _, h := range passedOn(r, "X-Forwarded-For") {
			b.WriteString(h + "\r\n")
		}
		body := r.Body[:min(len(r.Body), 8192)]
		fmt.Fprintf(&b, "X-Forwarded-For: %s\r\nUser-Agent: %s\r\nContent-Length: %d\r\n\r\n%s", peerOf(r), userAgent, len(body), body)
	}
	out := &result{request: r, agent: userAgent}
	method := "GET"
	if a.dialect == "envoy" {
		method = r.Method
	}
	out.status, out.header, out.body, out.failure = a.exchange(b.String(), method)
	out.decide()
	return out
}

// decide treats a response as the shipped files do: 200 allows, no response and 5xx are an
// outage in which reads pass, any other status denies.
func (r *result) decide() {
	switch {
	case r.status == 200:
		r.served = []served{{r.request.Method, r.request.Path, r.header, r.request.Body}}
	case (r.status == 0 || r.status >= 500) && r.request.read():
		r.served = []served{{r.request.Method, r.request.Path, http.Header{}, r.request.Body}}
	}
}

// aloneGRPC calls the check as Envoy does over gRPC.
type aloneGRPC struct{ client auth.AuthorizationClient }

func newAloneGRPC(t testing.TB, addr string) *aloneGRPC {
	conn, err := grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &aloneGRPC{auth.NewAuthorizationClient(conn)}
}

func (a *aloneGRPC) name() string { return "check/grpc" }
func (a *aloneGRPC) log() string  { return "" }

func (a *aloneGRPC) send(r *Request, userAgent string) *result {
	if !utf8.ValidString(r.Path) {
		return &result{request: r, agent: userAgent, header: http.Header{}, status: 400} // Envoy rejects such requests
	}
	headers := map[string]string{"user-agent": userAgent, ":method": r.Method, ":path": r.Path, ":authority": "shop.example"}
	for _, h := range passedOn(r) {
		name, value, _ := strings.Cut(h, ":")
		name, value = strings.ToLower(name), strings.TrimSpace(value)
		if have, ok := headers[name]; ok {
			value = have + "," + value // as Envoy joins them
		}
		headers[name] = value
	}
	if have := headers["x-forwarded-for"]; have != "" {
		headers["x-forwarded-for"] = have + ","
	}
	headers["x-forwarded-for"] += peerOf(r)
	for name, value := range headers {
		headers[name] = strings.ToValidUTF8(value, "!") // as Envoy does
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	out := &result{request: r, agent: userAgent, header: http.Header{}}
	ans, err := a.client.Check(ctx, &auth.CheckRequest{Attributes: &auth.AttributeContext{
		Source: &auth.AttributeContext_Peer{Address: &core.Address{Address: &core.Address_SocketAddress{SocketAddress: &core.SocketAddress{
			Address: peerOf(r), PortSpecifier: &core.SocketAddress_PortValue{PortValue: 4711}}}}},
		Request: &auth.AttributeContext_Request{Http: &auth.AttributeContext_HttpRequest{Method: r.Method, Path: r.Path, Host: "shop.example",
			Headers: headers,
			RawBody: []byte(r.Body[:min(len(r.Body), 8192)]), Size: int64(len(r.Body))}}}})
	var own []*core.HeaderValueOption
	switch {
	case err != nil:
		out.failure = err.Error()
	case ans.GetStatus().GetCode() == 0:
		out.status, own = 200, ans.GetOkResponse().GetHeaders()
	default:
		out.status, own, out.body = int(ans.GetDeniedResponse().GetStatus().GetCode()), ans.GetDeniedResponse().GetHeaders(),
			ans.GetDeniedResponse().GetBody()
	}
	for _, h := range own {
		out.header.Set(h.GetHeader().GetKey(), h.GetHeader().GetValue())
	}
	out.decide()
	return out
}
