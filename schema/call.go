package schema

import (
	"net/netip"
	"time"
)

// Maximum lengths of the strings of a call, in bytes, and the maximum number of attributes.
// Decoders cut at a rune boundary.
const (
	MaxPath      = 2048
	MaxUserAgent = 512
	MaxError     = 1024
	MaxAttrValue = 1024
	MaxAttrs     = 64
	MaxID        = 256
)

// OtherMethod stands for a method that is no word of at most 20 letters.
const OtherMethod = "_OTHER"

// Call is one observation of one request or tool call by one observer.
//
// The zero value of a field means that the record does not have it, unless the field documents
// another value. Strings are valid UTF-8, trimmed, and cut to the maximum lengths above.
type Call struct {
	// Source and Pos are the place from which the call was read; together they identify it.
	Source Source
	Pos    Position

	Format       string // decoder or preset and its version, "envoy_json/1"
	ObserverKind ObserverKind
	Observer     string // service.name or gateway name
	Tenant       string

	Start       int64 // START of the call, Unix nanoseconds
	KafkaTime   int64 // timestamp of the Kafka record, Unix nanoseconds; 0 unknown
	DurationNs  int64 // -1: unknown
	TSPrecision Precision
	TSBasis     Basis

	OpKind      OpKind
	Method      string // upper case
	Scheme      string
	Host        string // lower case, without a default port
	Path        string // without the query; percent-encoding kept
	QueryKeys   []string
	Route       string // display template "/orders/{id}"
	RouteKey    string // every placeholder "{}": equal across sources
	RouteSource RouteSource
	API         string
	Operation   string

	MCPMethod  string
	ToolName   string
	ToolCallID string
	RPCID      string
	MCPServer  string

	GenAIProvider  string
	ModelRequested string
	ModelUsed      string
	TokensIn       uint32
	TokensOut      uint32
	CostUSD        float64

	Status       uint16 // HTTP; 0 none
	RPCStatus    string
	Outcome      Outcome
	ErrorType    string
	ErrorMessage string
	DeniedBy     string

	UpstreamStatus uint16
	UpstreamNs     int64 // sum over attempts; 0: unknown
	Attempts       uint8
	BytesIn        uint64
	BytesOut       uint64
	// SampleWeight is the number of calls that this one represents; 0 and 1 mean only itself.
	SampleWeight uint32

	ClientIP  netip.Addr
	UserAgent string
	UAProduct string

	TraceID      [16]byte
	SpanID       [8]byte
	ParentSpanID [8]byte
	RequestID    string

	AgentID      string
	AgentName    string
	AgentVersion string
	ParentAgent  string
	AgentSource  string // the rule that established AgentID
	AgentTrust   Trust
	// AgentAsserted is the name that the caller claimed, if a stronger rule established another.
	AgentAsserted string

	CredentialID     string
	CredentialKind   CredentialKind
	CredentialSource string
	CredentialTrust  Trust

	PrincipalID     string
	PrincipalKind   PrincipalKind
	PrincipalSource string
	PrincipalTrust  Trust

	ActorChain       []string // outermost first
	CallerKind       CallerKind
	CallerConfidence uint8 // 0-100

	TaskID         string
	TaskSource     string
	TaskTrust      Trust
	ConversationID string
	RunKey         string // run id in the record, if it has one
	RunKeySource   string // header or attribute that contained RunKey
	// AgentSpan marks a span that describes an agent itself: its root or a step (invoke_agent
	// …).
	AgentSpan bool

	// RoutingKey is the actor as identified by the record alone. It determines the partition
	// of flyball.calls and the process that owns the run.
	RoutingKey string

	ArgsDigest        uint64
	ArgsDigestBasis   DigestBasis
	ResultDigest      uint64
	ResultDigestBasis DigestBasis

	Effect              Effect
	EffectSource        Provenance
	Reversibility       Reversibility
	ReversibilitySource Provenance
	Resources           []Resource

	Attrs []Attr // sorted by key, after redaction

	// The following fields are set by stitching.
	RunID         RunID
	RunRule       RunRule
	RunConfidence uint8  // 0-100
	Segment       int64  // calls offset of the run's first call since it was last evicted
	ActorHash     uint32 // HashActor of the run's actor
	CallsPart     int32  // partition and offset of the record in flyball.calls
	CallsOffset   int64
	Late          bool // arrived after the watermark had passed the start of the call
	// Duplicate marks a record of a call that already counts by another observer's record, or, of
	// the check, a record of a call that a gateway or a service has logged.
	Duplicate bool
	// AskedOnly marks a record of the check that counts: nobody else has logged the call in time.
	AskedOnly bool
	// LoggedLate marks a record of a call that already counts by the check's record (AskedOnly). It
	// contains the outcome, so it is judged.
	LoggedLate bool
}

// Counted reports whether the record is the one of its call that counts. It is the column counted:
// of the records of one call, exactly one counts. A record of the check counts only if nobody else
// has logged the call.
func (c *Call) Counted() bool {
	return !c.Duplicate && !c.LoggedLate && (c.ObserverKind != ObserverGate || c.AskedOnly)
}

// Resource is an object that a call names: order 123. The ID "?" means that the record does
// not identify the resource, "*" means a whole collection.
type Resource struct {
	Type   string
	ID     string
	Source Provenance
}

func (r Resource) String() string { return r.Type + ":" + r.ID }

// Attr is an attribute of a call without a field.
type Attr struct{ Key, Value string }

// StartTime returns Start as a time in UTC.
func (c *Call) StartTime() time.Time { return time.Unix(0, c.Start).UTC() }

// EndNs returns the end of the call in Unix nanoseconds, or its start when the duration is
// unknown.
func (c *Call) EndNs() int64 {
	if c.DurationNs > 0 {
		return c.Start + c.DurationNs
	}
	return c.Start
}

// Failed reports whether the call has a known outcome other than ok.
func (c *Call) Failed() bool { return c.Outcome > OutcomeOK }

// Standing returns the caller's standing by this call alone. It never returns StandingProven,
// which requires a count of the calls that the API accepted.
func (c *Call) Standing() Standing {
	if c.AgentID != "" && c.AgentTrust >= TrustInfrastructure || c.CredentialID != "" && c.CredentialTrust >= TrustInfrastructure {
		return StandingEstablished
	}
	return StandingClaimed
}

// RouteName returns the name of a call's route in breakers, gates and reports: "METHOD
// /template", or the tool.
func (c *Call) RouteName() string {
	if c.ToolName != "" {
		return "tool:" + c.ToolName
	}
	return c.Method + " " + c.Route
}
