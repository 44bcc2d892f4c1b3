package control

import "flyball/schema"

// runMemory remembers when the point first met a run id, on the log's clock,
// for a bounded number of ids: the oldest are forgotten and then count as new.
type runMemory struct {
	first map[schema.RunID]int64
	ring  []schema.RunID
	next  int
}

const rememberedRuns = 100_000

func newRunMemory() *runMemory { return &runMemory{first: map[schema.RunID]int64{}} }

func (m *runMemory) get(id schema.RunID) (int64, bool) {
	at, ok := m.first[id]
	return at, ok
}

func (m *runMemory) note(id schema.RunID, at int64) {
	if _, ok := m.first[id]; ok {
		return
	}
	if len(m.ring) < rememberedRuns {
		m.ring = append(m.ring, id)
	} else {
		delete(m.first, m.ring[m.next])
		m.ring[m.next] = id
		m.next = (m.next + 1) % rememberedRuns
	}
	m.first[id] = at
}
