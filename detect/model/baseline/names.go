package baseline

import (
	"strings"

	"flyball/schema"
)

// Humans is the peer group of people.
const Humans = "humans"

// asserted begins the key of an agent whose name the caller only asserted.
const asserted = "~"

// AgentKey is the key under which an agent's runs are learned and looked up. A name that
// the caller only asserted has a key of its own: it teaches nothing to the agent whose
// name is established, and is not compared with it.
func AgentKey(agent string, trust schema.Trust) string {
	if trust < schema.TrustInfrastructure && agent != "" {
		return asserted + agent
	}
	return agent
}

// PeerGroup is the group that an agent is compared with: people with people, and agents
// with those whose ids share what comes before the first slash.
func PeerGroup(agent string, kind schema.CallerKind) string {
	if kind == schema.CallerHuman {
		return Humans
	}
	group, _, _ := strings.Cut(agent, "/")
	return group
}

// AgentGroup is the peer group under which an agent's key was counted.
func (b *Baseline) AgentGroup(key string) string {
	if s, ok := b.Status[key]; ok {
		return s.Group
	}
	return PeerGroup(strings.TrimPrefix(key, asserted), schema.CallerUnknown)
}
