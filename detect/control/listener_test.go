package control

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

// One control character in any header made net/http answer 400, which nginx took for an
// outage: a stopped agent's reads went on.
func TestRequestThatCannotBeReadIsDeniedAndNoOutage(t *testing.T) {
	c, _ := point(t, nil)
	c.folded()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: c.CheckHandler(), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = s.Serve(c.Listener(l)) }()
	defer s.Close()
	const head = "GET /check/nginx HTTP/1.1\r\nHost: flyball\r\nX-Original-Method: GET\r\nX-Original-URI: /v1/orders/1\r\n"
	for name, x := range map[string]struct {
		request, why string
		status       int
	}{
		"a control character":          {head + "X-A: a\x01b\r\n\r\n", whyMalformed, 403},
		"a delete character":           {head + "X-A: a\x7fb\r\n\r\n", whyMalformed, 403},
		"a NUL":                        {head + "X-A: a\x00b\r\n\r\n", whyMalformed, 403},
		"a name that is none":          {head + "X A: b\r\n\r\n", whyMalformed, 403},
		"a line without a colon":       {head + "nonsense\r\n\r\n", whyMalformed, 403},
		"a transfer encoding":          {head + "Transfer-Encoding: gzip\r\n\r\n", whyMalformed, 403},
		"two lengths":                  {head + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", whyMalformed, 403},
		"an expectation":               {head + "Expect: magic\r\n\r\n", whyMalformed, 403},
		"headers without end":          {head + "X-A: " + strings.Repeat("a", 2<<20) + "\r\n\r\n", whyMalformed, 403},
		"another version":              {"GET /check/nginx HTTP/3.7\r\nHost: a\r\n\r\n", whyMalformed, 403},
		"no host":                      {"GET /check/nginx HTTP/1.1\r\n\r\n", whyMalformed, 403},
		"no HTTP":                      {"\x16\x03\x01nonsense\r\n\r\n", whyMalformed, 403},
		"an ordinary request":          {head + "\r\n", "clear", 200},
		"one that its gateway garbled": {"GET /check/nginx HTTP/1.1\r\nHost: a\r\n\r\n", whyMisconfigured, 403},
	} {
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		go func() { _, _ = io.WriteString(conn, x.request) }()
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else {
			body, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != x.status || resp.Header.Get("X-Flyball-Why") != x.why || x.status == 403 && !strings.Contains(string(body), x.why) {
				t.Errorf("%s: %d %v %s", name, resp.StatusCode, resp.Header, body)
			}
		}
		conn.Close()
	}
}
