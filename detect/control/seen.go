package control

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"flyball/schema"
)

// runMemory remembers when the point first met a run id, on the log's clock, and
// what it has let through of it, for a bounded number of ids: the oldest are
// forgotten and then count as new.
type runMemory struct{ shards [16]runShard }

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

const rememberedRuns = 100_000

func newRunMemory() *runMemory {
	m := &runMemory{}
	for i := range m.shards {
		m.shards[i].runs = map[schema.RunID]*seenRun{}
	}
	return m
}

func (m *runMemory) shard(id schema.RunID) *runShard { return &m.shards[id[0]%16] }

// meet says when the run of a call was first met (0: now, for the first time) and what
// was let through of it so far.
func (m *runMemory) meet(id schema.RunID, at int64, c *schema.Call) (first int64, sofar schema.Exposure) {
	if id.IsZero() {
		return 0, sofar
	}
	s := m.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.runs[id]; r != nil {
		return r.first, r.sofar
	}
	if len(s.ring) < rememberedRuns/len(m.shards) {
		s.ring = append(s.ring, id)
	} else {
		delete(s.runs, s.ring[s.next])
		s.ring[s.next] = id
		s.next = (s.next + 1) % len(s.ring)
	}
	r := &seenRun{first: at}
	if c != nil { // copies: the call's texts are parts of the request's buffers
		r.key = strings.Clone(c.RunKey)
		r.who = schema.Holder{AgentID: strings.Clone(c.AgentID), AgentTrust: c.AgentTrust, CredentialID: strings.Clone(c.CredentialID), Standing: c.Standing()}
	}
	s.runs[id] = r
	return 0, sofar
}

// leastPrefix is how much of a run's id must be given.
const leastPrefix = 6

// find are the runs that an id, a beginning of one, or a run's own key names: those of
// established callers first, since anybody can give his run a key of another's, then
// the latest. It looks at every run that is remembered.
func (m *runMemory) find(term string) []metRun {
	var out []metRun
	prefix := strings.ToLower(term)
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		for id, r := range s.runs {
			if r.key == term || len(prefix) >= leastPrefix && strings.HasPrefix(id.String(), prefix) {
				out = append(out, metRun{id, r.key, r.first, r.who})
			}
		}
		s.mu.Unlock()
	}
	slices.SortFunc(out, func(a, b metRun) int {
		return cmp.Or(cmp.Compare(b.who.Standing, a.who.Standing), cmp.Compare(b.first, a.first), cmp.Compare(a.id.String(), b.id.String()))
	})
	return out
}

// identities are names that the point has met, the oldest forgotten first. What the
// infrastructure vouches for and what anybody can claim are kept apart, so that
// inventing names makes the point forget no established one.
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
func (m *identities) note(c *schema.Call) {
	if c.AgentID != "" && c.AgentTrust >= schema.TrustInfrastructure {
		m.established.add(schema.Scope{Kind: schema.ScopeAgent, Value: c.AgentID})
	}
	if c.PrincipalID != "" && c.PrincipalTrust >= schema.TrustInfrastructure {
		m.established.add(schema.Scope{Kind: schema.ScopePrincipal, Value: c.PrincipalID})
	}
	if credential := (schema.Scope{Kind: schema.ScopeCredential, Value: c.CredentialID}); c.CredentialID == "" {
		return
	} else if c.CredentialTrust >= schema.TrustInfrastructure {
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
func (m *runMemory) passed(id schema.RunID, irreversible bool) {
	if id.IsZero() {
		return
	}
	s := m.shard(id)
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
	for i := range m.shards {
		s := &m.shards[i]
		s.mu.Lock()
		n += len(s.runs)
		s.mu.Unlock()
	}
	return n
}
