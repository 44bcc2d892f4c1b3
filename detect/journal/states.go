package journal

import (
	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/wire"
)

// states gathers rows that replace each other: snapshots of runs, and counts of calls.
type states struct {
	runs     *clickhouse.Block[schema.RunSnapshot]
	minutes  *clickhouse.Block[schema.MinuteCount]
	hours    *clickhouse.Block[schema.HourCount]
	bindings *clickhouse.Block[schema.StitchingCount]
}

func newStates() states {
	return states{runs: clickhouse.RunsTable.NewBlock(), minutes: clickhouse.MinutesTable.NewBlock(),
		hours: clickhouse.HoursTable.NewBlock(), bindings: clickhouse.StitchingTable.NewBlock()}
}

// AddRun adds a snapshot of a run, and the postings by which it is found.
func (w *Writer) AddRun(s *schema.RunSnapshot) {
	w.index.addRun(s)
	if s.OpenedDay == 0 && w.legacy != nil {
		w.legacy.runs.Append(s)
		return
	}
	w.runs.Append(s)
}

// AddMinute adds the count of a minute.
func (w *Writer) AddMinute(n *schema.MinuteCount) { w.minutes.Append(n) }

// AddHour adds the count of an agent in an hour.
func (w *Writer) AddHour(n *schema.HourCount) { w.hours.Append(n) }

// AddBinding adds the count of the calls that a rule has bound.
func (w *Writer) AddBinding(n *schema.StitchingCount) { w.bindings.Append(n) }

// States returns the number of snapshots and counts.
func (w *Writer) States() int {
	n := w.runs.Rows() + w.minutes.Rows() + w.hours.Rows() + w.bindings.Rows()
	if w.legacy != nil {
		n += w.legacy.runs.Rows()
	}
	return n
}

// CutStates returns the gathered snapshots and counts as a record, and empties the writer of them. nil: there were none. It covers
// no offsets of flyball.calls: they replace each other by version, and a store that already has the calls must not skip them.
func (w *Writer) CutStates(id schema.TopicID) []byte {
	if w.States() == 0 {
		return nil
	}
	blocks := []clickhouse.Rows{w.postings, w.runs, w.minutes, w.hours, w.bindings}
	if w.legacy != nil {
		blocks = append(blocks, w.legacy.runs)
	}
	return w.encode(&wire.Journal{CallsTopicID: id, CallsPart: w.part, From: -1, To: -1}, blocks...)
}
