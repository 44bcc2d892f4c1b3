package check

import (
	"io"
	"net/http"

	"flyball/detect/enforce/problem"
)

// Handler returns the handler for nginx's auth_request, ForwardAuth, forward_auth and Envoy's HTTP
// ext_authz at /check/<dialect>, and for one more release at /check without a dialect.
func (c *Checker) Handler() http.Handler { return &httpCheck{c: c} }

// httpCheck answers the requests of gateways over HTTP.
type httpCheck struct {
	c           *Checker
	plainNotice oncePerMinute
}

// ServeHTTP answers one request.
func (h *httpCheck) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	d, rest, known := findDialect(r)
	if !known {
		http.NotFound(w, r)
		return
	}
	if !h.c.o.isGateway(r.Header.Get("X-Flyball-Token"), r.Header.Get("Authorization"), isTrustedHTTP(r)) {
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	if d.name == "" {
		h.notePlainUse()
	}
	respond(w, h.c.guarded(func() answer { return h.answer(d, rest, r) }))
}

// answer checks the original request of a request whose target after the dialect is rest.
func (h *httpCheck) answer(d dialect, rest string, r *http.Request) answer {
	o := &h.c.o
	q, reason := readDialect(d, rest, r, o.TrustedHops)
	if reason != "" {
		return h.c.unreadable(reason)
	}
	if o.Token != "" && r.Header.Get("X-Flyball-Token") == "" {
		// Authorization contains the gateway's token and identifies no client.
		all := q.headers
		q.headers = func(name string) string {
			if name == "authorization" {
				return ""
			}
			return all(name)
		}
	}
	if r.ContentLength != 0 && r.Body != nil {
		// One byte more than is used: a longer body counts as truncated.
		body, err := io.ReadAll(io.LimitReader(r.Body, MaxBody+1))
		if err != nil {
			return h.c.unreadable(whyMalformed) // a part of it, or one that came too slowly, says nothing
		}
		q.body = body
	}
	return h.c.check(&q)
}

func respond(w http.ResponseWriter, a answer) {
	h := w.Header()
	for _, own := range a.headers() {
		h.Set(own[0], own[1])
	}
	if a.status == http.StatusOK {
		w.WriteHeader(http.StatusOK)
		return
	}
	h.Set("Content-Type", problem.MediaType)
	w.WriteHeader(a.status)
	_, _ = w.Write(a.problem())
}

// notePlainUse counts a request to the check without a dialect, and warns.
func (h *httpCheck) notePlainUse() {
	h.c.m.plain.Inc()
	if h.plainNotice.due(h.c.o.Now()) {
		h.c.o.Logger.Warn("a gateway asks at /check without its dialect, where clients may be able to change the original request; " +
			"the next release refuses it: use the shipped gateway file, which asks at /check/<gateway>")
	}
}
