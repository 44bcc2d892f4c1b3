package breaker

import (
	"slices"
	"strings"

	"flyball/schema"
)

// agentTrust is the trust in the name of the agent that a breaker holds.
type agentTrust int

const (
	agentUnknown     agentTrust = iota // the record's version did not store it
	agentClaimed                       // only the caller asserts the name, or there is none
	agentEstablished                   // a gateway, a token or the registry vouches for the name
)

// holder is the caller in the run that a breaker is on.
type holder struct {
	credential, agent string
	route             routeKey
	trust             agentTrust
}

// holderOf returns the holder of a breaker on a run, or on a run's route. A trip of a credential,
// which represents a run without an id, also has a holder if an established agent acted: that agent
// may have other credentials. ok is false for a credential on which a person opened a breaker, and
// for other scopes.
func holderOf(b *schema.Breaker) (h holder, ok bool) {
	switch b.Scope.Kind {
	case schema.ScopeRun:
	case schema.ScopeRunRoute:
		h.route = runRouteOf(b).route
	case schema.ScopeCredential:
		if b.DecisionID == "" || b.Holder == nil {
			return h, false
		}
	default:
		return h, false
	}
	h.credential, h.agent = b.CredentialID, b.AgentID
	if b.Holder != nil {
		h.credential, h.agent, h.trust = b.Holder.CredentialID, b.Holder.AgentID, agentClaimed
		if established(h.agent, b.Holder.AgentTrust) != "" {
			h.trust = agentEstablished
		}
	}
	if b.Scope.Kind == schema.ScopeCredential {
		h.credential = ""
	}
	return h, h.credential != "" || h.trust == agentEstablished
}

func heldSince(b *schema.Breaker) int64 {
	if b.HeldSince != 0 {
		return b.HeldSince
	}
	return b.Since
}

// heldBy is the property by which a request belongs to the holder of a run.
type heldBy byte

const (
	byCredential heldBy = iota // whichever agent acted with it
	// byFreeCredential: no established agent acted with the credential, so that requests of
	// established agents are held, too.
	byFreeCredential
	// byPair: credential and agent, for a record without a holder.
	byPair
	byAgent // established
)

type holderKey struct {
	tenant string
	by     heldBy
	id     string
	route  routeKey // for a breaker on a run's route; empty for one on a run
}

func pair(credential, agent string) string { return credential + "\x00" + agent }

// holderKeys returns the keys of State.held under which a breaker is found.
func holderKeys(b *schema.Breaker) []holderKey {
	h, ok := holderOf(b)
	if !ok {
		return nil
	}
	var out []holderKey
	add := func(by heldBy, id string) { out = append(out, holderKey{b.Tenant, by, id, h.route}) }
	if h.credential != "" {
		add(byCredential, h.credential)
		switch h.trust {
		case agentClaimed:
			add(byFreeCredential, h.credential)
		case agentUnknown:
			add(byPair, pair(h.credential, h.agent))
		}
	}
	if h.trust == agentEstablished {
		add(byAgent, h.agent)
	}
	return out
}

// rank returns a number that orders breakers by severity: forced open is above every action.
func rank(b *schema.Breaker) int {
	if b.State == schema.BreakerForcedOpen {
		return ranks - 1
	}
	return int(b.Action)
}

const ranks = int(schema.ActionDeny) + 2

// heldRuns holds the breakers of one holder by rank, each list in the order of opening: a run that
// began before the first breaker of a list began before all of them. Only maxBreakers bounds the
// number, so that no run of a holder is left out.
type heldRuns [ranks][]*schema.Breaker

func earlier(a, b *schema.Breaker) int {
	switch x, y := heldSince(a), heldSince(b); {
	case x != y:
		return int(max(min(x-y, 1), -1))
	}
	return strings.Compare(a.Scope.Value, b.Scope.Value)
}

// addHeld adds a breaker to the breakers of its holder.
func (s *index) addHeld(b *schema.Breaker) {
	for _, k := range holderKeys(b) {
		l := s.held[k]
		if l == nil {
			l = &heldRuns{}
			s.held[k] = l
		}
		list := &l[rank(b)]
		i, _ := slices.BinarySearchFunc(*list, b, earlier)
		*list = slices.Insert(*list, i, b)
	}
}

func (s *index) removeHeld(b *schema.Breaker) {
	for _, k := range holderKeys(b) {
		l := s.held[k]
		if l == nil {
			continue
		}
		list := &l[rank(b)]
		if i, found := slices.BinarySearchFunc(*list, b, earlier); found {
			*list = slices.Delete(*list, i, i+1)
		}
		if l.empty() {
			delete(s.held, k)
		}
	}
}

func (l *heldRuns) empty() bool {
	for i := range l {
		if len(l[i]) > 0 {
			return false
		}
	}
	return true
}

// ofOtherRuns returns the most severe breaker on another run that also applies to a request: the
// request's run began later, or the request names no run, and it comes from the same established
// agent or contains the same credential. If several established agents share a credential, only the
// one that acted is held.
func (s *index) ofOtherRuns(q *query) (found *schema.Breaker) {
	look := func(by heldBy, id string) {
		if id == "" {
			return
		}
		found = moreSevere(found, s.held[holderKey{q.Tenant, by, id, routeKey{}}].first(q))
		found = moreSevere(found, s.held[holderKey{q.Tenant, by, id, q.key}].first(q))
		for _, k := range q.spellings {
			found = moreSevere(found, s.held[holderKey{q.Tenant, by, id, k}].first(q))
		}
	}
	look(byAgent, q.agent)
	for id := range q.allCredentials() {
		if q.agent == "" {
			look(byCredential, id)
			continue
		}
		look(byFreeCredential, id)
		if id != "" {
			look(byPair, pair(id, q.agent))
		}
	}
	return found
}

// first returns the most severe breaker of a holder that applies to a request of another run.
func (l *heldRuns) first(q *query) *schema.Breaker {
	if l == nil {
		return nil
	}
	for i := ranks - 1; i >= 0; i-- {
		for _, b := range l[i] {
			if q.RunFirstSeen != 0 && q.RunFirstSeen < heldSince(b) {
				break
			}
			if !q.inScope(b) {
				return b
			}
		}
	}
	return nil
}

// inScope reports whether a request is in the breaker's own scope; then Match finds the breaker by
// its scope.
func (q *query) inScope(b *schema.Breaker) bool {
	if b.Scope.Kind == schema.ScopeCredential {
		return b.Scope.Value == q.CredentialID || slices.Contains(q.Credentials, b.Scope.Value)
	}
	return q.run != "" && strings.HasPrefix(b.Scope.Value, q.run)
}

func moreSevere(a, b *schema.Breaker) *schema.Breaker {
	if a == nil || b != nil && rank(b) > rank(a) {
		return b
	}
	return a
}
