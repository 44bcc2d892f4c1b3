package check

import (
	"io"
	"net/http"

	"flyball/detect/enforce/problem"
)

// Handler returns the handler for nginx's auth_request, ForwardAuth, forward_auth and Envoy's HTTP
// ext_authz at /check/<dialect>, and for one more release at /check without a dialect.
func (c *Checker) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d, rest, known := findDialect(r)
		if !known {
			http.NotFound(w, r)
			return
		}
		if !c.isGateway(r.Header.Get("X-Flyball-Token"), r.Header.Get("Authorization"), isTrustedHTTP(r)) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if d.name == "" {
			c.notePlainUse()
		}
		respond(w, c.guarded(func() answer { return c.answerHTTP(d, rest, r) }))
	})
}

func (c *Checker) answerHTTP(d dialect, rest string, r *http.Request) answer {
	q, reason := readDialect(d, rest, r, c.o.TrustedHops)
	if reason != "" {
		return c.unreadable(reason)
	}
	if c.o.Token != "" && r.Header.Get("X-Flyball-Token") == "" {
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
			return c.unreadable(whyMalformed) // a part of it, or one that came too slowly, says nothing
		}
		q.body = body
	}
	return c.check(&q)
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
func (c *Checker) notePlainUse() {
	c.m.plain.Inc()
	if c.plainNotice.due(c.o.Now()) {
		c.o.Logger.Warn("a gateway asks at /check without its dialect, where clients may be able to change the original request; " +
			"the next release refuses it: use the shipped gateway file, which asks at /check/<gateway>")
	}
}
