package journal

import (
	"time"

	"flyball/schema"
	"flyball/schema/clickhouse"
)

// legacy gathers rows of the tables of schema version 4: of the calls that a process of that version may have written, and of
// the runs that it has opened. So a row and its repeat are always in one table.
type legacy struct {
	to      int64 // highest offset of flyball.calls whose calls are rows of these tables
	calls   *clickhouse.Block[schema.Call]
	traces  *clickhouse.Block[schema.Call]
	counts  *clickhouse.Block[schema.StitchingCount]
	runs    *clickhouse.Block[schema.RunSnapshot]
	touches touches
	traced  map[traceKey]struct{} // of the record
	bound   map[countKey]uint64   // calls of a record of flyball.calls
}

type traceKey struct {
	run   schema.RunID
	trace [16]byte
	hour  int64
}

type countKey struct {
	tenant, producer, format string
	hour                     int64
	rule                     schema.RunRule
}

// SetLegacyTo sets the highest offset of flyball.calls whose calls are rows of the tables of schema version 4; -1: none.
func (w *Writer) SetLegacyTo(offset int64) {
	w.legacy = nil
	if offset < 0 {
		return
	}
	w.legacy = &legacy{to: offset, calls: clickhouse.LegacyCallsTable.NewBlock(), traces: clickhouse.LegacyTraceCallsTable.NewBlock(),
		counts: clickhouse.LegacyStitchingTable.NewBlock(), runs: clickhouse.LegacyRunsTable.NewBlock(),
		touches: newTouches(clickhouse.LegacyTouchesTable), traced: map[traceKey]struct{}{}, bound: map[countKey]uint64{}}
}

// has reports whether the calls at an offset are rows of the tables of schema version 4.
func (l *legacy) has(offset int64) bool { return l != nil && offset <= l.to }

// add adds what has to be written of a call beside its row.
func (l *legacy) add(c *schema.Call) {
	l.touches.add(c)
	l.bound[countKey{c.Tenant, c.Observer, c.Format, c.Start - c.Start%int64(time.Hour), c.RunRule}]++
	if c.TraceID == [16]byte{} || c.ObserverKind == schema.ObserverGate {
		return
	}
	k := traceKey{c.RunID, c.TraceID, c.Start / int64(time.Hour)}
	if _, ok := l.traced[k]; !ok {
		l.traced[k] = struct{}{}
		l.traces.Append(c)
	}
}

// covered adds the counts of a record of flyball.calls: a repeat covers the same record, and the table keeps the larger count.
func (l *legacy) covered(part int32, offset int64) {
	for k, n := range l.bound {
		l.counts.AppendValue(schema.StitchingCount{Tenant: k.tenant, Hour: k.hour, Producer: k.producer, Format: k.format,
			Rule: k.rule, CallsPart: part, From: offset, To: offset, Calls: n})
	}
	clear(l.bound)
}

// blocks returns the blocks of a record, in the order of its sections.
func (l *legacy) blocks() []clickhouse.Rows {
	l.touches.write()
	clear(l.traced)
	return []clickhouse.Rows{l.calls, l.traces, l.touches.rows, l.counts}
}
