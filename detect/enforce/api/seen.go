package api

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"flyball/schema"
)

// runMemory remembers when the point first met a run id, on the log's clock, and
// what it has let through of it, for a bounded number of ids of each standing: the
// oldest are forgotten and then count as new. Ids that anybody can invent push out
// those of claimed callers only.
type runMemory struct{ pools [standings][16]runShard }

// standings is how many there are.
const standings = int(schema.StandingEstablished) + 1

type runShard struct {
	mu   sync.Mutex
	runs map[schema.RunID]*seenRun
	ring []schema.RunID
	next int
}

type seenRun struct {
	first int64
	sofar schema.Exposure
	key   string // that the caller gave
	who   schema.Holder
}

// metRun is a run that the point has met, and who acts in it.
type metRun struct {
	id    schema.RunID
	key   string
	first int64 // the log's clock
	who   schema.Holder
}

// rememberedRuns of each standing.
const rememberedRuns = 100_000

func newRunMemory() *runMemory {
	m := &runMemory{}
	for p := range m.pools {
		for i := range m.pools[p] {
			m.pools[p][i].runs = map[schema.RunID]*seenRun{}
		}
	}
	return m
}

func (m *runMemory) shard(id schema.RunID, of schema.Standing) *runShard {
	shards := &m.pools[of]
	return &shards[int(id[0])%len(shards)]
}

// meet says when the run was first met (0: now, for the first time) and what was
// let through of it so far. A run whose caller has risen in standing is still known.
func (m *runMemory) meet(id schema.RunID, of schema.Standing, at int64, c *schema.Call) (first int64, sofar schema.Exposure) {
	if id.IsZero() {
		return 0, sofar
	}
	s := m.shard(id, of)
	s.mu.Lock()
	r := s.runs[id]
	if r != nil {
		defer s.mu.Unlock()
		return r.first, r.sofar
	}
	s.mu.Unlock()
	began := seenRun{first: at}
	if c != nil { // copies: the call's texts are parts of the request's buffers
		began.key = strings.Clone(c.RunKey)
		began.who = schema.Holder{AgentID: strings.Clone(c.AgentID), AgentTrust: c.AgentTrust,
			CredentialID: strings.Clone(c.CredentialID), Standing: of}
	}
	for lower := schema.StandingClaimed; lower < of; lower++ {
		if r, ok := m.shard(id, lower).take(id); ok {
			began.first, began.sofar, first, sofar = r.first, r.sofar, r.first, r.sofar
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.runs[id]; r != nil { // another call of the run was faster
		return r.first, r.sofar
	}
	if len(s.ring) < rememberedRuns/len(m.pools[of]) {
		s.ring = append(s.ring, id)
	} else {
		delete(s.runs, s.ring[s.next])
		s.ring[s.next] = id
		s.next = (s.next + 1) % len(s.ring)
	}
	s.runs[id] = &began
	return first, sofar
}

// take removes a run; its place in the ring goes when its turn comes.
func (s *runShard) take(id schema.RunID) (seenRun, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.runs[id]
	if r == nil {
		return seenRun{}, false
	}
	delete(s.runs, id)
	return *r, true
}

// leastPrefix is how much of a run's id must be given.
const leastPrefix = 6

// find are the runs that an id, a beginning of one, or a run's own key names: those of
// established callers first, since anybody can give his run a key of another's, then
// the latest. It looks at every run that is remembered.
func (m *runMemory) find(term string) []metRun {
	var out []metRun
	prefix := strings.ToLower(term)
	for p := range m.pools {
		for i := range m.pools[p] {
			s := &m.pools[p][i]
			s.mu.Lock()
			for id, r := range s.runs {
				if r.key == term || len(prefix) >= leastPrefix && strings.HasPrefix(id.String(), prefix) {
					out = append(out, metRun{id, r.key, r.first, r.who})
				}
			}
			s.mu.Unlock()
		}
	}
	slices.SortFunc(out, func(a, b metRun) int {
		return cmp.Or(cmp.Compare(b.who.Standing, a.who.Standing), cmp.Compare(b.first, a.first), cmp.Compare(a.id.String(), b.id.String()))
	})
	return out
}

// identities are names that the point has met, the oldest forgotten first. What the
// infrastructure vouches for, or the API has accepted, and what anybody can claim are
// kept apart, so that inventing names makes the point forget no established one.
type identities struct {
	established, claimed ring
}

type ring struct {
	mu    sync.RWMutex
	there map[schema.Scope]bool
	order []schema.Scope
	next  int
}

const mostIdentities = 20_000

func newIdentities() *identities {
	return &identities{established: ring{there: map[schema.Scope]bool{}}, claimed: ring{there: map[schema.Scope]bool{}}}
}

// note remembers who makes a call. Claimed names of agents and principals are none that
// a breaker could be about.
func (m *identities) note(c *schema.Call, of schema.Standing) {
	if c.AgentID != "" && c.AgentTrust >= schema.TrustInfrastructure {
		m.established.add(schema.Scope{Kind: schema.ScopeAgent, Value: c.AgentID})
	}
	if c.PrincipalID != "" && c.PrincipalTrust >= schema.TrustInfrastructure {
		m.established.add(schema.Scope{Kind: schema.ScopePrincipal, Value: c.PrincipalID})
	}
	if credential := (schema.Scope{Kind: schema.ScopeCredential, Value: c.CredentialID}); c.CredentialID == "" {
		return
	} else if c.CredentialTrust >= schema.TrustInfrastructure || of >= schema.StandingProven {
		m.established.add(credential)
	} else {
		m.claimed.add(credential)
	}
}

func (m *identities) met(s schema.Scope) bool { return m.established.has(s) || m.claimed.has(s) }

func (r *ring) has(s schema.Scope) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.there[s]
}

func (r *ring) add(s schema.Scope) {
	if r.has(s) {
		return
	}
	s.Value = strings.Clone(s.Value)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.there[s] {
		return
	}
	if len(r.order) < mostIdentities {
		r.order = append(r.order, s)
	} else {
		delete(r.there, r.order[r.next])
		r.order[r.next] = s
		r.next = (r.next + 1) % mostIdentities
	}
	r.there[s] = true
}

// passed counts a call that was let through.
func (m *runMemory) passed(id schema.RunID, of schema.Standing, irreversible bool) {
	if id.IsZero() {
		return
	}
	s := m.shard(id, of)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.runs[id]; r != nil {
		r.sofar.Calls++
		if irreversible {
			r.sofar.Irreversible++
		}
	}
}

func (m *runMemory) len() int {
	n := 0
	for p := range m.pools {
		for i := range m.pools[p] {
			s := &m.pools[p][i]
			s.mu.Lock()
			n += len(s.runs)
			s.mu.Unlock()
		}
	}
	return n
}
