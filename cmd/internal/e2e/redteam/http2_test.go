package redteam

import (
	"bytes"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"flyball/cmd/internal/realparts"
)

// overHTTP2 sends requests to a real gateway over HTTP/2 without TLS: names of headers are in lower case, method, path and host are
// pseudo-headers, and nothing checks the fields before the gateway.
type overHTTP2 struct {
	*gateway
	pseudo func(r *Request, host string) [][2]string // nil: those of the request
}

func (g *overHTTP2) name() string { return g.Name + " over HTTP/2" }

func (g *overHTTP2) send(r *Request, userAgent string) *result {
	began := time.Now()
	out := &result{request: r, agent: userAgent, header: http.Header{}}
	fields := [][2]string{{":method", r.Method}, {":scheme", "http"}, {":authority", g.host}, {":path", r.Path}}
	if g.pseudo != nil {
		fields = g.pseudo(r, g.host)
	}
	fields = append(fields, [2]string{"user-agent", userAgent})
	for _, h := range append(r.identity(), r.Headers...) {
		name, value, _ := strings.Cut(h, ":")
		if name = strings.ToLower(name); !slices.Contains([]string{"connection", "upgrade", "transfer-encoding", "expect"}, name) {
			fields = append(fields, [2]string{name, strings.TrimSpace(value)})
		}
	}
	var err error
	if out.status, out.header, err = exchangeHTTP2(strings.TrimPrefix(g.URL, "http://"), r.From, fields, r.Body); err != nil {
		out.failure = err.Error()
	}
	out.took = time.Since(began)
	out.served = g.service.of(userAgent)
	return out
}

// exchangeHTTP2 sends one request with these fields, in this order, and reads the headers of its response.
func exchangeHTTP2(addr, from string, fields [][2]string, body string) (status int, header http.Header, err error) {
	header = http.Header{}
	d := net.Dialer{Timeout: 5 * time.Second}
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	c, err := d.Dial("tcp", addr)
	if err != nil {
		return 0, header, err
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(8 * time.Second))
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, f := range fields {
		if err := encoder.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]}); err != nil {
			return 0, header, err
		}
	}
	if _, err := c.Write([]byte(http2.ClientPreface)); err != nil {
		return 0, header, err
	}
	framer := http2.NewFramer(c, c)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	rest := block.Bytes()
	first := rest[:min(len(rest), 16<<10)]
	rest = rest[len(first):]
	if err := framer.WriteSettings(); err != nil {
		return 0, header, err
	}
	err = framer.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: first, EndStream: body == "", EndHeaders: len(rest) == 0})
	for err == nil && len(rest) > 0 {
		part := rest[:min(len(rest), 16<<10)]
		rest = rest[len(part):]
		err = framer.WriteContinuation(1, len(rest) == 0, part)
	}
	if err == nil && body != "" {
		err = framer.WriteData(1, true, []byte(body))
	}
	for err == nil {
		var f http2.Frame
		if f, err = framer.ReadFrame(); err != nil {
			break
		}
		switch f := f.(type) {
		case *http2.SettingsFrame:
			if !f.IsAck() {
				err = framer.WriteSettingsAck()
			}
		case *http2.MetaHeadersFrame:
			for _, h := range f.Fields {
				header.Add(h.Name, h.Value)
			}
			status, err = strconv.Atoi(f.PseudoValue("status"))
			if err == nil && status >= 200 {
				return status, header, nil
			}
		case *http2.RSTStreamFrame, *http2.GoAwayFrame:
			return 0, header, nil // refused without an answer
		}
	}
	return 0, header, err
}

// http2Attacks need bytes that Envoy accepts over HTTP/2 alone. Over gRPC it shows each byte that is no UTF-8 as "!" to the check.
var http2Attacks = each("a path with bytes that are no UTF-8: %q",
	[][]string{{"/v1/notes/..\xc0\xafaccounts/7/close"}, {"/v1/notes/\xc0\xae\xc0\xae/accounts/7/close"}, {"/v1/notes/\xff"}},
	func(s []string) []Step {
		return []Step{{Manifest: scoped}, must(passes, send("POST", "/v1/notes/7", bot)), must(refused, send("POST", s[0], bot))}
	})

// The attacks of requests, over HTTP/2.
func TestAttacksOverHTTP2(t *testing.T) {
	g := newHTTP2(t)
	var all []*attempt
	for i, attack := range concat(http2Attacks, attacks()) {
		if w := g.way; attack.on(w) {
			a := g.point.run(&attack, w, strconv.Itoa(i)+"h2")
			// The check and the log have other characters in place of the bytes of a path that was refused.
			a.undecided = slices.ContainsFunc(a.sent, func(r *result) bool { return !utf8.ValidString(r.request.Path) && len(r.served) == 0 })
			all = append(all, a)
		}
	}
	g.point.compareLog(g.way, all)
	judge(t, "http2", all)
}

// Pseudo-headers that the gateway and the service may read in different ways.
func TestPseudoHeadersLeadAroundTheCheck(t *testing.T) {
	g := newHTTP2(t)
	ordinary := Attack{Name: "ordinary", Steps: []Step{{Manifest: scoped}, must(passes, send("GET", "/v1/orders/7", bot))}}
	if a := g.point.run(&ordinary, g.way, "ordinary"); len(a.faults) > 0 {
		t.Fatalf("%q", a.faults)
	}
	attack := Attack{Name: "pseudo-headers", Steps: []Step{{Manifest: scoped}, must(refused, send("DELETE", "/v1/accounts/7", bot))}}
	for name, pseudo := range map[string]func(r *Request, host string) [][2]string{
		"two paths":                    pseudoFields{{":method", "M"}, {":path", "/v1/orders/7"}, {":path", "P"}}.fields,
		"two methods":                  pseudoFields{{":method", "GET"}, {":method", "M"}, {":path", "P"}}.fields,
		"a host beside the authority":  pseudoFields{{":method", "M"}, {":path", "P"}, {"host", "other.example"}}.fields,
		"a path after a header":        pseudoFields{{":method", "M"}, {"x-a", "b"}, {":path", "P"}}.fields,
		"an absolute path":             pseudoFields{{":method", "M"}, {":path", "http://shop.example/v1/accounts/7"}}.fields,
		"a method in lower case":       pseudoFields{{":method", "m"}, {":path", "P"}}.fields,
		"another protocol":             pseudoFields{{":method", "CONNECT"}, {":protocol", "websocket"}, {":path", "P"}}.fields,
		"a header that looks like one": pseudoFields{{":method", "M"}, {":path", "P"}, {":x-original-method", "GET"}}.fields,
		"a fragment":                   pseudoFields{{":method", "M"}, {":path", "/v1/orders/7#/../../v1/accounts/7"}}.fields,
		"no path":                      pseudoFields{{":method", "M"}}.fields,
		"an override":                  pseudoFields{{":method", "POST"}, {":path", "P"}, {"x-http-method-override", "DELETE"}}.fields,
	} {
		g.way.pseudo = pseudo
		a := g.point.run(&attack, g.way, strings.ReplaceAll(name, " ", ""))
		for _, f := range a.faults {
			t.Errorf("%s: %s", name, f)
		}
	}
}

// pseudoFields are fields in which M is the method of the request, m the same in lower case, and P its path.
type pseudoFields [][2]string

func (p pseudoFields) fields(r *Request, host string) [][2]string {
	out := [][2]string{}
	fill := strings.NewReplacer("M", r.Method, "P", r.Path, "m", strings.ToLower(r.Method))
	for _, f := range p {
		if len(f[1]) == 1 {
			f[1] = fill.Replace(f[1])
		}
		out = append(out, f)
	}
	return append(out[:1:1], append([][2]string{{":scheme", "http"}, {":authority", host}}, out[1:]...)...)
}

// http2Gateway is a point behind Envoy, which speaks HTTP/2 without TLS.
type http2Gateway struct {
	point *testPoint
	way   *overHTTP2
}

func newHTTP2(t *testing.T) *http2Gateway {
	t.Helper()
	if only, set := os.LookupEnv("FLYBALL_TEST_GATEWAYS"); set && !strings.Contains(only, "envoy-grpc") {
		t.Skip("FLYBALL_TEST_GATEWAYS leaves envoy-grpc out")
	}
	p, s := newPoint(t), newService(t)
	g := realparts.StartGateway(t, "envoy-grpc", files, s.Listener.Addr().String(), p.config.Check.Listen, p.config.Check.GRPC)
	return &http2Gateway{p, &overHTTP2{gateway: &gateway{g, s, "shop.example"}}}
}
