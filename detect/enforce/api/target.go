package api

import (
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"flyball/schema"
	"flyball/schema/route"
)

// target is whom a breaker by hand is about, as requests will be compared with it.
type target struct {
	scope  schema.Scope
	key    string         // the run's own
	holder *schema.Holder // who acts in the run, where that is known
}

// Named reasons for refusing a target. None of them shows the value: it may be a secret.
const (
	whyRawSecret = "raw_secret"
	whyBadTarget = "malformed_target"
	whyNoTarget  = "unknown_target"
	whyAmbiguous = "ambiguous_target"
)

func noTarget(status int, why, text string, args ...any) *refusal {
	return &refusal{status, why, fmt.Errorf(text, args...)}
}

var errSecret = errors.New("this looks like a secret, not like an id: it was neither written nor kept; flyball credential-id " +
	"--stdin makes the id of a secret")

// resolve finds out what a person means by a target: a run by its id, by at least six
// characters of it or by its own key, and the others by their names. A target that this
// point does not know is refused unless it is forced, and then nothing is looked up. What
// no request could ever be compared with is refused in any case.
func (c *Control) resolve(sc schema.Scope, forced bool) (target, *refusal) {
	switch sc.Kind {
	case schema.ScopeRun:
		return c.resolveRun(sc.Value, forced)
	case schema.ScopeRunRoute:
		run, name, _ := strings.Cut(sc.Value, " ")
		if no := exactRoute(name); no != nil {
			return target{}, no
		}
		t, no := c.resolveRun(run, forced)
		t.scope = schema.Scope{Kind: sc.Kind, Value: t.scope.Value + " " + name}
		return t, no
	case schema.ScopeAddress:
		addr, err := netip.ParseAddr(sc.Value)
		if err != nil || addr.Zone() != "" {
			return target{}, noTarget(http.StatusUnprocessableEntity, whyBadTarget, "scope.value: no IP address as 192.0.2.7 or 2001:db8::7")
		}
		return target{scope: schema.Scope{Kind: sc.Kind, Value: addr.Unmap().String()}}, nil
	case schema.ScopeRoute:
		return target{scope: sc}, exactRoute(sc.Value)
	case schema.ScopeTenant:
		if sc.Value != c.o.Tenant {
			return target{}, noTarget(http.StatusNotFound, whyNoTarget, "scope.value: this point serves the tenant %s", c.o.Tenant)
		}
		return target{scope: sc}, nil
	case schema.ScopeVersion:
		at := strings.LastIndexByte(sc.Value, '@')
		if at <= 0 || at == len(sc.Value)-1 {
			return target{}, noTarget(http.StatusUnprocessableEntity, whyBadTarget, "scope.value: an agent and a version as billing/bot@1.4.2")
		}
		_, no := c.resolveName(schema.Scope{Kind: schema.ScopeAgent, Value: sc.Value[:at]}, forced)
		return target{scope: sc}, no
	}
	return c.resolveName(sc, forced)
}

// resolveName is of agents, credentials and principals.
func (c *Control) resolveName(sc schema.Scope, forced bool) (target, *refusal) {
	t := target{scope: sc}
	switch {
	case c.known(sc):
		return t, nil
	case LooksLikeSecret(sc.Value) || sc.Kind == schema.ScopeCredential && mayBeSecret(sc.Value):
		return target{}, &refusal{http.StatusUnprocessableEntity, whyRawSecret, errSecret}
	case forced:
		return t, clean("scope.value", sc.Value)
	}
	return target{}, noTarget(http.StatusNotFound, whyNoTarget, "scope.value: this point has met no such %s, and neither the "+
		"registry nor a manifest names it; a breaker on it may stop nothing. "+
		"Nothing is looked up with force (--force)", sc.Kind)
}

// known reports whether the point has met a name, or the registry or a manifest names it.
func (c *Control) known(sc schema.Scope) bool {
	if c.identities.met(sc) || c.o.Registered != nil && c.o.Registered(sc) {
		return true
	}
	if sc.Kind != schema.ScopeAgent {
		return false
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.state.Manifests.ForPattern(c.o.Tenant, sc.Value) != nil
}

// mostCandidates of an ambiguous run are listed.
const mostCandidates = 10

func (c *Control) resolveRun(term string, forced bool) (target, *refusal) {
	id, err := schema.ParseRunID(strings.ToLower(term))
	met := c.seen.find(term)
	of := func(r *metRun) target {
		return target{scope: schema.Scope{Kind: schema.ScopeRun, Value: r.id.String()}, key: r.key, holder: &r.who}
	}
	switch {
	case len(met) == 1:
		return of(&met[0]), nil
	case len(met) > 1:
		var list strings.Builder
		for i := range met[:min(len(met), mostCandidates)] {
			r := &met[i]
			fmt.Fprintf(&list, "; %s of %s (%s), first met %s", r.id, nameOr(r.who.AgentID, "an unnamed caller"), r.who.Standing,
				time.Unix(0, r.first).UTC().Format(time.RFC3339))
		}
		return target{}, noTarget(http.StatusConflict, whyAmbiguous, "scope.value: %d runs are meant%s", len(met), list.String())
	case err == nil && forced:
		return target{scope: schema.Scope{Kind: schema.ScopeRun, Value: id.String()}}, nil
	case LooksLikeSecret(term):
		return target{}, &refusal{http.StatusUnprocessableEntity, whyRawSecret, errSecret}
	case forced:
		return target{}, noTarget(http.StatusUnprocessableEntity, whyBadTarget, "scope.value: this point has met no run of that key, "+
			"or whose id begins so, and requests are compared with whole ids: give the whole id")
	}
	return target{}, noTarget(http.StatusNotFound, whyNoTarget, "scope.value: this point has met no such run, by its id, the first "+
		"%d characters of it or its own key; a breaker on it may stop nothing. "+
		"With force (--force) a whole id is taken as it is", leastPrefix)
}

func nameOr(name, none string) string {
	if name == "" {
		return none
	}
	return name
}

// exactRoute is nil for a route as breakers compare it: one method and template, or a tool.
func exactRoute(name string) *refusal {
	if p, err := route.ParsePattern(name); err != nil || strings.Contains(p.String(), "*") || clean("", name) != nil {
		return noTarget(http.StatusUnprocessableEntity, whyBadTarget, "scope.value: a route is one method and a template as routes "+
			"shows it, DELETE /v1/orders/{id}, or tool:NAME; no pattern")
	}
	return nil
}

// clean is nil for a text that can be a name: printable, and of a bounded length.
func clean(member, text string) *refusal {
	if !utf8.ValidString(text) || utf8.RuneCountInString(text) > 1000 || strings.TrimSpace(text) == "" ||
		strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) {
		return noTarget(http.StatusUnprocessableEntity, whyBadTarget, "%s: empty, too long, or with characters that do not print", member)
	}
	return nil
}
