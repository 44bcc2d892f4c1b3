package mapping

import "slices"

// Field is a field of a call that a mapping can set.
type Field uint8

// The fields, in the order in which they are set: a field comes after the fields it depends on.
const (
	OpKind Field = iota
	StartTime
	EndTime
	Duration
	RequestLine
	Method
	Scheme
	Host
	Path
	Query
	Route
	API
	Operation
	Observer
	Status
	Flags
	GRPCStatus
	RPCStatus
	Outcome
	ErrorType
	ErrorMessage
	DeniedBy
	UpstreamStatus
	UpstreamNs
	Attempts
	BytesIn
	BytesOut
	SampleWeight
	ClientIP
	UserAgent
	RequestID
	TraceID
	SpanID
	ParentSpanID
	Credential
	RemoteUser
	Peer
	Principal
	UserID
	AgentID
	AgentName
	AgentVersion
	ParentAgent
	RunKey
	GateRun
	GateReceipt
	TaskID
	Conversation
	MCPMethod
	ToolName
	ToolCallID
	RPCID
	MCPServer
	GenAIProvider
	ModelRequested
	ModelUsed
	TokensIn
	TokensOut
	CostUSD
	Arguments
	ArgsDigest
	Amount
	Currency
	Token
	Claims
	TokenSubject
	TokenClient
	TokenActor
	TokenIssuer
	fieldCount
)

var fieldNames = [fieldCount]string{
	OpKind:         "op_kind",
	StartTime:      "start_time",
	EndTime:        "end_time",
	Duration:       "duration",
	RequestLine:    "request_line",
	Method:         "method",
	Scheme:         "scheme",
	Host:           "host",
	Path:           "path",
	Query:          "query",
	Route:          "route",
	API:            "api",
	Operation:      "operation",
	Observer:       "observer",
	Status:         "status",
	Flags:          "response_flags",
	GRPCStatus:     "grpc_status",
	RPCStatus:      "rpc_status",
	Outcome:        "outcome",
	ErrorType:      "error_type",
	ErrorMessage:   "error_message",
	DeniedBy:       "denied_by",
	UpstreamStatus: "upstream_status",
	UpstreamNs:     "upstream_duration",
	Attempts:       "attempts",
	BytesIn:        "bytes_in",
	BytesOut:       "bytes_out",
	SampleWeight:   "sample_weight",
	ClientIP:       "client_ip",
	UserAgent:      "user_agent",
	RequestID:      "request_id",
	TraceID:        "trace_id",
	SpanID:         "span_id",
	ParentSpanID:   "parent_span_id",
	Credential:     "credential_id",
	RemoteUser:     "remote_user",
	Peer:           "peer",
	Principal:      "principal_id",
	UserID:         "user_id",
	AgentID:        "agent_id",
	AgentName:      "agent_name",
	AgentVersion:   "agent_version",
	ParentAgent:    "parent_agent_id",
	RunKey:         "run_key",
	GateRun:        "gate_run",
	GateReceipt:    "gate_receipt",
	TaskID:         "task_id",
	Conversation:   "conversation_id",
	MCPMethod:      "mcp_method",
	ToolName:       "tool_name",
	ToolCallID:     "tool_call_id",
	RPCID:          "rpc_id",
	MCPServer:      "mcp_server",
	GenAIProvider:  "gen_ai_provider",
	ModelRequested: "model_requested",
	ModelUsed:      "model_used",
	TokensIn:       "tokens_in",
	TokensOut:      "tokens_out",
	CostUSD:        "cost_usd",
	Arguments:      "arguments",
	ArgsDigest:     "args_digest",
	Amount:         "amount",
	Currency:       "currency",
	Token:          "token",
	Claims:         "claims",
	TokenSubject:   "token_subject",
	TokenClient:    "token_client",
	TokenActor:     "token_actor",
	TokenIssuer:    "token_issuer",
}

// String returns the field's name in a mapping.
func (f Field) String() string { return fieldNames[f] }

// FieldNames returns the names of the fields that a mapping may set, sorted.
func FieldNames() []string {
	names := slices.Clone(fieldNames[:])
	slices.Sort(names)
	return names
}

func fieldOf(name string) (Field, bool) {
	i := slices.Index(fieldNames[:], name)
	return Field(max(i, 0)), i >= 0
}

// With describes how the text of a field is read.
type With struct {
	Unit  int64  // of durations: nanoseconds per unit; 0: the text contains the unit
	Basis string // of times: start, end, log
	Kind  string // of credentials: consumer, api_key, oauth_client, mtls, aws_key, user; of a secret: hmac
	// Sum means that the text is a list of durations to add.
	Sum bool
	// Epoch is the unit in nanoseconds of a time that is a number; 0: the unit follows from the size of the number.
	Epoch int64
	// Asserted means that the text is a claim of the caller, for example a request header.
	Asserted bool
}

var (
	units    = map[string]int64{"s": 1e9, "ms": 1e6, "us": 1e3, "ns": 1, "go": 0, "pb": 0}
	epochs   = map[string]int64{"epoch_s": 1e9, "epoch_ms": 1e6, "epoch_us": 1e3, "epoch_ns": 1}
	bases    = []string{"start", "end", "log"}
	kinds    = []string{"consumer", "api_key", "oauth_client", "mtls", "aws_key", "user", "hmac"}
	outcomes = []string{"ok", "client_error", "server_error", "tool_error", "denied", "rate_limited", "timeout", "aborted", "unknown"}
	opKinds  = []string{"http", "grpc", "mcp", "llm", "tool", "a2a", "agent_invoke", "aws_api", "other"}
)
