package engine

import (
	"strings"
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
	posted  *clickhouse.Block[schema.Posting]
	ids     *clickhouse.Block[schema.CallID]
	counts  *clickhouse.Block[schema.StitchingCount]
	scores  *clickhouse.Block[schema.Score]

	from, to int64 // covered offsets of flyball.calls; from is -1 while empty
	min, max int64
	seen     map[touchKey]int // rows of touched below, merged within the record
	touched  []schema.Touch
	posts    map[schema.Posting]struct{} // written lately
	calledID map[schema.CallID]struct{}  // of the record
	bound    map[countKey]uint64         // calls of the record that is being applied, by tenant, observer, format, hour and rule
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

func newJournal(part int32) *journal {
	return &journal{
		part:  part,
		calls: clickhouse.CallsTable.NewBlock(), runs: clickhouse.RunsTable.NewBlock(),
		touches: clickhouse.TouchesTable.NewBlock(), posted: clickhouse.PostingsTable.NewBlock(),
		ids: clickhouse.CallIDsTable.NewBlock(), counts: clickhouse.StitchingTable.NewBlock(),
		scores: clickhouse.ScoresTable.NewBlock(),
		bound:  map[countKey]uint64{},
		from:   -1, seen: map[touchKey]int{}, posts: map[schema.Posting]struct{}{}, calledID: map[schema.CallID]struct{}{},
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
			Actor:         c.ActorHash,
			Reversibility: c.Reversibility, First: c.Start, Last: c.Start})
	}
	j.index(c)
}

// maxPosts is how many postings of a partition are remembered, so that they are not written again.
const maxPosts = 1 << 14

// index adds the rows by which a call is found: its names, addresses and ids.
func (j *journal) index(c *schema.Call) {
	day := schema.DayOf(c.Start)
	post := func(kind schema.PostingKind, value string) {
		if value == "" {
			return
		}
		p := schema.Posting{Tenant: c.Tenant, Kind: kind, Value: value, Day: day, Actor: c.ActorHash}
		if _, ok := j.posts[p]; ok {
			return
		}
		if len(j.posts) >= maxPosts {
			clear(j.posts)
		}
		p.Tenant, p.Value = strings.Clone(p.Tenant), strings.Clone(p.Value)
		j.posts[p] = struct{}{}
		j.posted.AppendValue(p)
	}
	post(schema.PostingAgent, c.AgentID)
	post(schema.PostingAsserted, c.AgentAsserted)
	post(schema.PostingCredential, c.CredentialID)
	post(schema.PostingPrincipal, c.PrincipalID)
	if c.ClientIP.IsValid() {
		post(schema.PostingAddress, c.ClientIP.String())
	}
	post(schema.PostingHost, c.Host)
	post(schema.PostingTool, c.ToolName)
	id := func(kind schema.CallIDKind, hash uint32) {
		k := schema.CallID{Tenant: c.Tenant, Day: day, Kind: kind, ID: hash, Actor: c.ActorHash}
		if _, ok := j.calledID[k]; !ok {
			j.calledID[k] = struct{}{}
			j.ids.AppendValue(k)
		}
	}
	if c.TraceID != [16]byte{} {
		id(schema.CallIDTrace, schema.HashCallID(c.TraceID[:]))
	}
	if c.RequestID != "" {
		id(schema.CallIDRequest, schema.HashCallID(c.RequestID))
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
			Rule: k.rule, CallsPart: j.part, Segment: offset, Calls: n})
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
	rec.Sections = append(rec.Sections, j.section("calls_v5", j.calls))
	if j.posted.Rows() > 0 {
		rec.Sections = append(rec.Sections, j.section("postings", j.posted))
	}
	if j.ids.Rows() > 0 {
		rec.Sections = append(rec.Sections, j.section("call_ids", j.ids))
	}
	if j.touches.Rows() > 0 {
		rec.Sections = append(rec.Sections, j.section("touches_v5", j.touches))
	}
	if j.counts.Rows() > 0 {
		rec.Sections = append(rec.Sections, j.section("stitching_v5", j.counts))
	}
	if j.scores.Rows() > 0 {
		rec.Sections = append(rec.Sections, j.section("scores_store", j.scores))
	}
	value := wire.EncodeJournal(nil, &rec)
	j.calls.Reset()
	j.scores.Reset()
	j.touches.Reset()
	j.posted.Reset()
	j.ids.Reset()
	j.counts.Reset()
	clear(j.seen)
	clear(j.touched)
	clear(j.calledID)
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
	rec := wire.Journal{CallsTopicID: id, CallsPart: j.part, From: -1, To: -1, Sections: []wire.Section{j.section("runs_v5", j.runs)}}
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
