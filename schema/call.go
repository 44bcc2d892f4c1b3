package schema

import (
	"net/netip"
	"time"
)

// Caps on the strings of a call, in bytes. Decoders cut at a rune boundary.
const (
	MaxPath      = 2048
	MaxUserAgent = 512
	MaxError     = 1024
	MaxAttrValue = 1024
	MaxAttrs     = 64
	MaxID        = 256
)

// Call is one observation of one request or tool call by one observer.
//
// The zero value of a field means "the record did not say", except where a
// field documents another sentinel. Strings are valid UTF-8, trimmed, capped.
type Call struct {
	// Source and Pos say where the call came from; together they are its identity.
	Source Source
	Pos    Position

	Format       string // decoder or preset and its version, "envoy_json/1"
	ObserverKind ObserverKind
	Observer     string // service.name or gateway name
	Tenant       string

	Start       int64 // START of the call, Unix nanoseconds
	KafkaTime   int64 // timestamp of the Kafka record, Unix nanoseconds; 0 unknown
	DurationNs  int64 // -1 unknown
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
	UpstreamNs     int64 // sum over tries; 0 unknown
	Attempts       uint8
	BytesIn        uint64
	BytesOut       uint64
	// SampleWeight is how many calls this one stands for; 0 and 1 mean itself.
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
	// AgentAsserted is what the caller called itself when a stronger rule said otherwise.
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
	RunKey         string // the id that the source gave, if it gave one
	RunKeySource   string // header or attribute it came from
	// AgentSpan marks a span that is an agent's own root or step (invoke_agent …).
	AgentSpan bool

	// RoutingKey is the actor as the record alone tells it; it chooses the
	// partition of flyball.calls and so the owner of the run.
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

	// What stitching adds.
	RunID         RunID
	RunRule       RunRule
	RunConfidence uint8 // 0-100
	Segment       int64 // calls offset of the run's first call since it was last evicted
	CallsPart     int32 // partition and offset of the flyball.calls record that carried it
	CallsOffset   int64
	Late          bool // came after the watermark had passed it
	// Duplicate: another observer's sight of a call that is counted already.
	Duplicate bool
}

// Resource is a thing a call names: order 123. An ID of "?" stands for a
// resource the record could not name, "*" for a whole collection.
type Resource struct {
	Type   string
	ID     string
	Source Provenance
}

func (r Resource) String() string { return r.Type + ":" + r.ID }

// Attr is one attribute of the long tail.
type Attr struct{ Key, Value string }

// StartTime is Start as a time in UTC.
func (c *Call) StartTime() time.Time { return time.Unix(0, c.Start).UTC() }

// EndNs is the end of the call in Unix nanoseconds, its start when the duration is unknown.
func (c *Call) EndNs() int64 {
	if c.DurationNs > 0 {
		return c.Start + c.DurationNs
	}
	return c.Start
}

// Failed reports whether the call did not do what it was asked to.
func (c *Call) Failed() bool { return c.Outcome > OutcomeOK }

// Standing of the caller as the call alone tells it: a proven credential is known
// only to who has counted its accepted calls.
func (c *Call) Standing() Standing {
	if c.AgentID != "" && c.AgentTrust >= TrustInfrastructure || c.CredentialID != "" && c.CredentialTrust >= TrustInfrastructure {
		return StandingEstablished
	}
	return StandingClaimed
}

// RouteName is how breakers, gates and reports name a call's route: "METHOD /template",
// or the tool.
func (c *Call) RouteName() string {
	if c.ToolName != "" {
		return "tool:" + c.ToolName
	}
	return c.Method + " " + c.Route
}
