package stitch

import "flyball/schema"

// hours gathers what is counted of actors by agent and hour.
type hours struct {
	changed []*Actor           // with counts that are not written
	full    []*Actor           // of the record that is being applied: those with counters to be given up
	given   []schema.HourCount // counters that were given up, to be written
	offset  int64              // of the last call that was counted
}

// count counts a call of a run, at the offset of flyball.calls at which it was decided that it counts. The calls that a process of
// schema version 4 may have applied are counted by its tables.
func (p *Partition) count(r *Run, c *schema.Call, offset int64) {
	if !c.Counted() || c.CallsOffset <= p.legacyTo {
		return
	}
	if offset > p.hours.offset {
		p.EndRecord()
		p.hours.offset = offset
	}
	a := r.actor
	if full := a.hours.Add(c, offset, r.Calls == 1, p.words.of); full && !a.hoursFull {
		a.hoursFull = true
		p.hours.full = append(p.hours.full, a)
	}
	if !a.hoursChanged {
		a.hoursChanged = true
		p.hours.changed = append(p.hours.changed, a)
	}
}

// EndRecord gives up counters of hours after the last call of a record of flyball.calls. Without it, that is done at the first call
// of the next record.
func (p *Partition) EndRecord() {
	for _, a := range p.hours.full {
		a.hoursFull = false
		a.hours.EndRecord(p.watermark, a.hash, p.part, func(n *schema.HourCount) { p.hours.given = append(p.hours.given, *n) })
	}
	clear(p.hours.full)
	p.hours.full = p.hours.full[:0]
}

// WaitingHours returns the number of counters of hours that were given up and are not written yet.
func (p *Partition) WaitingHours() int { return len(p.hours.given) }

// WriteHours calls write for the counts by agent and hour that have changed since the last call of WriteHours. It must be called
// between two records of flyball.calls.
func (p *Partition) WriteHours(write func(*schema.HourCount)) {
	for i := range p.hours.given {
		write(&p.hours.given[i])
	}
	for _, a := range p.hours.changed {
		a.hoursChanged = false
		a.hours.Write(a.hash, p.part, write)
	}
	clear(p.hours.given)
	clear(p.hours.changed)
	p.hours.given, p.hours.changed = p.hours.given[:0], p.hours.changed[:0]
}
