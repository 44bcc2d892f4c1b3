package api

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"flyball/detect/enforce"
	"flyball/schema"
)

// grants holds the operations on questions to people and on their answers.
type grants struct{ *server }

func (g *grants) operations() []operation {
	return []operation{
		list("/v1/grants", "grants", "Questions to people, and their answers, the latest first", []GateLine{},
			func(*exchange) any { return g.lines() }),
		{method: http.MethodGet, path: "/v1/grants/{id}", id: "grantOf", summary: "One question", role: Viewer, answer: GateLine{},
			problems: []int{404}, serve: g.show},
		withBody(operation{path: "/v1/grants/{id}/grant", id: "grant", role: Responder, answer: ChangeResult{}, problems: []int{404, 409},
			summary: "Approve a call: by default once, within 15 minutes, for the resource of the request"}, g.grant),
		withBody(operation{path: "/v1/grants/{id}/refuse", id: "refuse", role: Responder, answer: ChangeResult{}, problems: []int{404, 409},
			summary: "Refuse a call"}, g.refuseGate),
	}
}

// GateLine is a line of /v1/grants.
type GateLine struct {
	schema.Gate
	Asked   string `json:"asked"`
	Expires string `json:"expires,omitempty"`
	Decided string `json:"decided,omitempty"`
}

func gateLine(g *schema.Gate) GateLine {
	return GateLine{Gate: *g, Asked: timestamp(g.AskedAt), Expires: timestamp(g.Expires), Decided: timestamp(g.DecidedAt)}
}

func (g *grants) lines() []GateLine {
	v := g.o.State.Acquire()
	all := v.Approvals.List()
	v.Release()
	out := make([]GateLine, 0, len(all))
	for _, x := range all {
		out = append(out, gateLine(x))
	}
	return out
}

// gate returns the question with an id; nil: there is none, or it is no longer kept.
func (s *server) gate(id string) *schema.Gate {
	v := s.o.State.Acquire()
	defer v.Release()
	g, _ := v.Approvals.Get(id)
	return g
}

func (g *grants) show(x *exchange) {
	id := x.r.PathValue("id")
	found := g.gate(id)
	if found == nil || !x.caller.maySee(found.Tenant) {
		x.refuse(refused(http.StatusNotFound, "no_such_gate", "%q: no such question, or it is forgotten", id))
		return
	}
	x.respond(gateLine(found))
}

// gateStatuses maps results of answers to questions to HTTP statuses.
var gateStatuses = map[enforce.ResultCode]int{enforce.NoSuchGate: http.StatusNotFound}

func (g *grants) grant(x *exchange, in *GrantRequest) {
	id := x.r.PathValue("id")
	if found := g.gate(id); found != nil && x.caller.maySee(found.Tenant) {
		if err := ownApproval(found, append(x.caller.names(), in.By)...); err != nil {
			x.refuse(&refusal{http.StatusConflict, whyOwnApproval, err})
			return
		}
		if err := x.caller.comparable(found.PrincipalID); err != nil {
			x.refuse(&refusal{http.StatusForbidden, whyNotComparable, err})
			return
		}
	}
	x.submit(change{command: schema.Command{Kind: schema.CommandGrant, By: x.by(in.By), Reason: in.Reason, TTL: in.Seconds * 1e9,
		Gate: &schema.Gate{ID: id, Uses: in.Uses, Resource: in.Resource}}, success: enforce.ApprovalGranted, statuses: gateStatuses,
		met: g.met(x, id), until: g.until})
}

// Named reasons for refusing an approval.
const (
	whyOwnApproval   = "own_approval"
	whyNotComparable = "names_not_in_token"
)

// ownApproval returns an error if one of the names of whoever approves a call is that of the agent that wants it, or of the principal on
// whose behalf it acts. Anybody may refuse a call.
func ownApproval(g *schema.Gate, names ...string) error {
	for _, n := range names {
		switch {
		case sameName(n, g.PrincipalID):
			return errors.New("the agent acts on behalf of whoever approves this call; another person must approve it")
		case sameName(n, g.AgentID):
			return errors.New("the agent that wants this call cannot approve it; a person must approve it")
		}
	}
	return nil
}

// comparable returns an error unless the identity of a caller has a name of the kind of a principal. Whoever signs in chooses the scopes,
// and can leave out the name by which ownApproval would refuse it. A person on whose behalf the caller acts is compared by its own name.
func (c caller) comparable(principal string) error {
	principal = strings.TrimSpace(principal)
	if c.identity == nil || c.person != "" || principal == "" {
		return nil
	}
	address := strings.Contains(principal, "@")
	for _, n := range c.identity.Known {
		if n != c.identity.Subject && (!address || strings.Contains(n, "@")) {
			return nil
		}
	}
	claims := "preferred_username or email"
	if address {
		claims = "email"
	}
	return fmt.Errorf("whether the agent acts on behalf of you is not known: your token has no %s to compare with the principal; sign in "+
		"again with this claim (add its scope, email or profile, to control.oidc.scopes)", claims)
}

// sameName reports whether two names can be those of one person. Where one has a domain (ana@example.com) and the other none, that is
// not known, and they count as the same.
func sameName(a, b string) bool {
	a, b = strings.ToLower(strings.TrimSpace(a)), strings.ToLower(strings.TrimSpace(b))
	if a == "" || b == "" {
		return false
	}
	nameA, _, hasDomainA := strings.Cut(a, "@")
	nameB, _, hasDomainB := strings.Cut(b, "@")
	return a == b || hasDomainA != hasDomainB && nameA == nameB
}

func (g *grants) refuseGate(x *exchange, in *RefuseRequest) {
	id := x.r.PathValue("id")
	x.submit(change{command: schema.Command{Kind: schema.CommandRefuse, By: x.by(in.By), Reason: in.Reason, Gate: &schema.Gate{ID: id}},
		success: enforce.ApprovalRefused, statuses: gateStatuses, met: g.met(x, id), until: g.until})
}

// met describes the question with an id.
func (g *grants) met(x *exchange, id string) []string {
	if found := g.gate(id); found != nil && x.caller.maySee(found.Tenant) {
		return []string{describeGate(found)}
	}
	return nil
}

// until returns when the answer to a question ends: the grant, or the time before the question is
// asked again.
func (g *grants) until(id string) string {
	if found := g.gate(id); found != nil {
		return timestamp(found.Expires)
	}
	return ""
}
