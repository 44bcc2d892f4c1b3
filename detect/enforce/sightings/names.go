package sightings

import (
	"strings"
	"sync"

	"flyball/schema"
)

// Names holds the agents, credentials and principals of requests. Names that the infrastructure
// vouches for, and credentials that the API has accepted, are kept separately from claimed
// credentials. When a set is full, the name that was added first is removed.
type Names struct {
	established, claimed nameSet
}

// nameSet is a set of a bounded size, with a ring of the order of additions.
type nameSet struct {
	mu    sync.RWMutex
	names map[schema.Scope]bool
	order []schema.Scope
	next  int // index in order of the name that is removed next
}

// maxNames is the size of each of the two sets.
const maxNames = 20_000

// NewNames returns an empty memory.
func NewNames() *Names {
	return &Names{established: nameSet{names: map[schema.Scope]bool{}}, claimed: nameSet{names: map[schema.Scope]bool{}}}
}

// Add adds the caller of a call. Agents and principals whose name is only claimed are left out: no
// breaker can be on them.
func (n *Names) Add(c *schema.Call, standing schema.Standing) {
	if c.AgentID != "" && c.AgentTrust >= schema.TrustInfrastructure {
		n.established.add(schema.Scope{Kind: schema.ScopeAgent, Value: c.AgentID})
	}
	if c.PrincipalID != "" && c.PrincipalTrust >= schema.TrustInfrastructure {
		n.established.add(schema.Scope{Kind: schema.ScopePrincipal, Value: c.PrincipalID})
	}
	if c.CredentialID == "" {
		return
	}
	credential := schema.Scope{Kind: schema.ScopeCredential, Value: c.CredentialID}
	if c.CredentialTrust >= schema.TrustInfrastructure || standing >= schema.StandingProven {
		n.established.add(credential)
	} else {
		n.claimed.add(credential)
	}
}

// Has reports whether a name was seen.
func (n *Names) Has(s schema.Scope) bool { return n.established.has(s) || n.claimed.has(s) }

func (n *nameSet) has(s schema.Scope) bool {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return n.names[s]
}

func (n *nameSet) add(s schema.Scope) {
	if n.has(s) {
		return
	}
	s.Value = strings.Clone(s.Value) // it aliases the request's buffers
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.names[s] {
		return
	}
	if len(n.order) < maxNames {
		n.order = append(n.order, s)
	} else {
		delete(n.names, n.order[n.next])
		n.order[n.next] = s
		n.next = (n.next + 1) % maxNames
	}
	n.names[s] = true
}
