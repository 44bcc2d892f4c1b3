package journal

import (
	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/wire"
)

// Writer gathers the rows of one partition of flyball.calls, in the format of the store, until a record is cut.
type Writer struct {
	part   int32
	calls  *clickhouse.Block[schema.Call]
	scores *clickhouse.Block[schema.Score]
	touches
	index
	legacy *legacy // nil: no process of schema version 4 has written the partition
	states

	from, to int64 // covered offsets of flyball.calls; from is -1 while empty
	min, max int64 // event times of the calls
	buf      []byte
}

// New returns a writer without rows.
func New(part int32) *Writer {
	return &Writer{part: part, calls: clickhouse.CallsTable.NewBlock(), scores: clickhouse.ScoresTable.NewBlock(),
		touches: newTouches(clickhouse.TouchesTable), index: newIndex(), states: newStates(), from: -1}
}

// Add adds the rows of a stitched call of a run. Their strings may alias a record of flyball.calls: the writer holds them only
// until Cut.
func (w *Writer) Add(c *schema.Call, run *schema.RunSnapshot) {
	w.AddNames(c, run)
	w.AddCalls([]*schema.Call{c})
}

// AddNames adds the postings of the names of a call and of its run. AddCalls adds the other rows of the call.
func (w *Writer) AddNames(c *schema.Call, run *schema.RunSnapshot) { w.index.addNames(c, run) }

// AddCalls adds the rows of calls of one record of flyball.calls, without their postings.
func (w *Writer) AddCalls(calls []*schema.Call) {
	if len(calls) == 0 {
		return
	}
	w.index.addIDs(calls)
	if w.legacy.has(calls[0].CallsOffset) {
		w.legacy.calls.AppendAll(calls)
		for _, c := range calls {
			w.noteStart(c)
			w.legacy.add(c)
		}
		return
	}
	w.calls.AppendAll(calls)
	for _, c := range calls {
		w.noteStart(c)
		w.touches.add(c)
	}
}

// Replace adds a newer version of a row that was added before. What the other tables have of the call does not change.
func (w *Writer) Replace(c *schema.Call) {
	if w.legacy.has(c.CallsOffset) {
		w.legacy.calls.Append(c)
	} else {
		w.calls.Append(c)
	}
	w.noteStart(c)
}

func (w *Writer) noteStart(c *schema.Call) {
	if w.min == 0 || c.Start < w.min {
		w.min = c.Start
	}
	w.max = max(w.max, c.Start)
}

// Score adds a row of scores. Its call is added to the same record.
func (w *Writer) Score(s *schema.Score) { w.scores.Append(s) }

// Covered records that the rows of all calls of the record of flyball.calls at an offset were added. It is called for each
// record, also for one without calls.
func (w *Writer) Covered(offset int64) {
	if w.from < 0 {
		w.from = offset
	}
	w.to = offset
	if w.legacy.has(offset) {
		w.legacy.covered(w.part, offset)
	}
}

// Rows returns the number of rows of calls.
func (w *Writer) Rows() int {
	if w.legacy != nil {
		return w.calls.Rows() + w.legacy.calls.Rows()
	}
	return w.calls.Rows()
}

// Bytes returns the approximate size of the rows of calls.
func (w *Writer) Bytes() int {
	if w.legacy != nil {
		return w.calls.Bytes() + w.legacy.calls.Bytes()
	}
	return w.calls.Bytes()
}

// Cut returns the gathered rows as a record, and empties the writer. nil: there were none. id is that of flyball.calls.
func (w *Writer) Cut(id schema.TopicID) []byte {
	if w.Rows() == 0 {
		w.from = -1
		return nil
	}
	w.touches.write()
	rec := wire.Journal{CallsTopicID: id, CallsPart: w.part, From: w.from, To: w.to, MinStart: w.min, MaxStart: w.max}
	blocks := []clickhouse.Rows{w.calls, w.postings, w.ids, w.touches.rows}
	if w.legacy != nil {
		blocks = append(blocks, w.legacy.blocks()...)
	}
	value := w.encode(&rec, append(blocks, w.scores)...)
	w.from, w.min, w.max = -1, 0, 0
	return value
}

// encode encodes a record with the rows of blocks, and empties them.
func (w *Writer) encode(rec *wire.Journal, blocks ...clickhouse.Rows) []byte {
	w.buf = w.buf[:0]
	for _, b := range blocks {
		if b.Rows() == 0 {
			continue
		}
		from := len(w.buf)
		w.buf = b.AppendNative(w.buf)
		rec.Sections = append(rec.Sections, wire.Section{Table: b.Table(), Rows: b.Rows(), Native: w.buf[from:len(w.buf):len(w.buf)]})
		b.Reset()
	}
	return wire.EncodeJournal(make([]byte, 0, rec.MaxBytes()), rec)
}
