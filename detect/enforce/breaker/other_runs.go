package breaker

import (
	"slices"
	"strings"

	"flyball/schema"
)

// agentTrust is what a breaker knows of the name of the agent that it holds.
type agentTrust int

const (
	agentUnknown     agentTrust = iota // a record of a version that did not say
	agentClaimed                       // only the caller asserts it, or there is no name
	agentEstablished                   // a gateway, a token or the registry vouches for it
)

// holder is who acts in the run that a breaker is on.
type holder struct {
	credential, agent, route string
	trust                    agentTrust
}

// holderOf returns the holder of a breaker on a run, or on a run's route. A trip of a
// credential, which stands for a run without an id, has a holder too if an established
// agent acted: that agent may have other credentials. For a credential that a person
// opened a breaker on, and for other scopes, ok is false.
func holderOf(b *schema.Breaker) (h holder, ok bool) {
	switch b.Scope.Kind {
	case schema.ScopeRun:
	case schema.ScopeRunRoute:
		_, h.route, _ = strings.Cut(b.Scope.Value, " ")
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

// heldBy is what ties a request to the holder of a run.
type heldBy byte

const (
	byCredential heldBy = iota // whatever agent acted with it
	// byFreeCredential: no established agent acted with it, so that requests of
	// established agents are held too.
	byFreeCredential
	// byPair: credential and agent, as in a record without a holder.
	byPair
	byAgent // established
)

type holderKey struct {
	tenant string
	by     heldBy
	id     string
	route  string // of a breaker on a run's route; empty of one on a run
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

// rank orders breakers by what they do: forced open above every action.
func rank(b *schema.Breaker) int {
	if b.State == schema.BreakerForcedOpen {
		return ranks - 1
	}
	return int(b.Action)
}

const ranks = int(schema.ActionDeny) + 2

// heldRuns are the breakers of one holder by rank, each list in the order of opening: a
// run that began before the first breaker of a list began before all of them. The number
// is bounded by maxBreakers alone, so that no run of a holder is left out.
type heldRuns [ranks][]*schema.Breaker

func earlier(a, b *schema.Breaker) int {
	switch x, y := heldSince(a), heldSince(b); {
	case x != y:
		return int(max(min(x-y, 1), -1))
	}
	return strings.Compare(a.Scope.Value, b.Scope.Value)
}

// addHeld adds a breaker to those of its holder.
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

// ofOtherRuns returns the most severe breaker on another run that also applies to a
// request: the request's run began later, or it names none, and it comes from the same
// established agent or shows the same credential. If several established agents share a
// credential, only the one that acted is held.
func (s *index) ofOtherRuns(q *query) (found *schema.Breaker) {
	look := func(by heldBy, id string) {
		if id == "" {
			return
		}
		found = moreSevere(found, s.held[holderKey{q.Tenant, by, id, ""}].first(q))
		found = moreSevere(found, s.held[holderKey{q.Tenant, by, id, q.route}].first(q))
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

// inScope reports whether a request is in the breaker's own scope, where it is found anyway.
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
