package schema

import "github.com/cespare/xxhash/v2"

// HashActor returns the number under which the rows of a routing actor lie together: the low 32 bits
// of the XXH64 of its key. Two actors with the same number share their place, never an answer. The
// result is stored: the function must never change. In SQL: toUInt32(xxHash64(actor)).
func HashActor(key string) uint32 { return uint32(xxhash.Sum64String(key)) }

// HashCallID returns the number under which a trace id or request id of a call is found: the low 32
// bits of the XXH64 of its bytes (16 of a trace id, the text of a request id). The result is stored:
// the function must never change.
func HashCallID[T string | []byte](id T) uint32 { return uint32(xxhash.Sum64String(string(id))) }

// Posting says that an actor made calls with a value on a day: it is a row of the index from the
// names and addresses of callers to the rows of calls and runs.
type Posting struct {
	Tenant string
	Kind   PostingKind
	Value  string
	Day    uint16 // days since 1970-01-01, UTC
	Actor  uint32 // HashActor
}

// CallID says that an actor made a call with a trace id or request id on a day.
type CallID struct {
	Tenant string
	Day    uint16 // days since 1970-01-01, UTC
	Kind   CallIDKind
	ID     uint32 // HashCallID
	Actor  uint32 // HashActor
}

// DayOf returns the day of a Unix time in ns, limited to the range of a Date.
func DayOf(ns int64) uint16 {
	const day = 24 * 3600 * 1e9
	return uint16(min(max(ns/day, 0), 1<<16-1))
}

// PostingKind is the field that a posting is about. The words are the names of the fields.
type PostingKind uint8

const (
	PostingAgent PostingKind = iota
	PostingAsserted
	PostingCredential
	PostingPrincipal
	PostingAddress
	PostingHost
	PostingTool
)

// PostingKindWords are the texts of PostingKind, by its number.
var PostingKindWords = []string{"agent_id", "agent_asserted", "credential_id", "principal_id", "client_ip", "host", "tool_name"}

func (v PostingKind) String() string { return word(PostingKindWords, uint8(v)) }

// CallIDKind is what a CallID is: the words are the names of the fields.
type CallIDKind uint8

const (
	CallIDTrace CallIDKind = iota
	CallIDRequest
)

// CallIDKindWords are the texts of CallIDKind, by its number.
var CallIDKindWords = []string{"trace_id", "request_id"}

func (v CallIDKind) String() string { return word(CallIDKindWords, uint8(v)) }
