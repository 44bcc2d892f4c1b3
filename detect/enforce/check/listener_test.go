package check

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"flyball/detect/enforce/enforcetest"
	"flyball/schema"
	"flyball/schema/route"
)

// For one control character in any header net/http answered 400, which nginx treated as an outage:
// reads of a stopped agent passed.
func TestRequestThatCannotBeReadIsDeniedAndNoOutage(t *testing.T) {
	c := newChecker(t, nil)
	c.replay()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: c.Handler(), ReadHeaderTimeout: 5 * time.Second}
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
		"a body that is none":          {head + "Transfer-Encoding: chunked\r\n\r\nnonsense\r\n", whyMalformed, 403},
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
			if resp.StatusCode != x.status || resp.Header.Get("X-Flyball-Why") != x.why || x.status == 403 && !strings.Contains(string(body),
				x.why) {
				t.Errorf("%s: %d %v %s", name, resp.StatusCode, resp.Header, body)
			}
		}
		conn.Close()
	}
}

// classifierThatFails panics on one path, like an unknown fault.
type classifierThatFails struct{ Classifier }

func (f classifierThatFails) Readings(c *schema.Call, in *route.Input) ([]route.Other, bool) {
	if c.Path == "/bad" {
		panic("a fault")
	}
	return f.Classifier.Readings(c, in)
}

// A fault of the check closed the connection, which a gateway treats as an outage: reads passed.
// Over gRPC it ended the process.
func TestFaultOfTheCheckIsADenialAndHoldsNothingUp(t *testing.T) {
	c := newChecker(t, nil)
	c.o.Routes = classifierThatFails{c.o.Routes}
	for range 3 {
		if w := asNginx(c, "GET", "/bad"); w.Code != 403 || w.Header().Get("X-Flyball-Why") != whyInternal {
			t.Errorf("%d %s", w.Code, w.Header().Get("X-Flyball-Why"))
		}
		if out := asEnvoy(t, c, "192.0.2.7", "GET", "/bad"); out.GetDeniedResponse() == nil {
			t.Error("Envoy: passed")
		}
	}
	if n := testutil.ToFloat64(c.m.panics); n != 6 {
		t.Errorf("%v are counted", n)
	}
	replayWithin(t, c, killed(schema.ScopeCredential, c.o.Resolver.CredentialID("api_key", "real")))
	if w := asNginx(c, "GET", "/v1/orders/1", "X-Api-Key", "real"); w.Code != 403 {
		t.Errorf("afterwards a stopped caller: %d", w.Code)
	}
	if w := asNginx(c, "GET", "/v1/orders/1"); w.Code != 200 {
		t.Errorf("afterwards another: %d", w.Code)
	}
}

// A fault inside the decision releases the lock and the place among claimed callers.
func TestFaultOfTheDecisionHoldsNothingUp(t *testing.T) {
	c := newChecker(t, func(o *enforcetest.Options) { o.Armed = func(string, string) bool { panic("a fault") } })
	c.replay(schema.Command{ID: "m", Kind: schema.CommandManifest, Tenant: "t", Manifest: &schema.Manifest{Agent: "*",
		Text: "version: 1\nagent: \"*\"\nscope: {routes: [GET /v1/**]}\n"}})
	for range 5 {
		if w := asNginx(c, "DELETE", "/v1/orders/1"); w.Code != 403 || w.Header().Get("X-Flyball-Why") != whyInternal {
			t.Fatalf("%d %s", w.Code, w.Header().Get("X-Flyball-Why"))
		}
	}
	if len(c.work.places) != 0 {
		t.Errorf("%d places among claimed callers are taken", len(c.work.places))
	}
	replayWithin(t, c, schema.Command{ID: "x", Kind: schema.CommandManifestDrop, Tenant: "t", Manifest: &schema.Manifest{Agent: "*"}})
	if w := asNginx(c, "DELETE", "/v1/orders/1"); w.Code != 200 {
		t.Errorf("afterwards: %d %s", w.Code, w.Header().Get("X-Flyball-Why"))
	}
}

// replayWithin folds a command, which needs the lock of the state.
func replayWithin(t *testing.T, c *checker, command schema.Command) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		c.replay(command)
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("the lock of the state is held")
	}
}
