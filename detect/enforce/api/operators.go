package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"

	"golang.org/x/time/rate"

	"flyball/detect/enforce/operator"
	"flyball/schema"
)

// OIDC identifies operators by tokens of an OpenID Connect issuer, beside Options.Tokens.
type OIDC struct {
	Issuer *operator.Issuer
	Roles  map[string]Role // by group
	// Delegates are groups whose members may name the person for whom they make a request; see HeaderOnBehalfOf.
	Delegates []string
	Tenants   []string // as Token.Tenants
	// TenantsClaim is set if tokens name the tenants of their holder; a token that names none is refused.
	TenantsClaim string
	// SignIn signs people in at pages; nil: the link of a page is enough.
	SignIn *operator.SignIn
}

// Named reasons for refusing an identity that the issuer vouches for.
const (
	whyNoGroup  = "oidc_no_role"
	whyNoTenant = "oidc_no_tenant"
)

// ranks are the roles that a group can give, that with the most rights first. Of a person in several groups the first counts.
var ranks = []Role{Admin, Responder, Viewer, Orchestrator}

// roleOf returns the role that groups give; empty: none.
func roleOf(groups []string, roles map[string]Role) Role {
	for _, r := range ranks {
		if slices.ContainsFunc(groups, func(g string) bool { return roles[g] == r }) {
			return r
		}
	}
	return ""
}

// up is the value of the metric flyball_control_issuer_up.
func (o *OIDC) up() float64 {
	if s := o.Issuer.State(); s.Problem != "" || s.Answered.IsZero() {
		return 0
	}
	return 1
}

// admit returns the caller that an identity is.
func (o *OIDC) admit(id *operator.Identity, tenant string) (caller, *refusal) {
	role := roleOf(id.Groups, o.Roles)
	if role == "" {
		return caller{}, refused(http.StatusForbidden, whyNoGroup, "%s has no role here: %s; an administrator of the issuer adds a group that "+
			"control.oidc.roles names, or one of Flyball adds the group there", id, nameGroups(id.Groups))
	}
	tenants := o.Tenants
	if o.TenantsClaim != "" {
		own := slices.DeleteFunc(slices.Clone(id.Tenants), func(t string) bool { return len(o.Tenants) > 0 && !slices.Contains(o.Tenants, t) })
		if len(own) == 0 {
			return caller{}, refused(http.StatusForbidden, whyNoTenant,
				"%s has no tenant here: the claim %s of the token (control.oidc.tenants_claim) "+
					"names none, or none of control.oidc.tenants", id, o.TenantsClaim)
		}
		tenants = own
	}
	if len(tenants) > 0 && !slices.Contains(tenants, tenant) {
		return caller{}, refused(http.StatusForbidden, "tenant", "%s is not of tenant %s", id, tenant)
	}
	return caller{name: id.String(), identity: id, role: role, tenant: tenant, tenants: tenants,
		delegate: slices.ContainsFunc(id.Groups, func(g string) bool { return slices.Contains(o.Delegates, g) })}, nil
}

const (
	maxNamedGroups = 5
	maxGroupName   = 64 // bytes
)

// nameGroups names the groups of somebody without a role. What may be a secret is not shown.
func nameGroups(groups []string) string {
	if len(groups) == 0 {
		return "the token names no group (control.oidc.groups_claim)"
	}
	text := "control.oidc.roles has none of the groups of the token:"
	for i, g := range groups[:min(len(groups), maxNamedGroups)] {
		if i > 0 {
			text += ","
		}
		g = schema.Visible(g)
		switch {
		case MayBeSecret(g):
			g = "(not shown, it may be a secret)"
		case len(g) > maxGroupName:
			g = g[:maxGroupName] + "…"
		}
		text += " " + g
	}
	if len(groups) > maxNamedGroups {
		text += " and others"
	}
	return text
}

// refusedIdentity returns the refusal of a token or a sign-in. An issuer that is away is no fault of the client's.
func refusedIdentity(err error) *refusal {
	var r *operator.Refusal
	switch {
	case !errors.As(err, &r):
		return refused(http.StatusInternalServerError, "oidc_failed", "the sign-in could not be completed")
	case r.Reason == operator.TooMany:
		return &refusal{http.StatusTooManyRequests, string(r.Reason), err}
	case r.Reason == operator.Away:
		return &refusal{http.StatusServiceUnavailable, string(r.Reason), err}
	}
	return &refusal{http.StatusUnauthorized, string(r.Reason), err}
}

// people bounds the requests of each identity.
type people struct {
	mu     sync.Mutex
	limits map[string]*rate.Limiter
}

// maxPeople is how many identities have a limit of their own at a time. The issuer vouches for them: nobody can invent one.
const maxPeople = 10_000

func (p *people) allow(id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := p.limits[id]
	if l == nil {
		if p.limits == nil || len(p.limits) >= maxPeople {
			p.limits = map[string]*rate.Limiter{}
		}
		l = rate.NewLimiter(tokenRate, tokenBurst)
		p.limits[id] = l
	}
	return l.Allow()
}

// byIssuer returns the caller whose token the issuer has signed.
func (a *authenticator) byIssuer(ctx context.Context, token string) (caller, *refusal) {
	id, err := a.oidc.Issuer.Verify(ctx, token)
	if err != nil {
		return caller{}, a.refusedToken(refusedIdentity(err))
	}
	if !a.people.allow(id.ID()) {
		return caller{}, refused(http.StatusTooManyRequests, "rate_limit", "%s: more than %d requests a second", id.ID(), tokenRate)
	}
	return a.oidc.admit(&id, a.tenant)
}

// refusedToken bounds how many tokens may be refused in a second.
func (a *authenticator) refusedToken(r *refusal) *refusal {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.unknown.Allow() {
		return refused(http.StatusTooManyRequests, "too_many_unknown_tokens", "too many requests without a known token")
	}
	return r
}

// who names a caller in refusals.
func (c caller) who() string {
	if c.identity != nil || c.name == "" {
		return cmp.Or(c.name, "operator")
	}
	return "token " + c.name
}

// names are all names under which the caller may be the principal of an agent.
func (c caller) names() []string {
	out := []string{c.person, c.name}
	if c.identity != nil {
		out = append(append(out, c.identity.ID()), c.identity.Known...)
	}
	return out
}

// IssuerLine is what a client needs for a sign-in at the issuer.
type IssuerLine struct {
	Issuer   string   `json:"issuer"`
	ClientID string   `json:"client_id"` // of flyball login
	Scopes   []string `json:"scopes"`
}

// operators holds the operation by which a client learns where people sign in.
type operators struct{ *server }

func (o *operators) operations() []operation {
	if o.o.OIDC == nil {
		return nil
	}
	i := o.o.OIDC.Issuer
	return []operation{{method: http.MethodGet, path: "/v1/issuer", id: "issuer", anybody: true, answer: IssuerLine{},
		summary: "Where operators sign in; nobody needs a token for this",
		serve:   func(x *exchange) { x.respond(IssuerLine{i.URL(), i.CLIClientID(), i.Scopes()}) }}}
}
