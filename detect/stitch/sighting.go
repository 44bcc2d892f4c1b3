package stitch

import (
	"encoding/binary"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"flyball/schema"
)

// AttrObservationOf marks a row as a further observation of a call that is already counted. Its
// value is the record_id of the counted row.
const AttrObservationOf = "observation_of"

const (
	// sightingsPerRun bounds the calls for which further observations are recognised, if the actor
	// has several observers of lines.
	sightingsPerRun = 256
	// fewSightings is the bound while only one observer is known: the first row of a second one, or of
	// the check, is recognised among the last calls.
	fewSightings = 4
	// uncheckedSightings is the bound for calls that the check has not recorded yet.
	uncheckedSightings = 16
	// observersPerActor bounds the observers of an actor that are distinguished.
	observersPerActor = 8
	// sameCall is the maximum distance, in ns, between the starts of two observations of one call.
	sameCall = int64(60 * time.Second)
)

// sighting holds the fields of a call that identify another observation of it.
type sighting struct {
	request, span uint64 // hashes of the request id, and of the trace and the caller's span; 0 none
	content       uint64 // hash of method, path as it was sent, tool and status
	what          uint64 // hash of method and path as it was sent; 0: stored before version 10
	tool          uint64 // hash of MCP method and tool; 0: none
	host          uint64 // hash of the host; 0: not logged
	hostname      uint64 // the same without the port
	args          uint64 // digest of the arguments; 0: not logged
	argsBasis     schema.DigestBasis
	checked       bool // the check has recorded it
	start         int64
	observers     uint8  // a bit for each of the actor's observers of lines that has seen it
	record        string // record_id of the row that counts
}

// observer returns the number of a line's observer among those of the actor; -1: there are too many
// to distinguish them.
func (a *Actor) observer(c *schema.Call) int {
	var raw schema.TextBuffer
	text := append(append(raw[:0], byte(c.ObserverKind)), c.Observer...)
	text = append(append(text, 0), c.Format...)
	h := xxhash.Sum64(append(append(text, 0), c.Source.Topic...))
	for i, o := range a.observers {
		if o == h {
			return i
		}
	}
	if len(a.observers) == observersPerActor {
		return -1
	}
	a.observers = append(a.observers, h)
	return len(a.observers) - 1
}

// relation is what a row is to the call that it describes.
type relation int

const (
	countedRow relation = iota // the row counts
	ofCheck                    // a row of the check: it counts if no line comes
	furtherRow                 // the call counts by another row
	lateRow                    // the call counts by the check's row, because this line is late
)

// relate decides what a row is to its call, and returns the record_id of the row that counts if it
// is another one. A caller chooses request ids and spans, so two lines are the same call only if
// they also agree in method, path as it was sent (without the query), tool and status, and in host
// and arguments where both have them. Two lines of one observer are always two calls. In doubt both
// rows are counted, for example when a service logs a path that its gateway has rewritten.
func (w *checkRows) relate(a *Actor, r *Run, c *schema.Call) (of string, what relation) {
	var s sighting
	s.read(c)
	if c.ObserverKind == schema.ObserverGate {
		a.checked = true
		if line := r.lineOf(&s); line != nil {
			line.checked = true
			return line.record, furtherRow
		}
		return "", ofCheck
	}
	by := a.observer(c)
	if by >= 0 {
		s.observers = 1 << by
		if o := r.sameLine(&s); o != nil {
			o.observers |= s.observers
			return o.record, furtherRow
		}
	}
	s.record = recordID(c)
	q, late, found := w.take(r, &s)
	if s.checked = found; late {
		of, what, s.record = q.record, lateRow, q.record
	}
	if by >= 0 {
		r.remember(s, a.sightings(&s))
	}
	return of, what
}

// sameLine returns the remembered call that a line of another observer is of; nil: none.
func (r *Run) sameLine(s *sighting) *sighting {
	if s.request == 0 && s.span == 0 {
		return nil
	}
	for i := range r.sightings {
		if o := &r.sightings[i]; o.sameCall(s) && o.observers&s.observers == 0 && o.near(s) {
			return o
		}
	}
	return nil
}

// sightings returns how many calls of a run are remembered, if a line is one of them.
func (a *Actor) sightings(s *sighting) int {
	switch {
	case (s.request != 0 || s.span != 0) && len(a.observers) > 1:
		return sightingsPerRun
	case a.checked && !s.checked:
		return uncheckedSightings
	}
	return fewSightings
}

// read sets the fields that describe the request and the response of a call.
func (s *sighting) read(c *schema.Call) {
	s.request, s.span, s.start = requestHash(c), spanHash(c), c.Start
	var raw schema.TextBuffer
	text := append(append(raw[:0], c.Method...), 0)
	text = append(append(text, c.Path...), 0)
	text = append(append(text, c.MCPMethod...), 0)
	text = append(append(text, c.ToolName...), 0)
	s.content = xxhash.Sum64(append(text, byte(c.Status), byte(c.Status>>8)))
	s.what = schema.HashStrings(c.Method, c.Path)
	if c.MCPMethod != "" || c.ToolName != "" {
		s.tool = schema.HashStrings(c.MCPMethod, c.ToolName)
	}
	if c.Host != "" {
		s.host = xxhash.Sum64String(c.Host)
		if s.hostname = s.host; strings.IndexByte(c.Host, ':') >= 0 {
			s.hostname = xxhash.Sum64String(withoutPort(c.Host))
		}
	}
	s.args, s.argsBasis = c.ArgsDigest, c.ArgsDigestBasis
}

// sameCall reports whether two lines may be of one call.
func (s *sighting) sameCall(o *sighting) bool {
	return (s.request != 0 && s.request == o.request || s.span != 0 && s.span == o.span) && s.content == o.content &&
		agree(s.host, o.host) && s.sameArguments(o)
}

// agree reports whether two values are equal where both are known.
func agree(a, b uint64) bool { return a == b || a == 0 || b == 0 }

// sameArguments reports whether two rows agree in arguments, where both have them.
func (s *sighting) sameArguments(o *sighting) bool {
	return agree(s.args, o.args) || s.argsBasis != o.argsBasis
}

// withoutPort returns a host without its port.
func withoutPort(host string) string {
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		return host[:i]
	}
	return host
}

// near reports whether two rows start within sameCall of each other.
func (s *sighting) near(o *sighting) bool {
	return o.start-s.start < sameCall && s.start-o.start < sameCall
}

// remember stores a sighting in place of one that is too old to match, else after the others, up to
// a bound, else in place of the oldest.
func (r *Run) remember(s sighting, bound int) {
	if len(r.sightings) > 0 {
		if oldest := &r.sightings[r.oldestSighting]; len(r.sightings) >= bound || s.start-oldest.start > sameCall {
			*oldest = s
			r.oldestSighting = uint16((int(r.oldestSighting) + 1) % len(r.sightings))
			return
		}
	}
	// The ring is put in order of age again, so that oldestSighting is the oldest.
	if r.oldestSighting != 0 {
		r.sightings = append(slices.Clone(r.sightings[r.oldestSighting:]), r.sightings[:r.oldestSighting]...)
		r.oldestSighting = 0
	}
	r.sightings = append(r.sightings, s)
}

// recordID returns the value of the column record_id of the view calls.
func recordID(c *schema.Call) string {
	var raw schema.TextBuffer
	id := append(append(raw[:0], c.Source.Topic...), '/')
	id = append(strconv.AppendInt(id, int64(c.Source.Partition), 10), '/')
	id = append(strconv.AppendInt(id, c.Pos.Offset, 10), '/')
	return string(strconv.AppendUint(id, uint64(c.Pos.Item), 10))
}

func requestHash(c *schema.Call) uint64 {
	if c.RequestID == "" {
		return 0
	}
	return xxhash.Sum64String(c.RequestID)
}

// spanHash returns the hash of the trace and of the caller's span, which is the parent of every
// observer's span; 0: not logged. For the client's own row it is the row's span.
func spanHash(c *schema.Call) uint64 {
	span := c.ParentSpanID
	if c.ObserverKind == schema.ObserverClient || c.ObserverKind == schema.ObserverAgentRuntime {
		span = c.SpanID
	}
	if span == [8]byte{} || c.TraceID == [16]byte{} {
		return 0
	}
	var b [24]byte
	copy(b[:], c.TraceID[:])
	binary.BigEndian.PutUint64(b[16:], binary.BigEndian.Uint64(span[:]))
	return xxhash.Sum64(b[:])
}
