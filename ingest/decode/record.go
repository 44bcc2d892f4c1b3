package decode

import (
	"errors"

	"flyball/ingest/fields"
	"flyball/ingest/mapping"
	"flyball/schema"
	"flyball/schema/identity"
	"flyball/schema/route"
)

// Record is a Kafka record. Value is not changed, and strings of the calls share its memory: it must not be reused while the calls are
// used.
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

// Header is a header of a record.
type Header struct {
	Key   string
	Value []byte
}

// Reason is the reason why an item could not become a call. The set is closed.
type Reason string

// The reasons.
const (
	Empty          Reason = "empty"             // no bytes
	TooLarge       Reason = "too_large"         // above max value, packed or unpacked
	TooDeep        Reason = "too_deep"          // nested deeper than 64
	TooNested      Reason = "too_nested"        // more envelopes around the record than are unwrapped
	TooMany        Reason = "too_many_items"    // more items or fields than are read
	NotJSON        Reason = "not_json"          // does not parse as JSON
	TrailingData   Reason = "trailing_data"     // bytes after the document
	NotProto       Reason = "not_proto"         // protobuf that does not parse or is incomplete
	WrongSignal    Reason = "wrong_signal"      // traces where logs are configured, or the other way round; metrics
	NoItems        Reason = "no_items"          // parses but contains no items
	UnknownFormat  Reason = "unknown_format"    // no format matches
	NotAnAccessLog Reason = "not_an_access_log" // a log record that does not describe a call
	NoTime         Reason = "no_time"           // neither the item nor its record has a time
	PartialLine    Reason = "partial_line"      // a line that a container runtime split, without its last part
	UnknownUnit    Reason = "unknown_unit"      // a duration whose unit neither its name nor its form shows
	Confluent      Reason = "confluent_framed"  // needs a schema registry
	Panicked       Reason = "decoder_failed"    // an error in Flyball
)

// Reasons returns all reasons, for example for metrics.
func Reasons() []Reason {
	return []Reason{Empty, TooLarge, TooDeep, TooNested, TooMany, NotJSON, TrailingData, NotProto, WrongSignal, NoItems, UnknownFormat,
		NotAnAccessLog, NoTime, PartialLine, UnknownUnit, Confluent, Panicked}
}

// Rejected is an item that could not become a call. If Value is read again as a record of the same topic, it gives exactly this item.
type Rejected struct {
	Item   uint32
	Reason Reason
	Detail string // never contains bytes of the item
	Value  []byte // the item's bytes; for OTLP an export with only this item
	Items  int    // how many items of the record it stands for; 0: one
}

// Identifier sets the identity of the caller; see schema/identity.
type Identifier interface {
	Resolve(ev *identity.Evidence, c *schema.Call)
}

// Classifier sets the route, effect and resources of a call; see schema/route.
type Classifier interface {
	Classify(c *schema.Call, in *route.Input)
}

// Input describes how a topic is read.
type Input struct {
	Format   string // one of Formats, or a mapping's name
	Signal   string // traces or logs; empty: the signal in the record's header
	Timezone string // of times without a zone; empty is UTC
	// TrustedHops is the number of entries of X-Forwarded-For, counted from the logged peer, that trusted proxies wrote; see
	// identity.ClientAddress.
	TrustedHops int
}

// Options are the settings of a Pipeline.
type Options struct {
	Inputs  map[string]Input // by topic
	Default Input            // of topics that are not in Inputs
	// Mappings are the formats that the operator defined.
	Mappings []*mapping.Program
	Tenant   string
	MaxValue int // bytes; 0 is 8 MiB
	MaxItems int // of one record; 0 is 20,000
	// KeepQueryValues are the query parameters whose values are kept, as attribute query.NAME. Of other parameters only the names are kept.
	KeepQueryValues []string
	// BelieveTokens enables the use of claims from complete tokens that a gateway logged. Set it only if the gateway rejects tokens that it
	// has not verified: otherwise a caller can claim any identity.
	BelieveTokens bool
	// Schemas reads records in the Confluent wire format whose payload is not JSON; nil: there is no schema registry.
	Schemas Schemas
}

// Schemas gives the payload of a record in the Confluent wire format as JSON. The error may not contain bytes of the record.
type Schemas interface {
	JSON(framed []byte) ([]byte, error)
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
