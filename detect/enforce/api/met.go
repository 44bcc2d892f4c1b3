package api

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"flyball/detect/enforce/arming"
	"flyball/detect/enforce/sightings"
	"flyball/schema"
	"flyball/schema/wording"
)

// This file describes, as sentences for a person, what a change meets: the state that it finds
// before it is applied.

// metBreaker describes the breaker of a scope.
func (b *breakers) metBreaker(tenant string, sc schema.Scope) []string {
	v := b.o.State.Acquire()
	defer v.Release()
	for _, have := range v.Breakers.Breakers() {
		if have.Tenant == tenant && have.Scope == sc {
			return []string{describeBreaker(have)}
		}
	}
	return []string{"no breaker was open on it"}
}

// maxMetRuns is how many runs of a target are named.
const maxMetRuns = 3

// metRuns describes the runs of a target of a trip that this point has met. It returns none of a
// scope that does not name a caller.
func (b *breakers) metRuns(sc schema.Scope) []string {
	var runs []sightings.Sighting
	switch sc.Kind {
	case schema.ScopeRun, schema.ScopeRunRoute:
		id, _, _ := strings.Cut(sc.Value, " ")
		runs = b.o.Runs.Find(id)
	case schema.ScopeAgent, schema.ScopeCredential:
		runs = b.o.Runs.OfCaller(sc)
	default:
		return nil
	}
	var passed schema.Exposure
	names := []string{}
	for i := range runs {
		passed.Calls += runs[i].Allowed.Calls
		passed.Irreversible += runs[i].Allowed.Irreversible
		if len(names) < maxMetRuns {
			names = append(names, cmp.Or(runs[i].Key, runs[i].ID.String()))
		}
	}
	word := "runs"
	switch len(runs) {
	case 0:
		return []string{"this point has met no run of it"}
	case 1:
		word = "run"
	}
	return []string{fmt.Sprintf("this point has met %d %s of it (the latest: %s), and let %d calls pass, %d of them irreversible",
		len(runs), word, strings.Join(names, ", "), passed.Calls, passed.Irreversible)}
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
	switch {
	case b.Origin == "detector":
		return "the detector"
	case b.By != "":
		return b.By
	}
	return "a person"
}

// metBypass describes the bypass of the tenant (agent "") or of an agent.
func (b *breakers) metBypass(tenant, agent string) []string {
	v := b.o.State.Acquire()
	defer v.Release()
	for _, have := range v.Breakers.Bypasses(tenant, v.Position.Time) {
		if have.Agent == agent {
			return []string{fmt.Sprintf("there was a bypass by %s until %s: %s", have.By, timestamp(have.Until), have.Reason)}
		}
	}
	return []string{"no bypass was in force"}
}

// metOrders describes the command about a pattern that is in force.
func (a *armings) metOrders(tenant, pattern string) []string {
	v := a.o.State.Acquire()
	orders := v.Arming.Orders(tenant)
	v.Release()
	i := slices.IndexFunc(orders, func(o arming.Order) bool { return o.Pattern == pattern })
	if i < 0 {
		return []string{"no command was in force about this pattern"}
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

// metManifest describes the manifest of exactly this agent or pattern.
func (m *manifests) metManifest(agent string) []string {
	v := m.o.State.Acquire()
	defer v.Release()
	for _, have := range v.Manifests.List(m.o.Tenant) {
		if have.Agent == agent {
			return []string{fmt.Sprintf("version %d by %s was in force since %s", have.Version, have.By, timestamp(have.At))}
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
