package api

import (
	"fmt"
	"slices"
	"strings"

	"flyball/detect/enforce/arming"
	"flyball/schema"
	"flyball/schema/wording"
)

// This file describes, as sentences for a person, what a change meets: the state that it finds
// before it is applied.

// metBreaker describes the breaker of a scope, or returns none if it is closed.
func (s *server) metBreaker(tenant string, sc schema.Scope) []string {
	v := s.o.State.Acquire()
	defer v.Release()
	for _, b := range v.Breakers.Breakers() {
		if b.Tenant == tenant && b.Scope == sc {
			return []string{describeBreaker(b)}
		}
	}
	return nil
}

func describeBreaker(b *schema.Breaker) string {
	until := "until a reset"
	if b.Expires > 0 {
		until = "until " + timestamp(b.Expires)
	}
	text := fmt.Sprintf("it was %s since %s, %s, opened by %s", strings.ReplaceAll(b.State.String(), "_", " "), timestamp(b.Since), until,
		openedBy(b))
	if b.Mode != schema.ModeArmed {
		text += " and only recorded"
	}
	if b.Reason != "" {
		text += ": " + b.Reason
	}
	return text
}

func openedBy(b *schema.Breaker) string {
	if b.Origin == "detector" {
		return "the detector"
	}
	return "a person"
}

// metBypass describes the bypass of the tenant (agent "") or of an agent; none if there is none.
func (s *server) metBypass(tenant, agent string) []string {
	v := s.o.State.Acquire()
	defer v.Release()
	for _, b := range v.Breakers.Bypasses(tenant, v.Position.Time) {
		if b.Agent == agent {
			return []string{fmt.Sprintf("there was a bypass by %s until %s: %s", b.By, timestamp(b.Until), b.Reason)}
		}
	}
	return nil
}

// metOrders describes the command about a pattern that is in force; none if there is none.
func (s *server) metOrders(tenant, pattern string) []string {
	v := s.o.State.Acquire()
	orders := v.Arming.Orders(tenant)
	v.Release()
	i := slices.IndexFunc(orders, func(o arming.Order) bool { return o.Pattern == pattern })
	if i < 0 {
		return nil
	}
	l := armingLine(&orders[i])
	return []string{fmt.Sprintf("a command had %s it, by %s at %s: %s", l.State, l.By, l.Since, l.Reason)}
}

// describeGate says who wants to call what, about whom and how much.
func describeGate(g *schema.Gate) string {
	who := g.AgentID
	if who == "" {
		who = "a caller without a name"
	}
	text := who + " wants " + g.Call()
	if about := g.About(); about != "" {
		text += " about " + about
	}
	if g.Amount != "" {
		text += strings.TrimRight(", "+g.Amount+" "+g.Currency, " ")
	}
	if g.PrincipalID != "" {
		text += ", on behalf of " + g.PrincipalID
	}
	return text + "; held because " + wording.Reason(g.Why)
}

// describeTask says whose task it is and what it may write.
func describeTask(t *schema.Task) string {
	text := fmt.Sprintf("run %s of %s", t.RunKey, t.AgentID)
	if t.Type != "" {
		text += ", task type " + t.Type
	}
	if len(t.Targets) > 0 {
		text += ", may write " + strings.Join(t.Targets, ", ")
	} else {
		text += ", may write what its manifest allows"
	}
	return text + ", declared by " + t.By + ", until " + timestamp(t.Expires)
}

// metManifest describes the manifest of exactly this agent or pattern; none if there is none.
func (s *server) metManifest(agent string) []string {
	v := s.o.State.Acquire()
	defer v.Release()
	for _, m := range v.Manifests.List(s.o.Tenant) {
		if m.Agent == agent {
			return []string{fmt.Sprintf("version %d by %s was in force since %s", m.Version, m.By, timestamp(m.At))}
		}
	}
	return []string{"no manifest was in force for it"}
}

// metException describes an exception.
func metException(l *ExceptionLine) []string {
	routes := "any route"
	if len(l.Routes) > 0 {
		routes = strings.Join(l.Routes, ", ")
	}
	return []string{fmt.Sprintf("%s of %s on %s, by %s until %s, has covered %d trips: %s", l.Family, l.Agent, routes, l.By, l.Expires,
		l.Trips, l.Reason)}
}
