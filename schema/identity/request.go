package identity

import (
	"crypto/sha256"
	"encoding/hex"
	"net/netip"
	"strings"

	"flyball/schema"
)

// Headers returns the value of a request header by its lower-case name; "" when it is absent.
type Headers func(name string) string

// Header names in order of priority. Ingest uses the same order.
var (
	agentHeaders  = []string{"x-agent-id", "agent-id", "x-agent-name", "x-litellm-agent-id", "x-claude-code-agent-id"}
	parentHeaders = []string{"x-claude-code-parent-agent-id", "x-parent-agent-id"}
	runHeaders    = []string{"x-agent-run-id", "agent-run-id", "x-run-id", "run-id", "x-litellm-trace-id",
		"x-amzn-bedrock-agentcore-runtime-session-id", "x-claude-code-session-id"}
	taskHeaders         = []string{"x-task-id", "task-id", "x-agent-task-id"}
	conversationHeaders = []string{"x-conversation-id", "x-session-id", "mcp-session-id"}
	consumerHeaders     = []string{"x-consumer", "x-consumer-username", "x-consumer-custom-id"}
	principalHeaders    = []string{"x-principal", "x-principal-id", "x-user-id"}
)

func firstOf(h Headers, names []string) (value, name string) {
	for _, n := range names {
		if v := h(n); v != "" {
			return v, n
		}
	}
	return "", ""
}

// fromRequest reads the evidence of a live request as decoders read it from the log of a
// request. It also sets the ids in c that connect the request with its log record.
func fromRequest(h Headers, secrets []string, client netip.Addr, c *schema.Call) Evidence {
	ev := Evidence{ClientIP: client, UserAgent: h("user-agent"), SignatureAgent: h("signature-agent"), Canary: h(schema.CanaryHeader)}
	ev.AgentHeader, ev.AgentHeaderName = firstOf(h, agentHeaders)
	ev.ParentHeader, _ = firstOf(h, parentHeaders)
	ev.RunHeader, ev.RunHeaderName = firstOf(h, runHeaders)
	ev.AgentHeader, ev.ParentHeader, ev.RunHeader = bounded(ev.AgentHeader, maxClaimed), bounded(ev.ParentHeader, maxParent),
		bounded(ev.RunHeader, maxClaimed)
	ev.TaskHeader, ev.TaskHeaderName = firstOf(h, taskHeaders)
	ev.Conversation, _ = firstOf(h, conversationHeaders)
	ev.Conversation = bounded(ev.Conversation, maxClaimed)
	ev.GatewayAgent, _ = firstOf(h, consumerHeaders)
	ev.GatewayCredential = ev.GatewayAgent
	ev.GatewayUser, _ = firstOf(h, principalHeaders)
	if uri := ParseXFCC(h(certificateHeader)); strings.HasPrefix(uri, "spiffe://") {
		ev.SPIFFE = uri
	}
	if len(secrets) > 0 {
		ev.APIKey = secrets[0]
	}
	if trace, span, ok := ParseTraceparent(h("traceparent")); ok {
		c.TraceID, c.ParentSpanID = trace, span
	}
	c.RequestID = id(h("x-request-id"))
	return ev
}

// withoutSecrets returns the headers that name a caller, without values that contain a secret. Ingest removes them from logs
// before it reads names: the same caller must have the same names here, and no secret may be kept as a name.
func (r *Resolver) withoutSecrets(h Headers) Headers {
	if r.redact == nil {
		return h
	}
	return func(name string) string {
		v := h(name)
		switch {
		case v == "" || name == certificateHeader: // its URI is checked alone
			return v
		case name == "user-agent":
			return r.redact(v)
		case r.redact(v) != v:
			return ""
		}
		return v
	}
}

const certificateHeader = "x-forwarded-client-cert"

// Maximum lengths, in bytes, of ids that the caller chooses. All of them together fit into a
// receipt.
const (
	maxClaimed = 64
	maxParent  = 40
)

// bounded shortens an id that is longer than a receipt can hold to its first bytes and a hash
// of the whole id. A text that is too long to be an id is returned unchanged.
func bounded(s string, maxBytes int) string {
	if len(s) <= maxBytes || len(s) > schema.MaxID {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return schema.Cut(s, maxBytes-17) + "~" + hex.EncodeToString(sum[:8])
}
