package decode

import (
	"flyball/schema"
	"flyball/schema/identity"
	"flyball/schema/route"
)

// Record is a Kafka record as the source read it. Value is not written to.
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
	TooLarge       Reason = "too_large"         // above max value
	TooDeep        Reason = "too_deep"          // JSON nested deeper than 64
	TooNested      Reason = "too_nested"        // envelopes in envelopes in envelopes
	TooMany        Reason = "too_many_items"    // more items than one record may hold
	NotJSON        Reason = "not_json"          // does not parse
	TrailingData   Reason = "trailing_data"     // bytes after the document
	NotProto       Reason = "not_proto"         // protobuf does not parse
	WrongSignal    Reason = "wrong_signal"      // traces where logs are configured, or the other way round
	NoItems        Reason = "no_items"          // parses, and holds nothing
	UnknownFormat  Reason = "unknown_format"    // no fingerprint matches
	NotAnAccessLog Reason = "not_an_access_log" // a log record that says nothing of a call
	NoTime         Reason = "no_time"           // neither the item nor its record has a time
	PartialLine    Reason = "partial_line"      // a CRI line cut in the middle
	Confluent      Reason = "confluent_framed"  // needs a schema registry
	Panicked       Reason = "decoder_failed"    // a fault of Flyball's own
)

// Dead is an item that could not become a call.
type Dead struct {
	Item   uint32
	Reason Reason
	Detail string // never holds bytes of the item
	Value  []byte // the item's original bytes
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
	Format   string // auto, otlp_proto, otlp_json, envoy_json, envoy_text, istio_text, nginx_json
	Signal   string // traces, logs; empty: what the record says
	Timezone string // of times without one; empty is UTC
}

// Options of a pipeline.
type Options struct {
	Inputs   map[string]Input // by topic
	Default  Input            // of topics that are not named
	Tenant   string
	MaxValue int // bytes; 0 is 8 MiB
	MaxItems int // of one record; 0 is 20,000
}
