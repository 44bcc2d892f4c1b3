package decode

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"flyball/schema"
)

// AppendJSON appends a call as one JSON object with the documented names. A field that is missing in the object is unknown.
func AppendJSON(dst []byte, c *schema.Call) []byte {
	o := printable(c)
	b, err := json.Marshal(&o)
	if err != nil {
		// Only a cost that is not a finite number cannot be encoded.
		o.CostUSD = 0
		b, _ = json.Marshal(&o)
	}
	return append(dst, b...)
}

// printable converts a call to the names and words of its JSON form.
func printable(c *schema.Call) printed {
	o := printed{
		Format: c.Format, ObserverKind: known(c.ObserverKind.String()), Observer: c.Observer, Tenant: c.Tenant,
		StartTime: time.Unix(0, c.Start).UTC().Format("2006-01-02T15:04:05.000000000Z"), TSPrecision: known(c.TSPrecision.String()),
		TSBasis: known(c.TSBasis.String()),
		OpKind:  c.OpKind.String(), Method: c.Method, Scheme: c.Scheme, Host: c.Host, Path: c.Path, QueryKeys: c.QueryKeys, Route: c.Route,
		RouteKey:    c.RouteKey,
		RouteSource: known(c.RouteSource.String()), API: c.API, Operation: c.Operation, MCPMethod: c.MCPMethod, ToolName: c.ToolName,
		ToolCallID: c.ToolCallID, RPCID: c.RPCID,
		MCPServer: c.MCPServer, GenAIProvider: c.GenAIProvider, ModelRequested: c.ModelRequested, ModelUsed: c.ModelUsed, TokensIn: c.TokensIn,
		TokensOut: c.TokensOut, CostUSD: c.CostUSD,
		Status: c.Status, RPCStatus: c.RPCStatus, Outcome: known(c.Outcome.String()), ErrorType: c.ErrorType, ErrorMessage: c.ErrorMessage,
		DeniedBy:       c.DeniedBy,
		UpstreamStatus: c.UpstreamStatus, UpstreamNs: c.UpstreamNs, Attempts: c.Attempts, BytesIn: c.BytesIn, BytesOut: c.BytesOut,
		SampleWeight: c.SampleWeight,
		UserAgent:    c.UserAgent, UAProduct: c.UAProduct, TraceID: hexID(c.TraceID[:]), SpanID: hexID(c.SpanID[:]),
		ParentSpanID: hexID(c.ParentSpanID[:]), RequestID: c.RequestID,
		AgentID: c.AgentID, AgentName: c.AgentName, AgentVersion: c.AgentVersion, ParentAgent: c.ParentAgent, AgentSource: c.AgentSource,
		AgentTrust: known(c.AgentTrust.String()), AgentAsserted: c.AgentAsserted,
		CredentialID: c.CredentialID, CredentialKind: known(c.CredentialKind.String()), CredentialSource: c.CredentialSource,
		CredentialTrust: known(c.CredentialTrust.String()),
		PrincipalID:     c.PrincipalID, PrincipalKind: known(c.PrincipalKind.String()), PrincipalSource: c.PrincipalSource,
		PrincipalTrust: known(c.PrincipalTrust.String()),
		ActorChain:     c.ActorChain, CallerKind: known(c.CallerKind.String()), CallerConfidence: c.CallerConfidence,
		TaskID: c.TaskID, TaskSource: c.TaskSource, TaskTrust: known(c.TaskTrust.String()), ConversationID: c.ConversationID, RunKey: c.RunKey,
		RunKeySource: c.RunKeySource, AgentSpan: c.AgentSpan,
		ArgsDigestBasis: known(c.ArgsDigestBasis.String()), Effect: known(c.Effect.String()), EffectSource: known(c.EffectSource.String()),
		Reversibility: known(c.Reversibility.String()), ReversibilitySource: known(c.ReversibilitySource.String()),
		Source: c.Source.Topic, Partition: c.Source.Partition, Offset: c.Pos.Offset, Item: c.Pos.Item,
	}
	if c.DurationNs >= 0 {
		o.DurationNs = &c.DurationNs
	}
	if c.ClientIP.IsValid() {
		o.ClientIP = c.ClientIP.String()
	}
	if c.ArgsDigest != 0 {
		o.ArgsDigest = fmt.Sprintf("%016x", c.ArgsDigest)
	}
	if c.ResultDigest != 0 {
		o.ResultDigest, o.ResultDigestBasis = fmt.Sprintf("%016x", c.ResultDigest), known(c.ResultDigestBasis.String())
	}
	if !c.RunID.IsZero() {
		o.RunID, o.RunRule, o.RunConfidence, o.Late = c.RunID.String(), known(c.RunRule.String()), c.RunConfidence, c.Late
	}
	for _, r := range c.Resources {
		o.Resources = append(o.Resources, r.String())
		o.ResourceSources = append(o.ResourceSources, r.Source.String())
	}
	if len(c.Attrs) > 0 {
		o.Attrs = make(map[string]string, len(c.Attrs))
		for _, a := range c.Attrs {
			o.Attrs[a.Key] = a.Value
		}
	}
	return o
}

// known returns a word that says something; for unknown and none it returns nothing.
func known(s string) string {
	if s == "unknown" || s == "none" {
		return ""
	}
	return s
}

func hexID(b []byte) string {
	for _, c := range b {
		if c != 0 {
			return hex.EncodeToString(b)
		}
	}
	return ""
}

type printed struct {
	StartTime           string            `json:"start_time"`
	DurationNs          *int64            `json:"duration_ns,omitempty"`
	Method              string            `json:"method,omitempty"`
	Path                string            `json:"path,omitempty"`
	Status              uint16            `json:"status,omitempty"`
	Outcome             string            `json:"outcome,omitempty"`
	Host                string            `json:"host,omitempty"`
	Route               string            `json:"route,omitempty"`
	RouteKey            string            `json:"route_key,omitempty"`
	RouteSource         string            `json:"route_source,omitempty"`
	Effect              string            `json:"effect,omitempty"`
	EffectSource        string            `json:"effect_source,omitempty"`
	Reversibility       string            `json:"reversibility,omitempty"`
	ReversibilitySource string            `json:"reversibility_source,omitempty"`
	Resources           []string          `json:"resources,omitempty"`
	ResourceSources     []string          `json:"resource_sources,omitempty"`
	Tenant              string            `json:"tenant,omitempty"`
	AgentID             string            `json:"agent_id,omitempty"`
	AgentName           string            `json:"agent_name,omitempty"`
	AgentVersion        string            `json:"agent_version,omitempty"`
	ParentAgent         string            `json:"parent_agent_id,omitempty"`
	AgentSource         string            `json:"agent_source,omitempty"`
	AgentTrust          string            `json:"agent_trust,omitempty"`
	AgentAsserted       string            `json:"agent_asserted,omitempty"`
	CredentialID        string            `json:"credential_id,omitempty"`
	CredentialKind      string            `json:"credential_kind,omitempty"`
	CredentialSource    string            `json:"credential_source,omitempty"`
	CredentialTrust     string            `json:"credential_trust,omitempty"`
	PrincipalID         string            `json:"principal_id,omitempty"`
	PrincipalKind       string            `json:"principal_kind,omitempty"`
	PrincipalSource     string            `json:"principal_source,omitempty"`
	PrincipalTrust      string            `json:"principal_trust,omitempty"`
	ActorChain          []string          `json:"actor_chain,omitempty"`
	CallerKind          string            `json:"caller_kind,omitempty"`
	CallerConfidence    uint8             `json:"caller_confidence,omitempty"`
	RunKey              string            `json:"run_key,omitempty"`
	RunKeySource        string            `json:"run_key_source,omitempty"`
	TaskID              string            `json:"task_id,omitempty"`
	TaskSource          string            `json:"task_source,omitempty"`
	TaskTrust           string            `json:"task_trust,omitempty"`
	ConversationID      string            `json:"conversation_id,omitempty"`
	AgentSpan           bool              `json:"agent_span,omitempty"`
	OpKind              string            `json:"op_kind,omitempty"`
	Operation           string            `json:"operation,omitempty"`
	Scheme              string            `json:"scheme,omitempty"`
	QueryKeys           []string          `json:"query_keys,omitempty"`
	API                 string            `json:"api,omitempty"`
	MCPMethod           string            `json:"mcp_method,omitempty"`
	ToolName            string            `json:"tool_name,omitempty"`
	ToolCallID          string            `json:"tool_call_id,omitempty"`
	RPCID               string            `json:"rpc_id,omitempty"`
	MCPServer           string            `json:"mcp_server,omitempty"`
	GenAIProvider       string            `json:"gen_ai_provider,omitempty"`
	ModelRequested      string            `json:"model_requested,omitempty"`
	ModelUsed           string            `json:"model_used,omitempty"`
	TokensIn            uint32            `json:"tokens_in,omitempty"`
	TokensOut           uint32            `json:"tokens_out,omitempty"`
	CostUSD             float64           `json:"cost_usd,omitempty"`
	RPCStatus           string            `json:"rpc_status,omitempty"`
	ErrorType           string            `json:"error_type,omitempty"`
	ErrorMessage        string            `json:"error_message,omitempty"`
	DeniedBy            string            `json:"denied_by,omitempty"`
	UpstreamStatus      uint16            `json:"upstream_status,omitempty"`
	UpstreamNs          int64             `json:"upstream_ns,omitempty"`
	Attempts            uint8             `json:"attempts,omitempty"`
	BytesIn             uint64            `json:"bytes_in,omitempty"`
	BytesOut            uint64            `json:"bytes_out,omitempty"`
	SampleWeight        uint32            `json:"sample_weight,omitempty"`
	ClientIP            string            `json:"client_ip,omitempty"`
	UserAgent           string            `json:"user_agent,omitempty"`
	UAProduct           string            `json:"ua_product,omitempty"`
	TraceID             string            `json:"trace_id,omitempty"`
	SpanID              string            `json:"span_id,omitempty"`
	ParentSpanID        string            `json:"parent_span_id,omitempty"`
	RequestID           string            `json:"request_id,omitempty"`
	ArgsDigest          string            `json:"args_digest,omitempty"`
	ArgsDigestBasis     string            `json:"args_digest_basis,omitempty"`
	ResultDigest        string            `json:"result_digest,omitempty"`
	ResultDigestBasis   string            `json:"result_digest_basis,omitempty"`
	RunID               string            `json:"run_id,omitempty"`
	RunRule             string            `json:"run_rule,omitempty"`
	RunConfidence       uint8             `json:"run_confidence,omitempty"`
	Late                bool              `json:"late,omitempty"`
	Format              string            `json:"format"`
	ObserverKind        string            `json:"observer_kind,omitempty"`
	Observer            string            `json:"observer,omitempty"`
	TSPrecision         string            `json:"ts_precision,omitempty"`
	TSBasis             string            `json:"ts_basis,omitempty"`
	Attrs               map[string]string `json:"attrs,omitempty"`
	Source              string            `json:"source_topic,omitempty"`
	Partition           int32             `json:"source_partition"`
	Offset              int64             `json:"source_offset"`
	Item                uint32            `json:"item"`
}
