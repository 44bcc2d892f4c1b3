package check

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// at returns the request that a gateway sends to the check.
func at(method, target string, headers ...string) *http.Request {
	r := httptest.NewRequest(method, target, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func readAs(t *testing.T, r *http.Request) (q request, reason string) {
	t.Helper()
	d, rest, known := findDialect(r)
	if !known {
		t.Fatalf("%s is no path of the check", r.RequestURI)
	}
	return readDialect(d, rest, r, 0)
}

// Headers that a client can send next to the headers of the gateway must not change the checked
// request.
func TestClientsHeadersCannotTurnADeleteIntoARead(t *testing.T) {
	client := []string{"X-Original-Method", "GET", "X-Original-URI", "/v1/orders/7", "X-Forwarded-Method", "GET", "X-Forwarded-Uri",
		"/v1/orders/7",
		"X-Original-URL", "/v1/orders/7", "X-Rewrite-URL", "/v1/orders/7", "X-Original-Path", "/v1/orders/7", "X-Envoy-Original-Path",
		"/v1/orders/7"}
	original := []string{"X-Original-Method", "DELETE", "X-Original-URI", "/v1/accounts/7?a=b"}
	forwarded := []string{"X-Forwarded-Method", "DELETE", "X-Forwarded-Uri", "/v1/accounts/7?a=b"}
	for name, x := range map[string]struct {
		method, target string
		sets           []string // set by the gateway, in place of the client's headers
	}{
		"envoy":   {"DELETE", "/check/envoy/v1/accounts/7?a=b", nil},
		"nginx":   {"GET", "/check/nginx", original},
		"haproxy": {"GET", "/check/haproxy", original},
		"kong":    {"POST", "/check/kong", original},
		"caddy":   {"GET", "/check/caddy", forwarded},
		"traefik": {"GET", "/check/traefik", forwarded},
		"apisix":  {"GET", "/check/apisix", forwarded},
	} {
		r := at(x.method, x.target, client...)
		for i := 0; i+1 < len(x.sets); i += 2 {
			r.Header.Set(x.sets[i], x.sets[i+1])
		}
		if q, why := readAs(t, r); why != "" || q.method != "DELETE" || q.path != "/v1/accounts/7?a=b" {
			t.Errorf("%s: %q %q %q", name, why, q.method, q.path)
		}
	}
}

func TestGatewayThatDoesNotNameTheRequestIsRefusedByName(t *testing.T) {
	for name, r := range map[string]*http.Request{
		"no headers":                   at("GET", "/check/nginx"),
		"no path":                      at("GET", "/check/nginx", "X-Original-Method", "GET"),
		"no method":                    at("GET", "/check/caddy", "X-Forwarded-Uri", "/a"),
		"an empty path":                at("GET", "/check/kong", "X-Original-Method", "GET", "X-Original-Uri", ""),
		"the headers of another":       at("GET", "/check/nginx", "X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/a"),
		"the client's path beside its": at("GET", "/check/haproxy", "X-Original-Method", "GET", "X-Original-Uri", "/a", "X-Original-Uri", "/b"),
		"two methods": at("GET", "/check/traefik", "X-Forwarded-Method", "GET", "X-Forwarded-Method", "GET", "X-Forwarded-Uri",
			"/a"),
		"two methods in one": at("GET", "/check/traefik", "X-Forwarded-Method", "GET, DELETE", "X-Forwarded-Uri", "/a"),
		"two hosts": at("GET", "/check/apisix", "X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/a", "X-Forwarded-Host",
			"a", "X-Forwarded-Host", "b"),
		"a path that is none":  at("GET", "/check/nginx", "X-Original-Method", "GET", "X-Original-Uri", "v1/orders"),
		"a path of its own":    at("GET", "/check/nginx/v1/orders", "X-Original-Method", "GET", "X-Original-Uri", "/v1/orders"),
		"envoy without a path": at("GET", "/check/envoy"),
		"plain, two paths":     at("GET", "/check", "X-Original-Method", "GET", "X-Original-Uri", "/a", "X-Original-Uri", "/b"),
		"plain, half a pair":   at("GET", "/check", "X-Original-Method", "GET"),
	} {
		if _, why := readAs(t, r); why != whyMisconfigured {
			t.Errorf("%s: %q", name, why)
		}
	}
}

// An old gateway file sends its requests to /check: what it cannot protect from the client is
// refused.
func TestPlainCheckRefusesWhatContradictsItself(t *testing.T) {
	get := []string{"X-Original-Method", "GET", "X-Original-URI", "/v1/orders/7"}
	del := []string{"X-Forwarded-Method", "DELETE", "X-Forwarded-Uri", "/v1/accounts/7"}
	for name, x := range map[string]struct {
		r      *http.Request
		reason string
		want   string
	}{
		"nginx":           {at("GET", "/check", get...), "", "GET /v1/orders/7"},
		"caddy":           {at("GET", "/check", del...), "", "DELETE /v1/accounts/7"},
		"envoy":           {at("DELETE", "/check/v1/accounts/7?q=1"), "", "DELETE /v1/accounts/7?q=1"},
		"envoy, the root": {at("DELETE", "/check/"), "", "DELETE /"},
		"both pairs alike": {at("GET", "/check", append(get, "X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/v1/orders/7")...),
			"", "GET /v1/orders/7"},
		"caddy, forged":      {at("GET", "/check", append(get, del...)...), whyContradicts, ""},
		"caddy, half forged": {at("GET", "/check", append(del, "X-Original-Method", "GET")...), whyContradicts, ""},
		"envoy, forged":      {at("DELETE", "/check/v1/accounts/7", get...), whyContradicts, ""},
		"envoy, forged by the other": {at("DELETE", "/check/v1/accounts/7", "X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/v1/orders/7"),
			whyContradicts, ""},
		"envoy, only the method forged":  {at("DELETE", "/check/v1/orders/7", get...), whyContradicts, ""},
		"envoy, the root, forged":        {at("DELETE", "/check/", get...), whyContradicts, ""},
		"a service that is called nginx": {at("GET", "/check/nginxes/1"), "", "GET /nginxes/1"},
	} {
		q, why := readAs(t, x.r)
		if got := strings.TrimSpace(q.method + " " + q.path); why != x.reason || why == "" && got != x.want {
			t.Errorf("%s: %q %q", name, why, got)
		}
	}
}

// A gateway would treat any failure other than a denial as an outage, and reads would pass.
func TestUnreadableRequestIsDeniedByNameAndCounted(t *testing.T) {
	c := newChecker(t, nil)
	c.replay()
	for want, r := range map[string]*http.Request{
		whyMisconfigured: at("GET", "/check/nginx"),
		whyContradicts:   at("DELETE", "/check/v1/accounts/7", "X-Original-Method", "GET", "X-Original-URI", "/v1/orders/7"),
	} {
		w := httptest.NewRecorder()
		c.Handler().ServeHTTP(w, r)
		if w.Code != 403 || w.Header().Get("X-Flyball-Why") != want || w.Header().Get("X-Flyball-Problem") != "unreadable" ||
			w.Header().Get("X-Flyball-Decision") == "" ||
			w.Header().Get("Content-Type") != "application/problem+json" || !strings.Contains(w.Body.String(), want) {
			t.Errorf("%s: %d %v %s", want, w.Code, w.Header(), w.Body)
		}
		if n := testutil.ToFloat64(c.m.checks.WithLabelValues(want)); n != 1 {
			t.Errorf("%s counted %v times", want, n)
		}
	}
	if n := testutil.ToFloat64(c.m.plain); n != 1 {
		t.Errorf("plain uses: %v", n)
	}
	for _, path := range []string{"/", "/checks", "/v1/breakers", "/%63heck/nginx"} {
		w := httptest.NewRecorder()
		c.Handler().ServeHTTP(w, at("GET", path))
		if path == "/checks" { // the plain form, whose path is not valid
			if w.Code != 403 {
				t.Errorf("%s: %d", path, w.Code)
			}
		} else if w.Code != 404 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
}

func TestGatewaysHostIsTheOneThatItsDialectNames(t *testing.T) {
	for want, r := range map[string]*http.Request{
		"own.example": at("GET", "http://own.example/check/envoy/a", "X-Forwarded-Host", "evil", "X-Original-Host", "evil"),
		"orig.example": at("GET", "/check/nginx", "X-Original-Method", "GET", "X-Original-Uri", "/a", "X-Original-Host", "orig.example",
			"X-Forwarded-Host", "evil"),
		"fwd.example": at("GET", "/check/traefik", "X-Forwarded-Method", "GET", "X-Forwarded-Uri", "/a", "X-Forwarded-Host", "fwd.example",
			"X-Original-Host", "evil"),
		// Not named: the host of the request is the check's own, and would make the call another one than its line.
		"": at("GET", "/check/haproxy", "X-Original-Method", "GET", "X-Original-Uri", "/a"),
	} {
		if q, why := readAs(t, r); why != "" || q.host != want {
			t.Errorf("%q %q, want %q", why, q.host, want)
		}
	}
}

// FuzzReadDialect: for all other headers that a client can send, nginx's headers decide at nginx's
// path, and the request's own target decides at Envoy's path.
func FuzzReadDialect(f *testing.F) {
	f.Add("DELETE", "/v1/accounts/7", "X-Original-Method", "GET")
	f.Add("GET", "/a?b=/check/nginx", "X-Forwarded-Uri", "/b")
	f.Fuzz(func(t *testing.T, method, path, name, value string) {
		r := httptest.NewRequest("GET", "/check/nginx", nil)
		r.Header["X-Original-Method"], r.Header["X-Original-Uri"] = []string{method}, []string{path}
		r.Header.Add(name, value)
		d, rest, _ := findDialect(r)
		q, why := readDialect(d, rest, r, 1)
		switch {
		case why == "" && (q.method != method || q.path != path):
			t.Fatalf("%q %q was read as %q %q", method, path, q.method, q.path)
		case why != "" && why != whyMisconfigured:
			t.Fatalf("%q", why)
		}
		r.Method, r.RequestURI = method, "/check/envoy"+path
		if d, rest, known := findDialect(r); known && d.name == "envoy" {
			if q, why := readDialect(d, rest, r, 1); why == "" && (q.method != method || q.path != path) {
				t.Fatalf("%q %q was read as %q %q", method, path, q.method, q.path)
			}
		}
	})
}
