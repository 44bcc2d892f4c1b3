package decode

import (
	"errors"
	"flyball/ingest/fields"
	"flyball/ingest/mapping"
	"flyball/schema"
	"flyball/schema/identity"
	"flyball/schema/route"
)

// Record is a Kafka record as the source read it. Value is not written to, and
// strings of the calls alias it: it must not be used again while they live.
type Record struct {
	Topic     string
	TopicID   schema.TopicID
	Partition int32
	Offset    int64
	Timestamp int64 // Unix ns, 0 unknown
	Key       []byte
	Value     []byte
	Headers   []Header
}

// Header of a record.
type Header struct {
	Key   string
	Value []byte
}

// Reason is why an item could not become a call.
type Reason string

// The closed set of reasons.
const (
	Empty          Reason = "empty"             // no bytes
	TooLarge       Reason = "too_large"         // above max value, packed or unpacked
	TooDeep        Reason = "too_deep"          // nested deeper than 64
	TooNested      Reason = "too_nested"        // envelopes in envelopes in envelopes
	TooMany        Reason = "too_many_items"    // more items or fields than are read
	NotJSON        Reason = "not_json"          // does not parse
	TrailingData   Reason = "trailing_data"     // bytes after the document
	NotProto       Reason = "not_proto"         // protobuf does not parse, or is cut off
	WrongSignal    Reason = "wrong_signal"      // traces where logs are configured, or the other way round; metrics
	NoItems        Reason = "no_items"          // parses, and holds nothing
	UnknownFormat  Reason = "unknown_format"    // no fingerprint matches
	NotAnAccessLog Reason = "not_an_access_log" // a log record that describes no call
	NoTime         Reason = "no_time"           // neither the item nor its record has a time
	PartialLine    Reason = "partial_line"      // a line that a container runtime cut, without its rest
	Confluent      Reason = "confluent_framed"  // needs a schema registry
	Panicked       Reason = "decoder_failed"    // a fault of Flyball's own
)

// Reasons are all there are, for whoever counts by them.
func Reasons() []Reason {
	return []Reason{Empty, TooLarge, TooDeep, TooNested, TooMany, NotJSON, TrailingData, NotProto, WrongSignal, NoItems, UnknownFormat,
		NotAnAccessLog, NoTime, PartialLine, Confluent, Panicked}
}

// Rejected is an item that could not become a call. Value read again as a record of
// the same topic is that one item.
type Rejected struct {
	Item   uint32
	Reason Reason
	Detail string // never holds bytes of the item
	Value  []byte // the item's bytes; of an OTLP export one with that item alone
}

// Identifier says who called; see schema/identity.
type Identifier interface {
	Resolve(ev *identity.Evidence, c *schema.Call)
}

// Classifier says what kind of call it was; see schema/route.
type Classifier interface {
	Classify(c *schema.Call, in *route.Input)
}

// Input is how a topic is to be read.
type Input struct {
	Format   string // one of Formats, or a mapping's name
	Signal   string // traces, logs; empty: what the record says
	Timezone string // of times without one; empty is UTC
	// TrustedHops is how many entries of X-Forwarded-For, counted from the address that
	// the record names as the peer, were written by proxies that are trusted; see
	// identity.ClientAddress.
	TrustedHops int
}

// Options of a pipeline.
type Options struct {
	Inputs  map[string]Input // by topic
	Default Input            // of topics that are not named
	// Mappings are the operator's own formats.
	Mappings []*mapping.Program
	Tenant   string
	MaxValue int // bytes; 0 is 8 MiB
	MaxItems int // of one record; 0 is 20,000
	// KeepQueryValues are parameters whose values are kept, as attribute
	// query.NAME; of all others only the names are.
	KeepQueryValues []string
	// BelieveTokens reads identity from whole tokens that a gateway logged. Say
	// yes only if it refuses tokens that it has not verified: else a caller
	// could claim any identity.
	BelieveTokens bool
}

func reasonOf(err error) Reason {
	switch {
	case errors.Is(err, fields.ErrDeep):
		return TooDeep
	case errors.Is(err, fields.ErrFields):
		return TooMany
	}
	return NotJSON
}
