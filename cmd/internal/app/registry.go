package app

import (
	"cmp"
	"slices"
	"sync/atomic"

	"flyball/cmd/internal/config"
	"flyball/detect/policy"
	"flyball/schema"
	"flyball/schema/identity"
)

// registry holds the current agents section of the configuration file. The roles of a process
// share one; it is safe for concurrent use after they have started.
type registry struct {
	agents      atomic.Pointer[map[string]config.Agent]
	credentials atomic.Pointer[map[string]bool]
	resolvers   []*identity.Resolver // updated with every change
	arming      policy.Arming
}

func newRegistry(c config.Config) *registry {
	r := &registry{arming: PolicyRules(c).Arming}
	r.put(c.Agents)
	return r
}

// update registers a resolver that gets the entries with every change. It is called while the roles start.
func (r *registry) update(id *identity.Resolver) { r.resolvers = append(r.resolvers, id) }

// put replaces all entries. An agent can have several entries, one for each credential: their
// tags are combined, and the last criticality that is set applies.
func (r *registry) put(entries []config.Agent) {
	agents, credentials := make(map[string]config.Agent, len(entries)), map[string]bool{}
	for _, a := range entries {
		for _, id := range []string{a.Credential, a.SPIFFE, a.Consumer} {
			credentials[id] = id != ""
		}
		before := agents[a.ID]
		a.Tags = append(slices.Clip(before.Tags), a.Tags...)
		a.Criticality = cmp.Or(a.Criticality, before.Criticality)
		agents[a.ID] = a
	}
	r.agents.Store(&agents)
	r.credentials.Store(&credentials)
	for _, id := range r.resolvers {
		id.Register(identityEntries(entries))
	}
}

// agent returns the entry of an agent, or the zero value if there is none.
func (r *registry) agent(name string) config.Agent { return (*r.agents.Load())[name] }

// about returns the tags and the criticality of an agent, for policy.
func (r *registry) about(agent string) (tags []string, criticality string) {
	a := r.agent(agent)
	return a.Tags, a.Criticality
}

// tags returns the tags of an agent.
func (r *registry) tags(agent string) []string { return r.agent(agent).Tags }

// registered reports whether the registry contains an agent or a credential.
func (r *registry) registered(s schema.Scope) bool {
	switch s.Kind {
	case schema.ScopeAgent:
		_, ok := (*r.agents.Load())[s.Value]
		return ok
	case schema.ScopeCredential:
		return (*r.credentials.Load())[s.Value]
	}
	return false
}

// armed reports whether the configuration enforces findings of a family for an agent.
func (r *registry) armed(agent, family string) bool {
	return r.arming.Enforces(agent, r.tags(agent), family)
}

func identityEntries(agents []config.Agent) []identity.Entry {
	var out []identity.Entry
	for _, a := range agents {
		out = append(out, identity.Entry{Agent: a.ID, Credential: a.Credential, SPIFFE: a.SPIFFE, Consumer: a.Consumer,
			Owner: a.Owner, Tags: a.Tags})
	}
	return out
}

// AgentLookup returns a function that returns an agent's tags and criticality from a
// configuration. It is for commands.
func AgentLookup(c config.Config) func(agent string) (tags []string, criticality string) {
	return newRegistry(c).about
}
