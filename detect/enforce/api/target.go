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

	"flyball/detect/enforce/sightings"
	"flyball/schema"
	"flyball/schema/route"
)

// target is the scope of a command, in the form that requests are compared with.
type target struct {
	scope  schema.Scope
	key    string         // the run's own key
	holder *schema.Holder // who acts in the run, if that is known
}

// Named reasons for refusing a target. The error texts never contain the value, because it may be a
// secret.
const (
	whyRawSecret = "raw_secret"
	whyBadTarget = "malformed_target"
	whyNoTarget  = "unknown_target"
	whyAmbiguous = "ambiguous_target"
)

func badTarget(text string, args ...any) *refusal {
	return refused(http.StatusUnprocessableEntity, whyBadTarget, text, args...)
}

var errSecret = errors.New("this looks like a secret, not like an id: it was neither written nor kept; flyball credential-id " +
	"--stdin makes the id of a secret")

func refuseSecret() *refusal {
	return &refusal{http.StatusUnprocessableEntity, whyRawSecret, errSecret}
}

// targets resolves the target that a person names.
type targets struct{ *server }

// resolve finds the target of a command: a run by its id, by at least six characters of it or by
// its own key, and other targets by their names. A target that this point has not seen is refused
// unless forced is set; then it is not looked up. A value that can never match a request is refused
// in any case.
func (t *targets) resolve(sc schema.Scope, forced bool) (target, *refusal) {
	switch sc.Kind {
	case schema.ScopeRun:
		return t.resolveRun(sc.Value, forced)
	case schema.ScopeRunRoute:
		run, name, _ := strings.Cut(sc.Value, " ")
		if rejected := checkRoute(name); rejected != nil {
			return target{}, rejected
		}
		found, rejected := t.resolveRun(run, forced)
		found.scope = schema.Scope{Kind: sc.Kind, Value: found.scope.Value + " " + name}
		return found, rejected
	case schema.ScopeAddress:
		addr, err := netip.ParseAddr(sc.Value)
		if err != nil || addr.Zone() != "" {
			return target{}, badTarget("scope.value: no IP address as 192.0.2.7 or 2001:db8::7")
		}
		return target{scope: schema.Scope{Kind: sc.Kind, Value: addr.Unmap().String()}}, nil
	case schema.ScopeRoute:
		return target{scope: sc}, checkRoute(sc.Value)
	case schema.ScopeTenant:
		if sc.Value != t.o.Tenant {
			return target{}, refused(http.StatusNotFound, whyNoTarget, "scope.value: this point serves the tenant %s", t.o.Tenant)
		}
		return target{scope: sc}, nil
	case schema.ScopeVersion:
		at := strings.LastIndexByte(sc.Value, '@')
		if at <= 0 || at == len(sc.Value)-1 {
			return target{}, badTarget("scope.value: an agent and a version as billing/bot@1.4.2")
		}
		_, rejected := t.resolveName(schema.Scope{Kind: schema.ScopeAgent, Value: sc.Value[:at]}, forced)
		return target{scope: sc}, rejected
	}
	return t.resolveName(sc, forced)
}

// resolveName does the work of resolve for agents, credentials and principals.
func (t *targets) resolveName(sc schema.Scope, forced bool) (target, *refusal) {
	found := target{scope: sc}
	switch {
	case t.isKnown(sc):
		return found, nil
	case LooksLikeSecret(sc.Value) || sc.Kind == schema.ScopeCredential && MayBeSecret(sc.Value):
		return target{}, refuseSecret()
	case forced:
		return found, checkName("scope.value", sc.Value)
	}
	return target{}, refused(http.StatusNotFound, whyNoTarget, "scope.value: this point has met no such %s, and neither the "+
		"registry nor a manifest names it; a breaker on it may stop nothing. "+
		"Nothing is looked up with force (--force)", sc.Kind)
}

// isKnown reports whether requests at this point contained a name, or the registry or a manifest
// contains it.
func (t *targets) isKnown(sc schema.Scope) bool {
	if t.o.Names.Has(sc) || t.o.Registered != nil && t.o.Registered(sc) {
		return true
	}
	if sc.Kind != schema.ScopeAgent {
		return false
	}
	v := t.o.State.Acquire()
	defer v.Release()
	return v.Manifests.ForPattern(t.o.Tenant, sc.Value) != nil
}

// maxCandidates is how many runs of an ambiguous key are listed.
const maxCandidates = 10

func (t *targets) resolveRun(term string, forced bool) (target, *refusal) {
	id, err := schema.ParseRunID(strings.ToLower(term))
	found := t.o.Runs.Find(term)
	switch {
	case len(found) == 1:
		r := &found[0]
		return target{scope: schema.Scope{Kind: schema.ScopeRun, Value: r.ID.String()}, key: r.Key, holder: &r.Caller}, nil
	case len(found) > 1:
		return target{}, ambiguousRun(found)
	case err == nil && forced:
		return target{scope: schema.Scope{Kind: schema.ScopeRun, Value: id.String()}}, nil
	case LooksLikeSecret(term):
		return target{}, refuseSecret()
	case forced:
		return target{}, badTarget("scope.value: this point has met no run of that key, " +
			"or whose id begins so, and requests are compared with whole ids: give the whole id")
	}
	return target{}, refused(http.StatusNotFound, whyNoTarget, "scope.value: this point has met no such run, by its id, the first "+
		"%d characters of it or its own key; a breaker on it may stop nothing. "+
		"With force (--force) a whole id is taken as it is", schema.MinIDPrefix)
}

func ambiguousRun(found []sightings.Sighting) *refusal {
	var list strings.Builder
	for i := range found[:min(len(found), maxCandidates)] {
		r := &found[i]
		name := r.Caller.AgentID
		if name == "" {
			name = "an unnamed caller"
		}
		fmt.Fprintf(&list, "; %s of %s (%s), first met %s", r.ID, name, r.Caller.Standing, time.Unix(0, r.First).UTC().Format(time.RFC3339))
	}
	return refused(http.StatusConflict, whyAmbiguous, "scope.value: %d runs are meant%s", len(found), list.String())
}

// checkRoute returns a refusal unless the name is a route in the form that breakers use: one method
// and template, or a tool.
func checkRoute(name string) *refusal {
	if hasSecret(name) {
		return refuseSecret()
	}
	if p, err := route.ParsePattern(name); err != nil || strings.Contains(p.String(), "*") || checkName("", name) != nil {
		return badTarget("scope.value: a route is one method and a template as routes " +
			"shows it, DELETE /v1/orders/{id}, or tool:NAME; no pattern")
	}
	return nil
}

// maxPathID is the maximum length of an id in a path, in bytes.
const maxPathID = 256

// checkPathID returns a refusal unless a text can be the id of something: what is in a path goes into the log of commands and into
// answers as what is in a body does, which the document describes.
func checkPathID(id string) *refusal {
	switch {
	case LooksLikeSecret(id):
		return &refusal{http.StatusNotFound, whyRawSecret, errSecret}
	case len(id) > maxPathID || checkName("", id) != nil:
		return refused(http.StatusNotFound, whyBadTarget, "the id in the path is empty, has more than %d bytes, or characters that do not print",
			maxPathID)
	}
	return nil
}

// maxNameLength is the maximum length of a name in characters.
const maxNameLength = 1000

// checkName returns a refusal unless a text can be a name: printable, and not too long.
func checkName(member, text string) *refusal {
	if !utf8.ValidString(text) || utf8.RuneCountInString(text) > maxNameLength || strings.TrimSpace(text) == "" ||
		strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) {
		return badTarget("%s: empty, too long, or with characters that do not print", member)
	}
	return nil
}
