package engine

import (
	"time"

	"flyball/schema"
	"flyball/schema/clickhouse"
	"flyball/schema/wire"

	"flyball/detect/stitch"
)

// journal gathers rows, in the format of the store, until a record is written.
type journal struct {
	part    int32
	calls   *clickhouse.Block[schema.Call]
	runs    *clickhouse.Block[schema.RunSnapshot]
	touches *clickhouse.Block[schema.Touch]
	traces  *clickhouse.Block[schema.Call]
	counts  *clickhouse.Block[schema.StitchingCount]
	scores  *clickhouse.Block[schema.Score]

	from, to int64 // covered offsets of flyball.calls; from is -1 while empty
	min, max int64
	seen     map[touchKey]int // rows of touched below, merged within the record
	touched  []schema.Touch
	traced   map[traceKey]struct{}
	bound    map[countKey]uint64 // calls of the record that is being applied, by tenant, observer, format, hour and rule
	buf      []byte
}

type countKey struct {
	tenant, producer, format string
	hour                     int64
	rule                     schema.RunRule
}

type touchKey struct {
	run      schema.RunID
	kind, id string
	effect   schema.Effect
}

type traceKey struct {
	run   schema.RunID
	trace [16]byte
	hour  int64
}

func newJournal(part int32) *journal {
	return &journal{
		part:  part,
		calls: clickhouse.CallsTable.NewBlock(), runs: clickhouse.RunsTable.NewBlock(),
		touches: clickhouse.TouchesTable.NewBlock(), traces: clickhouse.TraceCallsTable.NewBlock(), counts: clickhouse.StitchingTable.NewBlock(),
		scores: clickhouse.ScoresTable.NewBlock(),
		bound:  map[countKey]uint64{},
		from:   -1, seen: map[touchKey]int{}, traced: map[traceKey]struct{}{},
	}
}

// add adds a stitched call. Its strings may alias a block: the journal holds them only until the
// record is written.
func (j *journal) add(c *schema.Call) {
	j.calls.Append(c)
	if j.min == 0 || c.Start < j.min {
		j.min = c.Start
	}
	j.max = max(j.max, c.Start)
	j.bound[countKey{c.Tenant, c.Observer, c.Format, c.Start - c.Start%int64(time.Hour), c.RunRule}]++
	fromCheck := c.ObserverKind == schema.ObserverGate
	if fromCheck && c.Outcome == schema.OutcomeDenied {
		return // the call was never made
	}
	// The index lists every run that may have touched a resource. A further observation of a call
	// may name resources that the counted row does not name, and a call that the check allowed may
	// have no other log.
	for i := range c.Resources {
		r := &c.Resources[i]
		k := touchKey{c.RunID, r.Type, r.ID, c.Effect}
		if at, ok := j.seen[k]; ok {
			t := &j.touched[at]
			t.First, t.Last = min(t.First, c.Start), max(t.Last, c.Start)
			t.Reversibility = max(t.Reversibility, c.Reversibility)
			continue
		}
		j.seen[k] = len(j.touched)
		j.touched = append(j.touched, schema.Touch{Tenant: c.Tenant, Resource: *r, RunID: c.RunID, Effect: c.Effect,
			Reversibility: c.Reversibility, First: c.Start, Last: c.Start})
	}
	if c.TraceID != [16]byte{} && !fromCheck {
		k := traceKey{c.RunID, c.TraceID, c.Start / int64(time.Hour)}
		if _, ok := j.traced[k]; !ok {
			j.traced[k] = struct{}{}
			j.traces.Append(c)
		}
	}
}

// replace adds a newer version of a row that was added before. What the other tables have of the call
// does not change.
func (j *journal) replace(c *schema.Call) {
	j.calls.Append(c)
	if j.min == 0 || c.Start < j.min {
		j.min = c.Start
	}
	j.max = max(j.max, c.Start)
}

// score adds a row of scores. Its call is added to the same record.
func (j *journal) score(s *schema.Score) { j.scores.Append(s) }

// covered records that all calls of a record of flyball.calls are in the journal.
func (j *journal) covered(offset int64) {
	if j.from < 0 {
		j.from = offset
	}
	j.to = offset
	// A count covers one record of flyball.calls: a repeat after a crash covers the same record,
	// and the store keeps the larger count.
	for k, n := range j.bound {
		j.counts.AppendValue(schema.StitchingCount{Tenant: k.tenant, Hour: k.hour, Producer: k.producer, Format: k.format,
			Rule: k.rule, CallsPart: j.part, From: offset, To: offset, Calls: n})
	}
	clear(j.bound)
}

func (j *journal) rows() int { return j.calls.Rows() }

// cut encodes the gathered rows and empties the journal; nil: there were none.
func (j *journal) cut(id schema.TopicID) []byte {
	if j.calls.Rows() == 0 {
		j.from = -1
		return nil
	}
	for _, t := range j.touched {
		j.touches.AppendValue(t)
	}
	rec := wire.Journal{CallsTopicID: id, CallsPart: j.part, From: j.from, To: j.to, MinStart: j.min, MaxStart: j.max}
	j.buf = j.buf[:0]
	rec.Sections = append(rec.Sections, j.section("calls_store", j.calls))
	if j.traces.Rows() > 0 {
		rec.Sections = append(rec.Sections, j.section("trace_calls", j.traces))
	}
	if j.touches.Rows() > 0 {
		rec.Sections = append(rec.Sections, j.section("touches_store", j.touches))
	}
	if j.counts.Rows() > 0 {
		rec.Sections = append(rec.Sections, j.section("stitching_store", j.counts))
	}
	if j.scores.Rows() > 0 {
		rec.Sections = append(rec.Sections, j.section("scores_store", j.scores))
	}
	value := wire.EncodeJournal(nil, &rec)
	j.calls.Reset()
	j.scores.Reset()
	j.touches.Reset()
	j.traces.Reset()
	j.counts.Reset()
	clear(j.seen)
	clear(j.touched)
	clear(j.traced)
	j.touched, j.from, j.min, j.max = j.touched[:0], -1, 0, 0
	return value
}

// snapshots encodes run snapshots as a separate record. It covers no offsets of flyball.calls:
// snapshots replace each other by version, and a store that already has the calls must not skip
// them.
func (j *journal) snapshots(runs []*stitch.Run, id schema.TopicID) []byte {
	for _, r := range runs {
		s := r.Snapshot()
		j.runs.Append(&s)
		r.Emitted = s.Version
	}
	j.buf = j.buf[:0]
	rec := wire.Journal{CallsTopicID: id, CallsPart: j.part, From: -1, To: -1, Sections: []wire.Section{j.section("runs_store", j.runs)}}
	value := wire.EncodeJournal(nil, &rec)
	j.runs.Reset()
	return value
}

type block interface {
	Rows() int
	AppendNative(dst []byte) []byte
}

func (j *journal) section(table string, b block) wire.Section {
	from := len(j.buf)
	j.buf = b.AppendNative(j.buf)
	return wire.Section{Table: table, Rows: b.Rows(), Native: j.buf[from:len(j.buf):len(j.buf)]}
}
