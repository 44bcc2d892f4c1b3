package control

import (
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
func (m *runMemory) meet(id schema.RunID, of schema.Standing, at int64) (first int64, sofar schema.Exposure) {
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
	for lower := schema.StandingClaimed; lower < of; lower++ {
		if r, ok := m.shard(id, lower).take(id); ok {
			began, first, sofar = r, r.first, r.sofar
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
