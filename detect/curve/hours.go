package curve

import (
	"cmp"
	"slices"
	"time"

	"flyball/schema"
	"flyball/schema/wire"
)

const (
	// maxHours is how many hours of agents are counted at a time for an actor, about 200 bytes each.
	maxHours = 8
	// fewHours is how many of them are kept when they are over.
	fewHours = 2
	// hourIsOver is how long after its start, by the watermark, an hour is over: in ns.
	hourIsOver = int64(2 * time.Hour)
)

// Hours counts the calls of an actor by agent and hour. An actor has one agent as a rule, so there are two counters: of this hour
// and the one before.
type Hours struct {
	list []hour // in no order
	turn uint64 // of the last call
}

// hour is a counter.
type hour struct {
	tenant, agent string
	start         int64
	segment       int64
	runs          uint64
	turn          uint64
	unwritten     bool
	schema.Counters
}

// Add counts a call of the record at an offset. first reports whether it is the first call of its run that counts. word returns a
// copy of a string that aliases no record. full reports whether EndRecord must be called.
func (h *Hours) Add(c *schema.Call, offset int64, first bool, word func(string) string) (full bool) {
	start := startOf(c.Start, time.Hour)
	at := slices.IndexFunc(h.list, func(e hour) bool { return e.start == start && e.agent == c.AgentID && e.tenant == c.Tenant })
	if at < 0 {
		if at = len(h.list); at < maxHours && at == cap(h.list) { // nearly every actor has few, so it grows by one
			h.list = append(make([]hour, 0, at+1), h.list...)
		}
		h.list = append(h.list, hour{tenant: word(c.Tenant), agent: word(c.AgentID), start: start, segment: offset})
	}
	e := &h.list[at]
	h.turn++
	e.turn, e.unwritten = h.turn, true
	e.Counters.Add(c)
	if first {
		e.runs++
	}
	return len(h.list) > fewHours
}

// EndRecord gives up counters after the last call of a record, and calls write for those with calls that are not written.
func (h *Hours) EndRecord(watermark int64, actor uint32, part int32, write func(*schema.HourCount)) {
	for len(h.list) > fewHours {
		oldest := 0
		for i := range h.list {
			if h.list[i].turn < h.list[oldest].turn {
				oldest = i
			}
		}
		e := &h.list[oldest]
		if len(h.list) <= maxHours && watermark-e.start < hourIsOver {
			break
		}
		if e.unwritten {
			write(e.row(actor, part))
		}
		h.list = slices.Delete(h.list, oldest, oldest+1)
	}
	if cap(h.list) > 2*maxHours {
		h.list = slices.Clone(h.list)
	}
}

// Write calls write for the counters that have changed since the last call of Write. It must be called between two records.
func (h *Hours) Write(actor uint32, part int32, write func(*schema.HourCount)) {
	for i := range h.list {
		if e := &h.list[i]; e.unwritten {
			e.unwritten = false
			write(e.row(actor, part))
		}
	}
}

func (e *hour) row(actor uint32, part int32) *schema.HourCount {
	return &schema.HourCount{Tenant: e.tenant, Hour: e.start, AgentID: e.agent, Actor: actor, CallsPart: part, Segment: e.segment,
		Runs: e.runs, Counters: e.Counters}
}

// Code encodes or decodes the counters in the order of their last calls. tenant and agent are the numbers of their fields; see
// wire.Coder.Word.
func (h *Hours) Code(c *wire.Coder, tenant, agent int, word func(string) string) {
	n := len(h.list)
	c.Len(&n, 7)
	if !c.Encoding && n > 0 {
		h.list = make([]hour, n)
	}
	slices.SortFunc(h.list, func(x, y hour) int { return cmp.Compare(x.turn, y.turn) })
	for i := range h.list {
		e := &h.list[i]
		c.Word(tenant, &e.tenant)
		c.Word(agent, &e.agent)
		c.Int(&e.start)
		c.Int(&e.segment)
		c.Uint(&e.runs)
		codeCounters(c, &e.Counters)
		if !c.Encoding {
			e.tenant, e.agent = word(e.tenant), word(e.agent)
			e.turn = uint64(i + 1)
		}
	}
	if !c.Encoding {
		h.turn = uint64(n)
	}
}
