package control

import (
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

// meet says when the run was first met (0: now, for the first time) and what was
// let through of it so far.
func (m *runMemory) meet(id schema.RunID, at int64) (first int64, sofar schema.Exposure) {
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
	s.runs[id] = &seenRun{first: at}
	return 0, sofar
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
