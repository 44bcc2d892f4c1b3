package baseline

import (
	"strings"

	"flyball/schema"
)

// Humans is the peer group of people.
const Humans = "humans"

// asserted is the first character of the key of an agent whose name the caller only claims.
const asserted = "~"

// AgentKey returns the key under which an agent's runs are learned and looked up. A name that
// the caller only claims has a separate key, so that its runs do not change the baseline of the agent with
// the established name, and are not compared with it.
func AgentKey(agent string, trust schema.Trust) string {
	if trust < schema.TrustInfrastructure && agent != "" {
		return asserted + agent
	}
	return agent
}

// IsAsserted reports whether a key is of an agent whose name the caller only claims.
func IsAsserted(key string) bool { return strings.HasPrefix(key, asserted) }

// PeerGroup returns the group with which an agent is compared: Humans for people, else
// the part of the agent's id before the first slash.
func PeerGroup(agent string, kind schema.CallerKind) string {
	if kind == schema.CallerHuman {
		return Humans
	}
	group, _, _ := strings.Cut(agent, "/")
	return group
}

// AgentGroup returns the peer group under which an agent's key was counted.
func (b *Baseline) AgentGroup(key string) string {
	if s, ok := b.Status[key]; ok {
		return s.Group
	}
	return PeerGroup(strings.TrimPrefix(key, asserted), schema.CallerUnknown)
}
