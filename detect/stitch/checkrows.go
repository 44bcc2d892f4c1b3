package stitch

import (
	"cmp"
	"slices"
	"time"

	"flyball/schema"
	"flyball/schema/wire"
)

// The check records each request that it was asked about, before the gateway logs it. The line of
// the gateway (or of a sidecar or service) has the outcome, so it counts, and the row of the check
// does not. A row of the check for which no line has come pendingFor after the request, by the log
// clock, counts instead: it is written again with the same position and AskedOnly set, so that it
// replaces its first form. A line that comes after that is a further observation of the row
// (LoggedLate): it is judged, it adds its outcome to the run, and it does not count. Reports show the
// check's row with the outcome of the line.
//
// The log clock of a partition is the time up to which all sources of lines have been read: the
// watermark without its allowance for late calls. It stands still while an ingest lags; lines that
// wait to be read are not late. It is at most logClockBehind behind the clock that ingests write into
// the log, so that a source that nobody reads any more delays nothing beyond that.
//
// What is kept of a row is bounded, per run and per partition. A row that has no room counts at
// once: a call may then count twice, never not at all.
const (
	pendingFor     = int64(60 * time.Second)
	logClockBehind = int64(10 * time.Minute)
	// pendingPerRun bounds the rows of the check of a run for which a line is still recognised.
	pendingPerRun = 256
	// pendingPerPartition bounds the rows that are kept to be written again, about 400 bytes each.
	pendingPerPartition = 16_384
)

// checkRows keeps the rows of the check of a partition until a line comes or they count.
type checkRows struct {
	waiting   []*Run   // with rows of the check that no line has answered
	kept      int      // such rows
	due       []dueRow // rows that count from now on
	logSecond int64    // log clock, Unix seconds
	encoder   wire.CallsEncoder
	encoded   []byte
	decoder   wire.CallsDecoder
}

// pendingRow is a row of the check for which no line has come.
type pendingRow struct {
	sighting
	row []byte // the row, encoded; nil: it counts

	offset int64 // of the row in flyball.calls
	late   bool
	rule   schema.RunRule
}

// dueRow is a row of the check that counts now.
type dueRow struct {
	run *Run
	pendingRow
}

// keep keeps a row of the check until its line comes. Without room, a row counts at once: the oldest of
// the run, or this one if the partition is full.
func (w *checkRows) keep(r *Run, c *schema.Call) {
	q := pendingRow{offset: c.CallsOffset, late: c.Late, rule: c.RunRule}
	q.read(c)
	q.record = recordID(c)
	w.encoded = w.encoder.Encode(w.encoded[:0], []*schema.Call{c})
	q.row = slices.Clone(w.encoded)
	if len(r.pending) == pendingPerRun {
		w.count(r, &r.pending[0])
		r.pending = append(r.pending[:0], r.pending[1:]...)
	}
	w.kept++
	r.pending = append(r.pending, q)
	if w.kept > pendingPerPartition {
		w.count(r, &r.pending[len(r.pending)-1])
		return
	}
	if !r.waits {
		r.waits = true
		w.waiting = append(w.waiting, r)
	}
}

// count marks a kept row as one that counts now.
func (w *checkRows) count(r *Run, q *pendingRow) {
	if q.row == nil {
		return
	}
	w.due = append(w.due, dueRow{r, *q})
	q.row = nil
	w.kept--
}

// take removes the row of the check that a line answers. late means that the row counts.
func (w *checkRows) take(r *Run, line *sighting) (q pendingRow, late, found bool) {
	best, by := -1, noMatch
	for i := range r.pending {
		if m := line.answers(&r.pending[i].sighting); m > by {
			best, by = i, m
		}
	}
	if best < 0 {
		return q, false, false
	}
	q = r.pending[best]
	r.pending = append(r.pending[:best], r.pending[best+1:]...)
	if q.row != nil {
		w.kept--
	}
	return q, q.row == nil, true
}

// lineOf returns the remembered line that answers a row of the check and came before it; nil: none.
func (r *Run) lineOf(row *sighting) *sighting {
	var best *sighting
	by := noMatch
	for i := range r.sightings {
		line := &r.sightings[i]
		if line.checked {
			continue
		}
		if m := line.answers(row); m > by || m == by && best != nil && line.start < best.start {
			best, by = line, m
		}
	}
	return best
}

// match is how surely a line and a row of the check are of one call.
type match int

const (
	noMatch  match = iota
	byNumber       // they agree in everything, and one of them has no id: the first line answers the first row
	byID           // they also agree in request id or span
)

// answers reports whether a line can be that of the request of a row of the check. Both have the
// same method and path, and the same host, tool and arguments where both have them. Ports are not
// compared: gateways that log the host without it send it to the check.
func (line *sighting) answers(row *sighting) match {
	if line.what == 0 || line.what != row.what || !line.near(row) || !agree(line.hostname, row.hostname) ||
		!agree(line.tool, row.tool) || !line.sameArguments(row) {
		return noMatch
	}
	switch {
	case line.request != 0 && row.request != 0 && line.request != row.request:
		return noMatch
	case line.request != 0 && line.request == row.request, line.span != 0 && line.span == row.span:
		return byID
	}
	return byNumber
}

// AdvanceLogClock moves the log clock: rows of the check that have waited pendingFor count. The
// clock is read in whole seconds, so that it does not matter at which record it is read first.
func (p *Partition) AdvanceLogClock(now int64) { p.checkRows.advance(now / int64(time.Second)) }

func (w *checkRows) advance(second int64) {
	if second <= w.logSecond {
		return
	}
	w.logSecond = second
	rest := w.waiting[:0]
	for _, r := range w.waiting {
		waiting := false
		for i := range r.pending {
			q := &r.pending[i]
			if q.row != nil && (q.start+pendingFor)/int64(time.Second) < second {
				w.count(r, q)
			}
			waiting = waiting || q.row != nil
		}
		if r.waits = waiting; waiting {
			rest = append(rest, r)
		}
	}
	clear(w.waiting[len(rest):])
	w.waiting = rest
}

// adopt makes the kept rows of a restored run part of the partition.
func (w *checkRows) adopt(r *Run) {
	for i := range r.pending {
		if r.pending[i].row != nil {
			w.kept++
			r.waits = true
		}
	}
	if r.waits {
		w.waiting = append(w.waiting, r)
	}
}

// countAll makes all rows of the check of a run count that are still kept: the run ends.
func (w *checkRows) countAll(r *Run) {
	for i := range r.pending {
		w.count(r, &r.pending[i])
	}
}

// EachAskedOnly counts the rows of the check that became due at an offset of flyball.calls, and
// calls f for each: it is written again. The call is valid until f returns.
func (p *Partition) EachAskedOnly(offset int64, f func(*Run, *schema.Call)) error {
	w := &p.checkRows
	// A restart finds the runs in another order; what counts first must be the same.
	slices.SortFunc(w.due, func(x, y dueRow) int { return cmp.Or(cmp.Compare(x.offset, y.offset), cmp.Compare(x.record, y.record)) })
	for i := range w.due {
		q := &w.due[i]
		calls, err := w.decoder.Decode(q.row)
		if err != nil {
			return err // never for a row that this process encoded
		}
		c, r := &calls[0], q.run
		c.RunID, c.RunRule, c.RunConfidence, c.Segment = r.RunID, q.rule, confidence[q.rule], r.Segment
		c.ActorHash = r.actor.hash
		c.CallsPart, c.CallsOffset, c.Late, c.AskedOnly = p.part, q.offset, q.late, true
		r.count(c)
		p.hours.count(r, c, offset)
		p.changed.mark(r)
		r.markUnstored()
		p.dirty.markApplied(r.actor, offset)
		f(r, c)
	}
	clear(w.due)
	w.due = w.due[:0]
	return nil
}

func codePending(c *wire.Coder, r *Run) {
	n := len(r.pending)
	c.Len(&n, 60)
	if !c.Encoding && n > 0 {
		r.pending = make([]pendingRow, n)
	}
	for i := range r.pending {
		q := &r.pending[i]
		codeSighting(c, &q.sighting)
		row := string(q.row)
		c.Text(&row)
		if !c.Encoding && row != "" {
			q.row = []byte(row)
		}
		c.Int(&q.offset)
		c.Bool(&q.late)
		wire.Small(c, &q.rule)
	}
	if !c.Encoding && n > pendingPerRun {
		c.Refuse("more rows of the check than are kept")
	}
}
