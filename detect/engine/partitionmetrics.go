package engine

import (
	"sync/atomic"

	"flyball/detect/stitch"
	"flyball/schema"
)

// partitionMetrics holds what a partition adds to the metrics of its process.
type partitionMetrics struct {
	m       *metrics
	part    string // its label
	active  *atomic.Int64
	counted int64 // what this partition added to active
	byRule  [8]uint64
	refused [schema.StandingEstablished + 1]uint64
	closed  uint64 // runs that were closed early
}

// set brings the metrics up to date.
func (c *partitionMetrics) set(state *stitch.Partition, watermark int64) {
	active := int64(state.ActiveAgents())
	c.active.Add(active - c.counted)
	c.counted = active
	c.m.openRuns.WithLabelValues(c.part).Set(float64(state.OpenRuns()))
	c.m.stateBytes.WithLabelValues(c.part).Set(float64(state.StoredBytes()))
	c.m.actors.WithLabelValues(c.part).Set(float64(state.Actors()))
	c.m.watermark.WithLabelValues(c.part).Set(float64(watermark) / 1e9)
	for s := range schema.StandingEstablished + 1 {
		n := state.RefusalsByStanding(s)
		c.m.refusals.WithLabelValues(s.String()).Add(float64(n - c.refused[s]))
		c.refused[s] = n
	}
	c.m.closed.Add(float64(state.ClosedEarly() - c.closed))
	c.closed = state.ClosedEarly()
	for rule, n := range c.byRule {
		if n > 0 {
			c.m.byRule.WithLabelValues(schema.RunRule(rule).String()).Add(float64(n))
			c.m.calls.Add(float64(n))
			c.byRule[rule] = 0
		}
	}
}

// leave removes the partition's actors from the count of the process.
func (c *partitionMetrics) leave() {
	c.active.Add(-c.counted)
	c.counted = 0
}
