package callrate

import (
	"slices"

	"flyball/schema/wire"
)

// maxQuarters is how many quarters of an hour an actor's calls are counted in at
// once. Calls come late and out of order, from several sources, and some clocks are
// decades off; an actor may act for several agents. Whoever needs more is
// undercounted, and alarms less.
const maxQuarters = 4

// Counter counts an actor's calls by agent and quarter of an hour of event time. The
// zero value has seen nothing.
type Counter struct{ counts []Count } // the one last added to first

// Count is how many calls of an agent were made in a quarter of an hour.
type Count struct {
	agent   uint64
	Quarter int64
	From    int64 // event time of the first of them to be counted, Unix ns
	N       uint64
	// Irreversible are those of them that cannot be taken back.
	Irreversible uint64

	limit uint64 // by a body; what follows from the rest is not written
	by    *Model
}

// Add counts a call of an agent, by a hash of its key, at an event time, and returns
// where the quarter stands until the next call. A call without a time is not counted: nil.
func (c *Counter) Add(agent uint64, at int64, irreversible bool) *Count {
	if at <= 0 {
		return nil
	}
	q := QuarterAt(at)
	i := 0
	for i < len(c.counts) && (c.counts[i].Quarter != q || c.counts[i].agent != agent) {
		i++
	}
	k := Count{agent: agent, Quarter: q, From: at}
	switch {
	case i < len(c.counts):
		k = c.counts[i]
	case i < maxQuarters:
		c.counts = append(c.counts, k)
	default:
		i-- // the one that was added to longest ago is forgotten
	}
	k.N++
	if irreversible {
		k.Irreversible++
	}
	copy(c.counts[1:i+1], c.counts[:i])
	c.counts[0] = k
	return &c.counts[0]
}

// Limit is Body.Limit in the hour of the quarter, worked out once.
func (k *Count) Limit(b *Model, agent, group string, share float64) (n uint64, ok bool) {
	if k.by != b {
		k.by = b
		k.limit, _ = b.Limit(agent, group, HourOfWeek(k.Quarter), share)
	}
	return k.limit, k.limit > 0
}

// Code writes or reads the counter.
func (c *Counter) Code(t *wire.Coder) {
	n := len(c.counts)
	t.Len(&n, 12)
	if n > maxQuarters {
		t.Refuse("more quarters of an hour than an actor is counted in")
		return
	}
	if !t.Encoding {
		c.counts = slices.Grow([]Count(nil), n)[:n]
	}
	for i := range c.counts {
		k := &c.counts[i]
		t.Fixed64(&k.agent)
		t.Int(&k.Quarter)
		t.Int(&k.From)
		t.Uint(&k.N)
		t.Uint(&k.Irreversible)
	}
}
