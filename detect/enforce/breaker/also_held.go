package breaker

import (
	"slices"
	"strings"

	"flyball/schema"
)

// HeldCaller is who is held besides the scope that a breaker names: later runs of a
// credential, and of an established agent. Empty fields hold nobody.
type HeldCaller struct {
	CredentialID string `json:"credential_id,omitempty"`
	AgentID      string `json:"agent_id,omitempty"`
	// Since: runs that the point had met before this time of the log's clock go on.
	Since int64 `json:"since_ns,omitempty"`
	// Route to which the hold is limited, for a breaker on a run's route; empty: all.
	Route string `json:"route,omitempty"`
}

// AlsoHeld is who a breaker holds besides its scope; ok is false if nobody.
func AlsoHeld(b *schema.Breaker) (who HeldCaller, ok bool) {
	h, ok := holderOf(b)
	if !ok || !b.Holds() {
		return HeldCaller{}, false
	}
	who = HeldCaller{CredentialID: h.credential, Since: heldSince(b), Route: h.route}
	if h.trust == trustEstablished {
		who.AgentID = h.agent
	}
	return who, who.CredentialID != "" || who.AgentID != ""
}

// trustOfAgent is what a breaker knows of the name of the agent that it holds.
type trustOfAgent int

const (
	trustUnknown     trustOfAgent = iota // a record of a version that did not say
	trustClaimed                         // anybody's word, or no name
	trustEstablished                     // a gateway, a token or the registry vouches for it
)

type holder struct {
	credential, agent, route string
	trust                    trustOfAgent
}

// holderOf is who acts in the run that a breaker is on. A trip of a credential, which
// stands for a run without an id, has a holder besides if an established agent acted:
// it may have other credentials. What a person opens on a credential is about that
// alone, and ok is false for it as for other scopes.
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
		h.credential, h.agent, h.trust = b.Holder.CredentialID, b.Holder.AgentID, trustClaimed
		if trusted(h.agent, b.Holder.AgentTrust) != "" {
			h.trust = trustEstablished
		}
	}
	if b.Scope.Kind == schema.ScopeCredential {
		h.credential = ""
	}
	return h, h.credential != "" || h.trust == trustEstablished
}

func heldSince(b *schema.Breaker) int64 {
	if b.HeldSince != 0 {
		return b.HeldSince
	}
	return b.Since
}

// heldBy says what ties a request to the holder of a run.
type heldBy byte

const (
	byCredential heldBy = iota // whatever agent acted with it
	// byFreeCredential: no established agent acted with it, so that it holds established ones too.
	byFreeCredential
	// byPair: credential and agent as a record without a holder names them.
	byPair
	byAgent // established
)

type holderKey struct {
	tenant string
	by     heldBy
	id     string
	route  string // of a breaker on a run's route; "" of one on a run
}

func pair(credential, agent string) string { return credential + "\x00" + agent }

// holderKeys are the places of the index under which a breaker is found.
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
		case trustClaimed:
			add(byFreeCredential, h.credential)
		case trustUnknown:
			add(byPair, pair(h.credential, h.agent))
		}
	}
	if h.trust == trustEstablished {
		add(byAgent, h.agent)
	}
	return out
}

// rank orders what breakers do to a request: the kill switch above every action.
func rank(b *schema.Breaker) int {
	if b.State == schema.BreakerForcedOpen {
		return ranks - 1
	}
	return int(b.Action)
}

const ranks = int(schema.ActionDeny) + 2

// heldRuns are the breakers of one holder by rank, the one that was opened first in
// front: what it does not reach, no later one does. None is left out, however many
// runs a holder has: mostBreakers bounds them all.
type heldRuns [ranks][]*schema.Breaker

func earlier(a, b *schema.Breaker) int {
	switch x, y := heldSince(a), heldSince(b); {
	case x != y:
		return int(max(min(x-y, 1), -1))
	}
	return strings.Compare(a.Scope.Value, b.Scope.Value)
}

func (s *State) index(b *schema.Breaker) {
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

func (s *State) unindex(b *schema.Breaker) {
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

// besides is the most severe breaker on another run that also holds this request:
// its run came later, or it names none, and it comes from the same established agent
// or shows the same credential. A credential that several established agents share
// holds only the one that acted.
func (s *State) besides(q *Query, agent, run string) (found *schema.Breaker) {
	look := func(by heldBy, id string) {
		if id == "" {
			return
		}
		found = moreSevere(found, s.held[holderKey{q.Tenant, by, id, ""}].first(q, run))
		if q.Route != "" {
			found = moreSevere(found, s.held[holderKey{q.Tenant, by, id, q.Route}].first(q, run))
		}
	}
	credential := func(id string) {
		if agent == "" {
			look(byCredential, id)
			return
		}
		look(byFreeCredential, id)
		if id != "" {
			look(byPair, pair(id, agent))
		}
	}
	look(byAgent, agent)
	credential(q.CredentialID)
	for _, id := range q.Credentials {
		if id != q.CredentialID {
			credential(id)
		}
	}
	return found
}

// first is the most severe breaker of a holder that reaches a request by another run.
func (l *heldRuns) first(q *Query, run string) *schema.Breaker {
	if l == nil {
		return nil
	}
	for i := ranks - 1; i >= 0; i-- {
		for _, b := range l[i] {
			if q.RunFirstSeen != 0 && q.RunFirstSeen < heldSince(b) {
				break
			}
			if !q.isOf(b, run) {
				return b
			}
		}
	}
	return nil
}

// isOf reports whether a request is of the breaker's own scope, where it meets it anyway.
func (q *Query) isOf(b *schema.Breaker, run string) bool {
	if b.Scope.Kind == schema.ScopeCredential {
		return b.Scope.Value == q.CredentialID || slices.Contains(q.Credentials, b.Scope.Value)
	}
	return run != "" && strings.HasPrefix(b.Scope.Value, run)
}

func moreSevere(a, b *schema.Breaker) *schema.Breaker {
	if a == nil || b != nil && rank(b) > rank(a) {
		return b
	}
	return a
}
