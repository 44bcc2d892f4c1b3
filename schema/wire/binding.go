package wire

import (
	"encoding/hex"

	"flyball/schema"
)

// BindingVersion is the newest version of a TraceBinding.
const BindingVersion = 1

// TraceBinding informs the partition of a trace which agent and run own the trace. Spans of a
// service that do not name a caller are in that partition; the agent and its run are known in
// another one. It is a separate record in flyball.calls, so that a replay gets the owner at
// the same call.
type TraceBinding struct {
	Trace    [16]byte
	At       int64 // event time of the span from which it was made, Unix ns
	Tenant   string
	RunID    schema.RunID // run of the owner
	TaskID   string
	Caller   schema.CallerKind
	Agent    Owner
	Behalf   string // principal, if known
	BehalfBy schema.Trust
}

// Owner is an agent as the rules of identity established it.
type Owner struct {
	ID, Name, Version string
	Trust             schema.Trust
}

// TraceActor returns the routing key of calls that name only a trace.
func TraceActor(trace [16]byte) string { return "t:" + hex.EncodeToString(trace[:]) }

// BindingOf returns the binding that a call gives: a span of an agent itself, or a span of an
// established caller. Log lines of gateways give no binding, because a caller can send any
// trace id. ok is false without a binding.
func BindingOf(c *schema.Call) (TraceBinding, bool) {
	if c.TraceID == [16]byte{} || c.SpanID == [8]byte{} || c.AgentID == "" || c.RoutingKey == TraceActor(c.TraceID) {
		return TraceBinding{}, false
	}
	switch c.ObserverKind {
	case schema.ObserverClient, schema.ObserverServer, schema.ObserverToolServer, schema.ObserverAgentRuntime:
	default:
		return TraceBinding{}, false
	}
	if !c.AgentSpan && c.AgentTrust < schema.TrustInfrastructure {
		return TraceBinding{}, false
	}
	id := schema.RunIdentity{Tenant: c.Tenant, RoutingActor: c.RoutingKey, Credential: c.CredentialID, Rule: schema.RunTrace,
		Key: hex.EncodeToString(c.TraceID[:])}
	if c.RunKey != "" {
		id.Rule, id.Key = c.RunKeyRule(), c.RunKey
	}
	b := TraceBinding{Trace: c.TraceID, At: c.Start, Tenant: c.Tenant, RunID: id.ID(), TaskID: c.TaskID, Caller: c.CallerKind,
		Agent: Owner{ID: c.AgentID, Name: c.AgentName, Version: c.AgentVersion, Trust: c.AgentTrust}}
	if c.PrincipalTrust >= schema.TrustInfrastructure {
		b.Behalf, b.BehalfBy = c.PrincipalID, c.PrincipalTrust
	}
	return b, true
}

// EncodeBinding appends the record to dst.
func EncodeBinding(dst []byte, b *TraceBinding) []byte {
	c := NewWriter(dst, KindBinding, BindingVersion)
	b.code(c)
	return c.Bytes()
}

// DecodeBinding reads a binding. The error wraps ErrMalformed or ErrNewerVersion.
func DecodeBinding(value []byte) (TraceBinding, error) {
	var b TraceBinding
	c, err := NewReader(value, KindBinding, BindingVersion)
	if err != nil {
		return b, err
	}
	b.code(c)
	if c.Err == nil && c.Rest() != 0 {
		c.fail("bytes after the binding")
	}
	return b, c.Err
}

func (b *TraceBinding) code(c *Coder) {
	c.Array(b.Trace[:])
	c.Int(&b.At)
	c.Text(&b.Tenant)
	c.Array(b.RunID[:])
	c.Text(&b.TaskID)
	Small(c, &b.Caller)
	c.Text(&b.Agent.ID)
	c.Text(&b.Agent.Name)
	c.Text(&b.Agent.Version)
	Small(c, &b.Agent.Trust)
	c.Text(&b.Behalf)
	Small(c, &b.BehalfBy)
}
