package breaker

import (
	"net/netip"
	"strings"

	"flyball/detect/enforce"
	"flyball/schema"
)

// Query is a request in a short form.
type Query struct {
	Tenant, AgentID, AgentVersion string
	AgentTrust                    schema.Trust
	CredentialID                  string
	Credentials                   []string
	Standing                      schema.Standing
	ClientIP                      netip.Addr
	RunID                         schema.RunID
	RunFirstSeen                  int64
	Route                         string // "METHOD /template"
	ReadOnly, Risky               bool
}

func (q *Query) request() *enforce.Request {
	c := &schema.Call{Tenant: q.Tenant, AgentID: q.AgentID, AgentVersion: q.AgentVersion, AgentTrust: q.AgentTrust,
		CredentialID: q.CredentialID, ClientIP: q.ClientIP, Reversibility: schema.Reversible}
	c.Method, c.Route, _ = strings.Cut(q.Route, " ")
	switch {
	case q.ReadOnly:
		c.Reversibility = schema.ReadOnly
	case q.Risky:
		c.Reversibility = schema.Irreversible
	}
	return &enforce.Request{Call: c, Credentials: q.Credentials, Standing: q.Standing, RunID: q.RunID, RunFirstSeen: q.RunFirstSeen}
}

func (l *log) Match(q *Query, now int64) Match { return l.State.Match(q.request(), now) }
