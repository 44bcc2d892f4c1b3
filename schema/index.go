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
	Filed  uint16 // FiledDay of the last call that was noted
}

// CallID says that an actor made a call with a trace id or request id on a day.
type CallID struct {
	Tenant string
	Filed  uint16 // FiledDay of the call
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

// MaxFiledDelay is after how many ms in which a call was not yet in Kafka it is filed under its day of arrival.
const MaxFiledDelay = 3 * 24 * 3600 * 1000

// FiledDay returns the day under which a call is stored, and from which it is kept: that of its start, or that of its arrival in Kafka if
// it arrived more than MaxFiledDelay after its start. So calls that arrive together are stored under few days, whatever times a log or
// a caller names, and what has just arrived is not too old to be kept. The times are Unix times in ns; kafka is 0 if it is not known.
// In SQL it is clickhouse.filedDay.
func FiledDay(start, kafka int64) uint16 {
	if kafka != 0 && floorMilli(kafka)-floorMilli(start) >= MaxFiledDelay {
		return DayOf(kafka)
	}
	return DayOf(start)
}

func floorMilli(ns int64) int64 {
	ms := ns / 1e6
	if ns%1e6 < 0 {
		ms--
	}
	return ms
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
