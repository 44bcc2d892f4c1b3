package plugin

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"flyball/schema/clickhouse/query"
)

// owners are the manifests in force, which name the owners of agents.
type owners []manifest

// manifest is what the control API answers about a manifest. Agent is a name or a pattern.
type manifest struct {
	Tenant, Agent, Owner string
	Version              uint64
}

// find returns the manifest of an agent of a tenant (empty: any): the one for its name, else the one with the longest pattern that
// matches; nil: there is none.
func (o owners) find(tenant, agent string) (found *manifest) {
	for i := range o {
		m := &o[i]
		if tenant != "" && m.Tenant != tenant {
			continue
		}
		if m.Agent == agent {
			return m
		}
		if ok, _ := path.Match(m.Agent, agent); ok && (found == nil || len(m.Agent) > len(found.Agent)) {
			found = m
		}
	}
	return found
}

// of returns the owner of an agent; empty: there is none.
func (o owners) of(tenant, agent string) string {
	if m := o.find(tenant, agent); m != nil {
		return m.Owner
	}
	return ""
}

// named returns the manifest of an agent with its version; empty: there is none.
func (o owners) named(tenant, agent string) string {
	if m := o.find(tenant, agent); m != nil {
		return fmt.Sprintf("%s, version %d", m.Agent, m.Version)
	}
	return ""
}

// names returns the owners of a tenant (empty: any) that begin with a prefix, in the order of the alphabet.
func (o owners) names(tenant, prefix string) []query.Choice {
	out := []query.Choice{}
	for _, m := range o {
		if m.Owner != "" && strings.HasPrefix(m.Owner, prefix) && (tenant == "" || m.Tenant == tenant) {
			out = append(out, query.Choice{Text: m.Owner, Value: m.Owner})
		}
	}
	slices.SortFunc(out, func(a, b query.Choice) int { return strings.Compare(a.Value, b.Value) })
	return slices.Compact(out)
}

// ownersFor and unknownFor are how long the owners, or that they are not known, hold: every table of agents asks for them, and the answer
// has the text of every manifest.
const (
	ownersFor  = 30 * time.Second
	unknownFor = 5 * time.Second
)

// knownOwners is the last answer of the control API about owners.
type knownOwners struct {
	mu     sync.Mutex
	owners owners
	err    error
	until  time.Time
}

// ownersNow returns the owners of agents; errNoControl: the settings name no control API.
func ownersNow(ctx context.Context, q *question) (owners, error) {
	if q.control == nil {
		return nil, errNoControl
	}
	k := &q.control.known
	k.mu.Lock()
	defer k.mu.Unlock()
	if q.now.Before(k.until) {
		return k.owners, k.err
	}
	got, err := live[owners](ctx, q, "/v1/manifests")
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	k.owners, k.err, k.until = got, err, q.now.Add(ownersFor)
	if err != nil {
		k.until = q.now.Add(unknownFor)
	}
	return got, err
}

// ownedAgents returns the agents whose owners a filter selects, as conditions on their names.
func ownedAgents(ctx context.Context, q *question, of query.Names) (query.Names, error) {
	all, err := ownersNow(ctx, q)
	if err != nil {
		return nil, err
	}
	agents, err := query.CallingAgents(ctx, q.db, q.window())
	if err != nil {
		return nil, err
	}
	if len(agents) > query.MaxAgents {
		return nil, fmt.Errorf("more than %d agents called in this time range, and whose they are is not looked up: choose a shorter one, or "+
			"agents by name", query.MaxAgents)
	}
	owned := slices.DeleteFunc(agents, func(agent string) bool { return !of.Fit(all.of(q.Tenant, agent)) })
	return query.Names{{Any: append([]string{}, owned...)}}, nil
}
