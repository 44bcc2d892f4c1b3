package schema

import "fmt"

// Every enumeration below has the zero value "unknown", or a value that means
// "nothing is claimed". String returns its text, and UnmarshalText, if it exists,
// reads the text. The numbers are stored in ClickHouse as Enum8 and in topic
// blocks as one byte: they never change and are never reused.

// ObserverKind is the place in a request's path at which a call was seen.
type ObserverKind uint8

const (
	ObserverUnknown ObserverKind = iota
	ObserverClient
	ObserverGateway
	ObserverSidecar
	ObserverServer
	ObserverToolServer
	ObserverAgentRuntime
	ObserverAudit
	// ObserverGate is Flyball's own check endpoint: it sees requests, not their execution.
	ObserverGate
)

// Standing is how well a caller's identity is proven. Claimed identities, which a
// client can invent, are counted separately so that they do not use up the limits of
// the others.
type Standing uint8

const (
	// StandingClaimed is an identity that only the caller claims, or an address.
	StandingClaimed Standing = iota
	// StandingProven is a credential that the API itself has accepted: neither 401
	// nor 403, at least 20 times over at least 10 minutes.
	StandingProven
	// StandingEstablished is an identity confirmed by a gateway, mutual TLS, a verified
	// token or the operator's registry.
	StandingEstablished
)

// StandingWords are the texts of Standing, by its number.
var StandingWords = []string{"claimed", "proven", "established"}

func (v Standing) String() string                { return word(StandingWords, uint8(v)) }
func (v Standing) MarshalText() ([]byte, error)  { return []byte(v.String()), nil }
func (v *Standing) UnmarshalText(b []byte) error { return parse(StandingWords, b, v) }

// Precision is the resolution of a start time. It is used to order calls with equal times.
type Precision uint8

const (
	PrecisionUnknown Precision = iota
	PrecisionSecond
	PrecisionMilli
	PrecisionMicro
	PrecisionNano
)

// Basis is the value from which a start time was computed.
type Basis uint8

const (
	BasisUnknown Basis = iota
	BasisStart
	BasisEndMinusDuration
	BasisEnd
	BasisLog
	BasisKafka
)

// OpKind is the kind of operation of a call.
type OpKind uint8

const (
	OpOther OpKind = iota
	OpHTTP
	OpGRPC
	OpMCP
	OpLLM
	OpTool
	OpA2A
	OpAgentInvoke
	OpAWSAPI
)

// RouteSource is the rule of package route that determined the route.
type RouteSource uint8

const (
	RouteNone RouteSource = iota
	RouteFromSource
	RouteFromConfig
	RouteHeuristic
	RouteOverflow
)

// Outcome is how a call ended.
type Outcome uint8

const (
	OutcomeUnknown Outcome = iota
	OutcomeOK
	OutcomeClientError
	OutcomeServerError
	OutcomeToolError
	OutcomeDenied
	OutcomeRateLimited
	OutcomeTimeout
	OutcomeAborted
)

// Trust is how far an identity field can be relied on, in ascending order.
type Trust uint8

const (
	TrustNone Trust = iota
	TrustInferred
	TrustAsserted
	TrustInfrastructure
	TrustVerified
)

// CredentialKind is the kind of credential that a credential id identifies.
type CredentialKind uint8

const (
	CredentialNone CredentialKind = iota
	CredentialAPIKey
	CredentialOAuthClient
	CredentialJWT
	CredentialMTLS
	CredentialAWSKey
	CredentialConsumer
	CredentialCookie
	CredentialUser
)

// PrincipalKind is the kind of principal that a call was made for.
type PrincipalKind uint8

const (
	PrincipalUnknown PrincipalKind = iota
	PrincipalHuman
	PrincipalService
	PrincipalAgent
)

// CallerKind is the kind of caller that makes a call.
type CallerKind uint8

const (
	CallerUnknown CallerKind = iota
	CallerAgent
	CallerHuman
	CallerService
	CallerCrawler
	CallerMonitor
)

// Effect is the effect of a call on the resources it names.
type Effect uint8

const (
	EffectUnknown Effect = iota
	EffectRead
	EffectCreate
	EffectUpdate
	EffectDelete
	EffectPay
	EffectSend
	EffectGrant
)

// Reversibility is whether an effect can be undone, least dangerous first after unknown.
type Reversibility uint8

const (
	ReversibilityUnknown Reversibility = iota
	ReadOnly
	Reversible
	Compensable
	Irreversible
)

// Provenance is the origin of an effect, a reversibility or a resource.
type Provenance uint8

const (
	ProvenanceNone Provenance = iota
	ProvenanceOperator
	ProvenanceOpenAPI
	ProvenanceMethod
	ProvenanceFromWords
	ProvenancePath
	ProvenanceQuery
	ProvenanceToolArguments
	ProvenanceMapped
	// ProvenanceNotLogged marks a resource that the record does not contain.
	ProvenanceNotLogged
)

// DigestBasis is the data that a digest of arguments or of a result covers.
type DigestBasis uint8

const (
	DigestNone DigestBasis = iota
	// DigestURL covers method, path and full query.
	DigestURL
	// DigestBody covers method, path, full query and the body or tool arguments.
	DigestBody
	// DigestLogged is a digest that the source computed.
	DigestLogged
	// DigestOutcome covers outcome, status and bytes out.
	DigestOutcome
)

// RunRule is the rule that bound a call to its run.
type RunRule uint8

const (
	RunRuleNone RunRule = iota
	RunExplicit
	RunAgentSpan
	RunTrace
	RunConversation
	RunSession
	RunOverflow
	// RunGate is the run in an answer of the check, as the gateway logged it.
	RunGate
)

// RunState is the state of a run: open or closed. A late call reopens a closed run.
type RunState uint8

const (
	RunStateUnknown RunState = iota
	RunOpen
	RunClosed
)

// Texts of each enumeration, by its number. schema/clickhouse builds Enum8 types from them.
var (
	ObserverKindWords = []string{"unknown", "client", "gateway", "sidecar", "server", "tool_server", "agent_runtime", "audit", "gate"}
	PrecisionWords    = []string{"unknown", "s", "ms", "us", "ns"}
	BasisWords        = []string{"unknown", "start", "end_minus_duration", "end", "log", "kafka"}
	OpKindWords       = []string{"other", "http", "grpc", "mcp", "llm", "tool", "a2a", "agent_invoke", "aws_api"}
	RouteSourceWords  = []string{"none", "source", "config", "heuristic", "overflow"}
	OutcomeWords      = []string{"unknown", "ok", "client_error", "server_error", "tool_error", "denied", "rate_limited", "timeout",
		"aborted"}
	TrustWords          = []string{"none", "inferred", "asserted", "infrastructure", "verified"}
	CredentialKindWords = []string{"none", "api_key", "oauth_client", "jwt", "mtls", "aws_key", "consumer", "cookie", "user"}
	PrincipalKindWords  = []string{"unknown", "human", "service", "agent"}
	CallerKindWords     = []string{"unknown", "agent", "human", "service", "crawler", "monitor"}
	EffectWords         = []string{"unknown", "read", "create", "update", "delete", "pay", "send", "grant"}
	ReversibilityWords  = []string{"unknown", "read_only", "reversible", "compensable", "irreversible"}
	ProvenanceWords     = []string{"none", "operator", "openapi", "method", "words", "path", "query", "tool_arguments", "mapped", "not_logged"}
	DigestBasisWords    = []string{"none", "url", "body", "logged", "outcome"}
	RunRuleWords        = []string{"none", "explicit", "agent_span", "trace", "conversation", "session", "overflow", "gate"}
	RunStateWords       = []string{"unknown", "open", "closed"}
)

func word(words []string, v uint8) string {
	if int(v) < len(words) {
		return words[v]
	}
	return fmt.Sprintf("invalid(%d)", v)
}

func parse[T ~uint8](words []string, text []byte, into *T) error {
	for i, w := range words {
		if w == string(text) {
			*into = T(i)
			return nil
		}
	}
	return fmt.Errorf("%q is none of %v", text, words)
}

func (v ObserverKind) String() string   { return word(ObserverKindWords, uint8(v)) }
func (v Precision) String() string      { return word(PrecisionWords, uint8(v)) }
func (v Basis) String() string          { return word(BasisWords, uint8(v)) }
func (v OpKind) String() string         { return word(OpKindWords, uint8(v)) }
func (v RouteSource) String() string    { return word(RouteSourceWords, uint8(v)) }
func (v Outcome) String() string        { return word(OutcomeWords, uint8(v)) }
func (v Trust) String() string          { return word(TrustWords, uint8(v)) }
func (v CredentialKind) String() string { return word(CredentialKindWords, uint8(v)) }
func (v PrincipalKind) String() string  { return word(PrincipalKindWords, uint8(v)) }
func (v CallerKind) String() string     { return word(CallerKindWords, uint8(v)) }
func (v Effect) String() string         { return word(EffectWords, uint8(v)) }
func (v Reversibility) String() string  { return word(ReversibilityWords, uint8(v)) }
func (v Provenance) String() string     { return word(ProvenanceWords, uint8(v)) }
func (v DigestBasis) String() string    { return word(DigestBasisWords, uint8(v)) }
func (v RunRule) String() string        { return word(RunRuleWords, uint8(v)) }
func (v RunState) String() string       { return word(RunStateWords, uint8(v)) }

func (v *Effect) UnmarshalText(b []byte) error        { return parse(EffectWords, b, v) }
func (v *Reversibility) UnmarshalText(b []byte) error { return parse(ReversibilityWords, b, v) }
func (v *Outcome) UnmarshalText(b []byte) error       { return parse(OutcomeWords, b, v) }
func (v *Trust) UnmarshalText(b []byte) error         { return parse(TrustWords, b, v) }
func (v *RunRule) UnmarshalText(b []byte) error       { return parse(RunRuleWords, b, v) }
func (v *RunState) UnmarshalText(b []byte) error      { return parse(RunStateWords, b, v) }
func (v *CallerKind) UnmarshalText(b []byte) error    { return parse(CallerKindWords, b, v) }
func (v Effect) MarshalText() ([]byte, error)         { return []byte(v.String()), nil }
func (v Reversibility) MarshalText() ([]byte, error)  { return []byte(v.String()), nil }
func (v Outcome) MarshalText() ([]byte, error)        { return []byte(v.String()), nil }
func (v Trust) MarshalText() ([]byte, error)          { return []byte(v.String()), nil }
func (v RunRule) MarshalText() ([]byte, error)        { return []byte(v.String()), nil }
func (v RunState) MarshalText() ([]byte, error)       { return []byte(v.String()), nil }
func (v CallerKind) MarshalText() ([]byte, error)     { return []byte(v.String()), nil }

// dangerRanks are the ranks of DangerRank.
var dangerRanks = map[string]int{"irreversible": 0, "compensable": 1, "reversible": 2, "unknown": 3, "read_only": 4}

// DangerRank returns the rank of a text of Reversibility when sorted by danger: 0 is the most
// dangerous, and unknown comes before read_only. Any other text has rank 0.
func DangerRank(reversibility string) int { return dangerRanks[reversibility] }
