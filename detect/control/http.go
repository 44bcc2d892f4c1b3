package control

import (
	"crypto/subtle"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

const checkPath = "/check"

// CheckHandler answers nginx's auth_request, ForwardAuth, forward_auth and
// Envoy's HTTP ext_authz: the original method and path come by the header that
// each of them uses, or are the request's own below /check.
func (c *Control) CheckHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, checkPath) {
			http.NotFound(w, r)
			return
		}
		if !c.admitted(r.Header.Get("X-Flyball-Token"), r.Header.Get("Authorization"), trustedHTTP(r)) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		a := c.check(fromHTTP(r))
		h := w.Header()
		for _, own := range a.headers() {
			h.Set(own[0], own[1])
		}
		if a.status == http.StatusOK {
			w.WriteHeader(http.StatusOK)
			return
		}
		h.Set("Content-Type", "application/problem+json")
		w.WriteHeader(a.status)
		_, _ = w.Write(a.problem())
	})
}

// headers that answer beside the body, for gateways that see nothing else of it.
func (a *answer) headers() [][2]string {
	out := [][2]string{{"X-Flyball-Decision", a.decision}, {"X-Flyball-Why", a.why}}
	if a.run != "" {
		out = append(out, [2]string{"X-Flyball-Run", a.run})
	}
	if a.gate != "" {
		out = append(out, [2]string{"X-Flyball-Gate", a.gate})
	}
	if a.would != "" {
		out = append(out, [2]string{"X-Flyball-Would", a.would})
	}
	if a.stale {
		out = append(out, [2]string{"X-Flyball-Stale", "1"})
	}
	if a.status != http.StatusOK {
		out = append(out, [2]string{"X-Flyball-Problem", a.kind()})
		out = append(out, a.explain().headers()...)
	}
	return out
}

// admitted reports whether whoever asks is a gateway. trusted is of the connection: where no token is configured, only
// such a one is a gateway's. Configurations that open the check to others are refused before; this is for the day when
// one is not.
func (c *Control) admitted(token, authorization string, trusted bool) bool {
	if c.o.CheckToken == "" {
		return trusted
	}
	if token == "" {
		token = strings.TrimPrefix(authorization, "Bearer ")
	}
	return subtle.ConstantTimeCompare([]byte(token), []byte(c.o.CheckToken)) == 1
}

func fromHTTP(r *http.Request) *request {
	h := r.Header
	q := &request{method: r.Method, path: strings.TrimPrefix(r.URL.RequestURI(), checkPath), host: r.Host, headers: func(name string) string { return h.Get(name) },
		joined: func(name string) string { return strings.Join(h.Values(name), ",") }}
	for _, pair := range [...][2]string{{"X-Original-Method", "X-Original-Uri"}, {"X-Forwarded-Method", "X-Forwarded-Uri"}} {
		if m := h.Get(pair[0]); m != "" {
			q.method, q.path = m, h.Get(pair[1])
			break
		}
	}
	if q.path == "" {
		q.path = "/"
	}
	if r.ContentLength != 0 && r.Body != nil {
		// One byte more than is read tells a body that is too long to be understood.
		if body, err := io.ReadAll(io.LimitReader(r.Body, MaxBody+1)); err == nil {
			q.body = body
		}
	}
	q.client = clientOf(h.Get("X-Forwarded-For"), r.RemoteAddr)
	return q
}

// clientOf is the address nearest to the gateway: what stands further left in
// the header is what the client says.
func clientOf(forwarded, peer string) netip.Addr {
	if i := strings.LastIndexByte(forwarded, ','); i >= 0 {
		forwarded = forwarded[i+1:]
	}
	if a, err := netip.ParseAddr(strings.TrimSpace(forwarded)); err == nil {
		return a
	}
	if host, _, err := net.SplitHostPort(peer); err == nil {
		a, _ := netip.ParseAddr(host)
		return a
	}
	return netip.Addr{}
}
