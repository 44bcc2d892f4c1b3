package stitch

import "flyball/schema"

// HourCounts gathers what is counted of a partition's actors by agent and hour.
type HourCounts struct {
	part      int32
	legacyTo  int64 // see Partition.SetLegacyTo
	words     *words
	watermark *int64 // of the partition

	changed []*Actor           // with counts that are not written
	full    []*Actor           // of the record that is being applied: those with counters to be given up
	given   []schema.HourCount // counters that were given up, to be written
	offset  int64              // of the last call that was counted
}

// Hours returns what is counted of the actors by agent and hour.
func (p *Partition) Hours() *HourCounts { return &p.hours }

// count counts a call of a run, at the offset of flyball.calls at which it was decided that it counts. The calls that a process of
// schema version 4 may have applied are counted by its tables.
func (h *HourCounts) count(r *Run, c *schema.Call, offset int64) {
	if !c.Counted() || c.CallsOffset <= h.legacyTo || c.Tenant == schema.CanaryTenant {
		return
	}
	if offset > h.offset {
		h.EndRecord()
		h.offset = offset
	}
	a := r.actor
	if full := a.hours.Add(c, offset, r.Calls == 1, h.words.of); full && !a.hoursFull {
		a.hoursFull = true
		h.full = append(h.full, a)
	}
	if !a.hoursChanged {
		a.hoursChanged = true
		h.changed = append(h.changed, a)
	}
}

// EndRecord gives up counters of hours after the last call of a record of flyball.calls. Without it, that is done at the first call
// of the next record.
func (h *HourCounts) EndRecord() {
	for _, a := range h.full {
		a.hoursFull = false
		a.hours.EndRecord(*h.watermark, a.hash, h.part, func(n *schema.HourCount) { h.given = append(h.given, *n) })
	}
	clear(h.full)
	h.full = h.full[:0]
}

// Waiting returns the number of counters of hours that were given up and are not written yet.
func (h *HourCounts) Waiting() int { return len(h.given) }

// Write calls write for the counts by agent and hour that have changed since the last call of Write. It must be called
// between two records of flyball.calls.
func (h *HourCounts) Write(write func(*schema.HourCount)) {
	for i := range h.given {
		write(&h.given[i])
	}
	for _, a := range h.changed {
		a.hoursChanged = false
		a.hours.Write(a.hash, h.part, write)
	}
	clear(h.given)
	clear(h.changed)
	h.given, h.changed = h.given[:0], h.changed[:0]
}
