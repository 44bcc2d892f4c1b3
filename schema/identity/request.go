package identity

import (
	"net/netip"
	"strings"

	"flyball/schema"
)

// Headers looks a request header up by its lower-case name; "" is absent.
type Headers func(name string) string

// Names of headers, the best first. The log side ranks them alike.
var (
	agentHeaders        = []string{"x-agent-id", "agent-id", "x-agent-name", "x-litellm-agent-id", "x-claude-code-agent-id"}
	parentHeaders       = []string{"x-claude-code-parent-agent-id", "x-parent-agent-id"}
	runHeaders          = []string{"x-agent-run-id", "agent-run-id", "x-run-id", "run-id", "x-litellm-trace-id", "x-amzn-bedrock-agentcore-runtime-session-id", "x-claude-code-session-id"}
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

// FromRequest reads the evidence of a live request, as decoders read it from
// the log of one, and the ids that tie the two together.
func FromRequest(h Headers, client netip.Addr, c *schema.Call) Evidence {
	ev := Evidence{ClientIP: client, UserAgent: h("user-agent"), SignatureAgent: h("signature-agent")}
	ev.AgentHeader, ev.AgentHeaderName = firstOf(h, agentHeaders)
	ev.ParentHeader, _ = firstOf(h, parentHeaders)
	ev.RunHeader, ev.RunHeaderName = firstOf(h, runHeaders)
	ev.TaskHeader, ev.TaskHeaderName = firstOf(h, taskHeaders)
	ev.Conversation, _ = firstOf(h, conversationHeaders)
	ev.GatewayAgent, _ = firstOf(h, consumerHeaders)
	ev.GatewayCredential = ev.GatewayAgent
	ev.GatewayUser, _ = firstOf(h, principalHeaders)
	if uri := ParseXFCC(h("x-forwarded-client-cert")); strings.HasPrefix(uri, "spiffe://") {
		ev.SPIFFE = uri
	}
	if key := h("x-api-key"); key != "" {
		ev.APIKey = key
	} else if scheme, rest, ok := strings.Cut(h("authorization"), " "); ok && !strings.Contains(scheme, "=") {
		ev.APIKey = strings.TrimSpace(rest)
	}
	if trace, span, ok := ParseTraceparent(h("traceparent")); ok {
		c.TraceID, c.ParentSpanID = trace, span
	}
	c.RequestID = id(h("x-request-id"))
	return ev
}
