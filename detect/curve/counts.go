package curve

import (
	"strings"
	"time"

	"flyball/schema"
)

const (
	// maxMinutes is how many minutes of tenants are counted at a time: about 0.5 MB.
	maxMinutes = 2048
	// maxBindings is the same of hours, producers, formats and rules of tenants: about 0.4 MB.
	maxBindings = 2048
)

// Counts counts the calls of a partition of flyball.calls by minute, and by the rule that bound them.
type Counts struct {
	part     int32
	included int64 // offset up to which all records are counted
	minutes  bounded[minuteKey, schema.Counters]
	bindings bounded[bindingKey, uint64]
	chain    chain
}

type minuteKey struct {
	tenant string
	minute int64
}

type bindingKey struct {
	tenant, producer, format string
	hour                     int64
	rule                     schema.RunRule
}

// New returns counters without calls, for records after an offset of flyball.calls.
func New(part int32, included int64) *Counts {
	return newCounts(part, included, maxMinutes, maxBindings)
}

func newCounts(part int32, included int64, minutes, bindings int) *Counts {
	return &Counts{part: part, included: included,
		minutes: newBounded[minuteKey, schema.Counters](minutes, func(k, like minuteKey) minuteKey {
			k.tenant = own(k.tenant, like.tenant)
			return k
		}),
		bindings: newBounded[bindingKey, uint64](bindings, func(k, like bindingKey) bindingKey {
			k.tenant, k.producer, k.format = own(k.tenant, like.tenant), own(k.producer, like.producer), own(k.format, like.format)
			return k
		})}
}

// own returns a copy of s that aliases no record; like is a string that may be equal.
func own(s, like string) string {
	if s == like {
		return like
	}
	return strings.Clone(s)
}

// Add counts a call at the offset of flyball.calls at which it was decided that it counts. A call that does not count, and one at
// an offset that is included, is left out.
func (n *Counts) Add(c *schema.Call, offset int64) {
	if offset <= n.included || !c.Counted() {
		return
	}
	n.minutes.touch(minuteKey{c.Tenant, startOf(c.Start, time.Minute)}, offset).Add(c)
	*n.bindings.touch(bindingKey{c.Tenant, c.Observer, c.Format, startOf(c.Start, time.Hour), c.RunRule}, offset)++
}

// EndRecord records that all calls of the record at an offset were added.
func (n *Counts) EndRecord(offset int64) {
	if offset <= n.included {
		return
	}
	n.included = offset
	n.minutes.trim()
	n.bindings.trim()
}

// Included returns the offset up to which all records are counted.
func (n *Counts) Included() int64 { return n.included }

// Waiting returns the number of counters that were given up and are not written yet.
func (n *Counts) Waiting() int { return len(n.minutes.given) + len(n.bindings.given) }

// Write calls the functions for the counters that have changed since the last call of Write. It must be called between two
// records.
func (n *Counts) Write(minute func(*schema.MinuteCount), binding func(*schema.StitchingCount)) {
	n.minutes.write(func(e *entry[minuteKey, schema.Counters]) {
		minute(&schema.MinuteCount{Tenant: e.key.tenant, Minute: e.key.minute, CallsPart: n.part, Segment: e.segment, Counters: e.value})
	})
	n.bindings.write(func(e *entry[bindingKey, uint64]) {
		binding(&schema.StitchingCount{Tenant: e.key.tenant, Hour: e.key.hour, Producer: e.key.producer, Format: e.key.format,
			Rule: e.key.rule, CallsPart: n.part, Segment: e.segment, Calls: e.value})
	})
}

// lastHour is the start of the last hour that the columns of the tables can have.
const lastHour = int64(1<<32-4096) / 3600 * 3600 * int64(time.Second)

// startOf returns the start of the interval of a Unix time in ns, limited to the range of the columns: two intervals are never
// one row.
func startOf(ns int64, interval time.Duration) int64 {
	if ns < 0 {
		return 0
	}
	return min(ns-ns%int64(interval), lastHour)
}
