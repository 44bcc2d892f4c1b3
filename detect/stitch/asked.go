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
// does not. A row of the check for which no line has come askedAfter after the request, by the log
// clock, counts instead: it is written again with the same position and AskedOnly set, so that it
// replaces its first form. A line that comes after that is a further observation of the row
// (LoggedLate): it is judged, it adds its outcome to the run, and it does not count. Reports show the
// check's row with the outcome of the line.
//
// The log clock of a partition is the time up to which all sources of lines have been read: the
// watermark without its allowance for late calls. It stands still while an ingest lags; lines that
// wait to be read are not late. It is at most askedAtMost behind the clock that ingests write into
// the log, so that a source that nobody reads any more delays nothing beyond that.
//
// What is kept of a row is bounded, per run and per partition. A row that has no room counts at
// once: a call may then count twice, never not at all.
const (
	askedAfter  = int64(60 * time.Second)
	askedAtMost = int64(10 * time.Minute)
	// askedPerRun bounds the rows of the check of a run for which a line is still recognised.
	askedPerRun = 256
	// askedPerPartition bounds the rows that are kept to be written again, about 400 bytes each.
	askedPerPartition = 16_384
)

// checkRows keeps the rows of the check of a partition until a line comes or they count.
type checkRows struct {
	asking    []*Run   // with rows of the check that no line has answered
	kept      int      // such rows
	due       []dueRow // rows that count from now on
	logSecond int64    // log clock, Unix seconds
	encoder   wire.CallsEncoder
	encoded   []byte
	decoder   wire.CallsDecoder
}

// askedRow is a row of the check for which no line has come.
type askedRow struct {
	sighting
	row []byte // the row, encoded; nil: it counts

	offset int64 // of the row in flyball.calls
	late   bool
	rule   schema.RunRule
}

// dueRow is a row of the check that counts now.
type dueRow struct {
	run *Run
	askedRow
}

// keep keeps a row of the check until its line comes. Without room, a row counts at once: the oldest of
// the run, or this one if the partition is full.
func (w *checkRows) keep(r *Run, c *schema.Call) {
	q := askedRow{offset: c.CallsOffset, late: c.Late, rule: c.RunRule}
	q.read(c)
	q.record = recordID(c)
	w.encoded = w.encoder.Encode(w.encoded[:0], []*schema.Call{c})
	q.row = slices.Clone(w.encoded)
	if len(r.asked) == askedPerRun {
		w.count(r, &r.asked[0])
		r.asked = append(r.asked[:0], r.asked[1:]...)
	}
	w.kept++
	r.asked = append(r.asked, q)
	if w.kept > askedPerPartition {
		w.count(r, &r.asked[len(r.asked)-1])
		return
	}
	if !r.asking {
		r.asking = true
		w.asking = append(w.asking, r)
	}
}

// count marks a kept row as one that counts now.
func (w *checkRows) count(r *Run, q *askedRow) {
	if q.row == nil {
		return
	}
	w.due = append(w.due, dueRow{r, *q})
	q.row = nil
	w.kept--
}

// take removes the row of the check that a line answers. late means that the row counts.
func (w *checkRows) take(r *Run, line *sighting) (q askedRow, late, found bool) {
	best, by := -1, noMatch
	for i := range r.asked {
		if m := line.answers(&r.asked[i].sighting); m > by {
			best, by = i, m
		}
	}
	if best < 0 {
		return q, false, false
	}
	q = r.asked[best]
	r.asked = append(r.asked[:best], r.asked[best+1:]...)
	if q.row != nil {
		w.kept--
	}
	return q, q.row == nil, true
}

// lineOf returns the remembered line that answers a row of the check and came before it; nil: none.
func (r *Run) lineOf(asked *sighting) *sighting {
	var best *sighting
	by := noMatch
	for i := range r.sightings {
		line := &r.sightings[i]
		if line.asked {
			continue
		}
		if m := line.answers(asked); m > by || m == by && best != nil && line.start < best.start {
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
func (line *sighting) answers(asked *sighting) match {
	if line.what == 0 || line.what != asked.what || !line.near(asked) || !agree(line.hostname, asked.hostname) ||
		!agree(line.tool, asked.tool) || !line.sameArguments(asked) {
		return noMatch
	}
	switch {
	case line.request != 0 && asked.request != 0 && line.request != asked.request:
		return noMatch
	case line.request != 0 && line.request == asked.request, line.span != 0 && line.span == asked.span:
		return byID
	}
	return byNumber
}

// AdvanceLogClock moves the log clock: rows of the check that have waited askedAfter count. The
// clock is read in whole seconds, so that it does not matter at which record it is read first.
func (p *Partition) AdvanceLogClock(now int64) { p.checkRows.advance(now / int64(time.Second)) }

func (w *checkRows) advance(second int64) {
	if second <= w.logSecond {
		return
	}
	w.logSecond = second
	rest := w.asking[:0]
	for _, r := range w.asking {
		waiting := false
		for i := range r.asked {
			q := &r.asked[i]
			if q.row != nil && (q.start+askedAfter)/int64(time.Second) < second {
				w.count(r, q)
			}
			waiting = waiting || q.row != nil
		}
		if r.asking = waiting; waiting {
			rest = append(rest, r)
		}
	}
	clear(w.asking[len(rest):])
	w.asking = rest
}

// adopt makes the kept rows of a restored run part of the partition.
func (w *checkRows) adopt(r *Run) {
	for i := range r.asked {
		if r.asked[i].row != nil {
			w.kept++
			r.asking = true
		}
	}
	if r.asking {
		w.asking = append(w.asking, r)
	}
}

// countAll makes all rows of the check of a run count that are still kept: the run ends.
func (w *checkRows) countAll(r *Run) {
	for i := range r.asked {
		w.count(r, &r.asked[i])
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

func codeAsked(c *wire.Coder, r *Run) {
	n := len(r.asked)
	c.Len(&n, 60)
	if !c.Encoding && n > 0 {
		r.asked = make([]askedRow, n)
	}
	for i := range r.asked {
		q := &r.asked[i]
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
	if !c.Encoding && n > askedPerRun {
		c.Refuse("more rows of the check than are kept")
	}
}
