package redteam

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"flyball/cmd/internal/realparts"
)

// rawService is a service that keeps every byte that it is sent, and answers 200.
type rawService struct {
	net.Listener
	mu  sync.Mutex
	got bytes.Buffer
}

func newRawService(t *testing.T) *rawService {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &rawService{Listener: l}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(c)
		}
	}()
	return s
}

func (s *rawService) serve(c net.Conn) {
	defer c.Close()
	for in := bufio.NewReader(io.TeeReader(c, s)); ; {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nserved")
	}
}

// Write implements io.Writer for the bytes that a client sends.
func (s *rawService) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got.Write(p)
}

func (s *rawService) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got.String()
}

// passTrailers are the gateways that have no setting for dropping trailers of requests: deploy/README.md names them.
var passTrailers = map[string]bool{"caddy": true, "haproxy": true, "traefik": true}

// The check sees the headers of a request. What comes after its body must not become one of them.
func TestTrailersLeadAroundTheCheck(t *testing.T) {
	p := newPoint(t)
	for _, name := range gateways() {
		service := newRawService(t)
		g := realparts.StartGateway(t, name, files, service.Addr().String(), p.config.Check.Listen, p.config.Check.GRPC)
		for _, announced := range []string{"", "Trailer: X-HTTP-Method-Override, X-Consumer, Authorization\r\n"} {
			text := "POST /v1/notes/7 HTTP/1.1\r\nHost: shop.example\r\nX-Login: bot\r\nX-Consumer: bot\r\nUser-Agent: trailers\r\n" +
				"Connection: close\r\n" + announced + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n" +
				"X-HTTP-Method-Override: forged-DELETE\r\nX-Consumer: forged-victim\r\n" +
				"Authorization: Bearer forged\r\nX-Flyball-Receipt: forged\r\nX-Original-Method: forged\r\nContent-Length: 7\r\n\r\n"
			status, _, _, failure := exchange(strings.TrimPrefix(g.URL, "http://"), "", text, "POST")
			if status != 200 || !strings.Contains(service.text(), "hello") {
				t.Errorf("%s: %d %s; the service must get the request and its body", name, status, failure)
			}
		}
		for _, request := range strings.Split(service.text(), "POST ")[1:] {
			headers, after, _ := strings.Cut(request, "\r\n\r\n")
			if strings.Contains(headers, "forged") {
				t.Errorf("%s: a trailer is a header of the service's request: %q", name, headers)
			}
			if passes := strings.Contains(after, "forged"); passes && !passTrailers[name] {
				t.Errorf("%s: trailers reach the service, and deploy/README.md says that they do not: %q", name, after)
			}
		}
	}
}
