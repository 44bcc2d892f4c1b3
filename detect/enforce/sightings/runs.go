package sightings

import (
	"cmp"
	"slices"
	"strings"
	"sync"

	"flyball/schema"
)

// Runs holds the runs that requests named: when each was first seen, and what was allowed of it.
// There is room for MaxRuns of each standing. When it is full, the run that was added first is
// removed, and counts as new when it appears again. Run ids that a client invents can remove only
// runs of claimed callers.
type Runs struct {
	pools [standings][shards]runShard
}

// MaxRuns is how many runs of each standing are kept.
const MaxRuns = 100_000

const (
	standings = int(schema.StandingEstablished) + 1
	shards    = 16 // of each pool, so that checks do not wait for one lock
)

type runShard struct {
	mu   sync.Mutex
	runs map[schema.RunID]*runMemory
	ring []schema.RunID // in the order of additions
	next int            // index in ring of the run that is removed next
}

type runMemory struct {
	first   int64 // the log's time when it was first seen, Unix ns
	allowed schema.Exposure
	key     string // that the caller gave
	caller  schema.Holder
}

// Sighting is a run that requests named.
type Sighting struct {
	ID     schema.RunID
	Key    string        // that the caller gave
	First  int64         // the log's time when it was first seen, Unix ns
	Caller schema.Holder // caller in the run
	// Allowed counts the calls of the run that this point has allowed.
	Allowed schema.Exposure
}

// NewRuns returns an empty memory.
func NewRuns() *Runs {
	m := &Runs{}
	for p := range m.pools {
		for i := range m.pools[p] {
			m.pools[p][i].runs = map[schema.RunID]*runMemory{}
		}
	}
	return m
}

func (m *Runs) shard(id schema.RunID, standing schema.Standing) *runShard {
	return &m.pools[standing][int(id[0])%shards]
}

// FirstSeen returns when a run was first seen, by the log's time in Unix ns (0: now), and what was
// allowed of it so far. A new run is added with the time at and the caller of the call (nil: no
// caller). A run is still recognised after the standing of its caller has risen.
func (m *Runs) FirstSeen(id schema.RunID, standing schema.Standing, at int64, c *schema.Call) (first int64, allowed schema.Exposure) {
	if id.IsZero() {
		return 0, allowed
	}
	s := m.shard(id, standing)
	if r, ok := s.get(id); ok {
		return r.first, r.allowed
	}
	began := runMemory{first: at}
	if c != nil { // copies, because the call's texts alias the request's buffers
		began.key = strings.Clone(c.RunKey)
		began.caller = schema.Holder{AgentID: strings.Clone(c.AgentID), AgentTrust: c.AgentTrust,
			CredentialID: strings.Clone(c.CredentialID), Standing: standing}
	}
	for lower := schema.StandingClaimed; lower < standing; lower++ {
		if r, ok := m.shard(id, lower).remove(id); ok {
			began.first, began.allowed, first, allowed = r.first, r.allowed, r.first, r.allowed
		}
	}
	if r, there := s.add(id, &began); there { // another call of the run was faster
		return r.first, r.allowed
	}
	return first, allowed
}

func (s *runShard) get(id schema.RunID) (runMemory, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.runs[id]; r != nil {
		return *r, true
	}
	return runMemory{}, false
}

// add adds a run. If the run is already there, add returns it and there is true.
func (s *runShard) add(id schema.RunID, began *runMemory) (known runMemory, there bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.runs[id]; r != nil {
		return *r, true
	}
	if len(s.ring) < MaxRuns/shards {
		s.ring = append(s.ring, id)
	} else {
		delete(s.runs, s.ring[s.next])
		s.ring[s.next] = id
		s.next = (s.next + 1) % len(s.ring)
	}
	s.runs[id] = began
	return runMemory{}, false
}

// remove removes a run. Its place in the ring is reused later.
func (s *runShard) remove(id schema.RunID) (runMemory, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.runs[id]
	if r == nil {
		return runMemory{}, false
	}
	delete(s.runs, id)
	return *r, true
}

// CountAllowed counts an allowed call of a run.
func (m *Runs) CountAllowed(id schema.RunID, standing schema.Standing, irreversible bool) {
	if id.IsZero() {
		return
	}
	s := m.shard(id, standing)
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.runs[id]; r != nil {
		r.allowed.Calls++
		if irreversible {
			r.allowed.Irreversible++
		}
	}
}

// Find returns the runs that a term names: a run's id, at least schema.MinIDPrefix characters of its
// beginning, or a run's own key. A whole id names its run alone: a caller can give the id of another run as a key, and
// the other run could not be named any more. Runs of established callers come first, because any caller can give a run
// the key of another; then the latest come first. It reads every run in memory.
func (m *Runs) Find(term string) []Sighting {
	prefix := strings.ToLower(term)
	if whole, err := schema.ParseRunID(prefix); err == nil {
		if out := m.filter(func(id schema.RunID, _ *runMemory) bool { return id == whole }); len(out) > 0 {
			return out
		}
	}
	return m.filter(func(id schema.RunID, r *runMemory) bool {
		return r.key == term || len(prefix) >= schema.MinIDPrefix && strings.HasPrefix(id.String(), prefix)
	})
}

// OfCaller returns the runs of an agent or a credential, in the order of Find; none of another scope.
// It reads every run in memory.
func (m *Runs) OfCaller(sc schema.Scope) []Sighting {
	switch sc.Kind {
	case schema.ScopeAgent:
		return m.filter(func(_ schema.RunID, r *runMemory) bool { return r.caller.AgentID == sc.Value })
	case schema.ScopeCredential:
		return m.filter(func(_ schema.RunID, r *runMemory) bool { return r.caller.CredentialID == sc.Value })
	}
	return nil
}

// filter returns the runs that a condition selects: those of established callers first, then the
// latest first.
func (m *Runs) filter(selects func(schema.RunID, *runMemory) bool) []Sighting {
	var out []Sighting
	for p := range m.pools {
		for i := range m.pools[p] {
			s := &m.pools[p][i]
			s.mu.Lock()
			for id, r := range s.runs {
				if selects(id, r) {
					out = append(out, Sighting{ID: id, Key: r.key, First: r.first, Caller: r.caller, Allowed: r.allowed})
				}
			}
			s.mu.Unlock()
		}
	}
	slices.SortFunc(out, func(a, b Sighting) int {
		return cmp.Or(cmp.Compare(b.Caller.Standing, a.Caller.Standing), cmp.Compare(b.First, a.First),
			cmp.Compare(a.ID.String(), b.ID.String()))
	})
	return out
}

// Len returns how many runs are in memory.
func (m *Runs) Len() int {
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
