package api

import (
	"crypto/subtle"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"flyball/schema"
)

// CheckHandler answers nginx's auth_request, ForwardAuth, forward_auth and Envoy's HTTP
// ext_authz at /check/<dialect>, and for one more release at /check alone.
func (c *Control) CheckHandler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		d, rest, known := dialectOf(r)
		if !known {
			http.NotFound(w, r)
			return
		}
		if !c.admitted(r.Header.Get("X-Flyball-Token"), r.Header.Get("Authorization"), trustedHTTP(r)) {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		if d.name == "" {
			c.plain.note(c)
		}
		c.respond(w, c.guarded(func() answer {
			q, reason := readDialect(d, rest, r, c.o.TrustedHops)
			if reason != "" {
				return c.unreadable(reason)
			}
			if c.o.CheckToken != "" && r.Header.Get("X-Flyball-Token") == "" {
				// Authorization is the gateway's own, and identifies no client.
				all := q.headers
				q.headers = func(name string) string {
					if name == "authorization" {
						return ""
					}
					return all(name)
				}
			}
			if r.ContentLength != 0 && r.Body != nil {
				// One byte more than is read: a body that is too long is not understood.
				if body, err := io.ReadAll(io.LimitReader(r.Body, MaxBody+1)); err == nil {
					q.body = body
				}
			}
			return c.check(&q)
		}))
	})
}

func (c *Control) respond(w http.ResponseWriter, a answer) {
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
}

// unreadable is the answer to a request that cannot be read: always a denial, since a
// gateway takes any other failure for an outage, and lets reads pass during one.
func (c *Control) unreadable(reason string) answer {
	a := answer{status: http.StatusForbidden, action: schema.ActionDeny, why: reason, decision: decisionID(rand.Uint64())}
	c.m.refused.Add(1)
	c.count(&a)
	if reason == whyMisconfigured && c.misconfigured.due(c.o.Now()) {
		c.o.Logger.Warn("a gateway does not say which request it asks about; use /check/<gateway> and the shipped gateway file",
			"reason", reason)
	}
	return a
}

// plainUses counts requests to the check without a dialect, and warns of them.
type plainUses struct{ warn everyMinute }

func (p *plainUses) note(c *Control) {
	c.m.plain.Inc()
	if p.warn.due(c.o.Now()) {
		c.o.Logger.Warn("a gateway asks at /check without its dialect, where clients may be able to change what is asked about; " +
			"the next release refuses it: use the shipped gateway file, which asks at /check/<gateway>")
	}
}

// everyMinute lets one log line a minute through.
type everyMinute struct{ next atomic.Int64 }

func (e *everyMinute) due(now time.Time) bool {
	next := e.next.Load()
	return now.UnixNano() >= next && e.next.CompareAndSwap(next, now.Add(time.Minute).UnixNano())
}

// headers that answer beside the body, for gateways that see nothing else of it.
func (a *answer) headers() [][2]string {
	out := [][2]string{{"X-Flyball-Decision", a.decision}, {"X-Flyball-Why", a.why}}
	if a.run != "" {
		out = append(out, [2]string{"X-Flyball-Run", a.run})
	}
	if a.receipt != "" {
		out = append(out, [2]string{"X-Flyball-Receipt", a.receipt})
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
