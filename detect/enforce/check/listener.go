package check

import (
	"bytes"
	"fmt"
	"net"
)

// whyMalformed: net/http cannot read the request to the check as HTTP, for instance because of a
// control character in a header that the gateway passed on.
const whyMalformed = "malformed_request"

// Listener wraps a listener so that requests that net/http itself rejects are answered with a
// denial. A gateway such as nginx would treat net/http's own responses (400, 417, 431, 501, 505) as
// an outage, during which it lets reads pass: any client could cause that with one header.
func (c *Checker) Listener(l net.Listener) net.Listener { return &denyingListener{Listener: l, c: c} }

type denyingListener struct {
	net.Listener
	c *Checker
}

func (l *denyingListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &denyingConn{Conn: conn, c: l.c}, nil
}

type denyingConn struct {
	net.Conn
	c *Checker
}

// Write replaces a response that net/http itself makes, which it writes in one piece before it
// closes the connection. Answers of the check have other statuses.
func (d *denyingConn) Write(b []byte) (int, error) {
	if !isServersOwn(b) {
		return d.Conn.Write(b)
	}
	a := d.c.unreadable(whyMalformed)
	body := a.problem()
	var out bytes.Buffer
	out.WriteString("HTTP/1.1 403 Forbidden\r\nContent-Type: application/problem+json\r\nConnection: close\r\n")
	fmt.Fprintf(&out, "Content-Length: %d\r\n", len(body))
	for _, h := range a.headers() {
		fmt.Fprintf(&out, "%s: %s\r\n", h[0], h[1])
	}
	out.WriteString("\r\n")
	out.Write(body)
	if _, err := d.Conn.Write(out.Bytes()); err != nil {
		return 0, err
	}
	return len(b), nil
}

func isServersOwn(b []byte) bool {
	if len(b) < 13 || !bytes.HasPrefix(b, []byte("HTTP/1.")) || b[8] != ' ' {
		return false
	}
	switch string(b[9:12]) {
	case "400", "408", "413", "414", "417", "431", "501", "505":
		return true
	}
	return false
}
