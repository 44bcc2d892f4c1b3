package callrate

import (
	"slices"

	"flyball/schema/wire"
)

// maxQuarters limits the counts of an actor, one for each agent and quarter of an hour. Several are needed because calls
// arrive late and out of order, from sources with wrong clocks, and because an actor can act for several agents. An actor
// that needs more is undercounted and alarms less.
const maxQuarters = 4

// Counter counts an actor's calls by agent and quarter of an hour of event time. The
// zero value has no calls.
type Counter struct{ counts []Count } // the last updated count is the first

// Count is the number of calls of an agent in a quarter of an hour.
type Count struct {
	agent   uint64
	Quarter int64
	From    int64 // event time of the call that was counted first, Unix ns
	N       uint64
	// Irreversible is how many of the calls cannot be undone.
	Irreversible uint64

	limit uint64 // by the model `by`; Code does not write these two
	by    *Model
}

// Add counts a call at an event time in Unix ns. agent is a hash of the agent's key. It returns the count of the quarter,
// which is valid until the next Add, or nil for a call without a time, which is not counted.
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
		i-- // the least recently updated count is replaced
	}
	k.N++
	if irreversible {
		k.Irreversible++
	}
	copy(c.counts[1:i+1], c.counts[:i])
	c.counts[0] = k
	return &c.counts[0]
}

// Limit returns Model.Limit for the hour of the quarter. It computes the limit once for each model. ok is false also when
// the model abstains.
func (k *Count) Limit(b *Model, agent, group string, share float64) (n uint64, ok bool) {
	if k.by != b {
		k.by, k.limit = b, 0
		if b.Abstains(agent, group) == "" {
			k.limit, _ = b.Limit(agent, group, HourOfWeek(k.Quarter), share)
		}
	}
	return k.limit, k.limit > 0
}

// Code encodes or decodes the counter.
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
