package decode

import (
	"cmp"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"flyball/schema"
)

// operations maps the names of operations to kinds of operation: the values of gen_ai.operation.name, openinference.span.kind and
// langsmith.span.kind.
var operations = map[string]schema.OpKind{
	"invoke_agent": schema.OpAgentInvoke, "invoke_workflow": schema.OpAgentInvoke, "create_agent": schema.OpAgentInvoke,
	"execute_tool": schema.OpTool,
	"chat":         schema.OpLLM, "generate_content": schema.OpLLM, "text_completion": schema.OpLLM, "embeddings": schema.OpLLM,
	"AGENT": schema.OpAgentInvoke, "TOOL": schema.OpTool, "LLM": schema.OpLLM, "EMBEDDING": schema.OpLLM, "RERANKER": schema.OpLLM,
}

// words maps what agent SDKs write in place of gen_ai.operation.name to it: kinds of spans of Traceloop, MLflow, Langfuse, Genkit,
// Spring AI and Claude Code, operations of Sentry, and operation ids of the Vercel AI SDK, in lower case.
var words = map[string]string{
	"tool": "execute_tool", "tool_call": "execute_tool", "tool.execution": "execute_tool", "gen_ai.execute_tool": "execute_tool",
	"ai.toolcall": "execute_tool", "mcp.server": "execute_tool", "ai.run": "invoke_agent", "gen_ai.handoff": "handoff",
	"function": "execute_tool", "execute_tool": "execute_tool",
	"agent": "invoke_agent", "workflow": "invoke_workflow", "gen_ai.invoke_agent": "invoke_agent", "gen_ai.create_agent": "create_agent",
	"ai.generatetext": "invoke_agent", "ai.streamtext": "invoke_agent", "ai.generateobject": "invoke_agent", "ai.streamobject": "invoke_agent",
	"invoke_agent": "invoke_agent", "interaction": "invoke_agent",
	"llm": "chat", "chat_model": "chat", "chat": "chat", "completion": "text_completion", "embedding": "embeddings", "rerank": "chat",
	"reranker": "chat", "generation": "chat", "model": "chat", "llm_request": "chat", "chat_client": "chat", "gen_ai.chat": "chat",
	"gen_ai.generate_text": "chat", "gen_ai.stream_text": "chat", "gen_ai.generate_content": "generate_content",
	"gen_ai.embeddings": "embeddings",
	"gen_ai.responses":  "chat", "ai.chat_completions.create": "chat", "ai.generatetext.dogenerate": "chat", "ai.streamtext.dostream": "chat",
	"ai.generateobject.dogenerate": "chat", "ai.streamobject.dostream": "chat", "ai.embed.doembed": "embeddings",
	"ai.embedmany.doembed": "embeddings",
}

// spanSigns are the attributes of a span that show whether it is a call.
type spanSigns struct {
	operation string // in one of the vocabularies of operations
	word      string // what an SDK writes in place of gen_ai.operation.name
	openInf   string
	langSmith string
	tool      bool // names a tool
	model     bool // names a model
	agent     bool // names an agent
	mcp       bool
	http, rpc bool
	framework bool // has attributes of an agent framework
}

// signsOf reads the signs of a span in one pass over its attributes.
func signsOf(s ptrace.Span) (g spanSigns) {
	s.Attributes().Range(func(key string, v pcommon.Value) bool {
		switch key {
		case "gen_ai.operation.name":
			if g.operation = attributeText(v); g.operation == "framework" { // of Spring AI
				g.operation = ""
			}
		case "openinference.span.kind":
			g.openInf = attributeText(v)
		case "langsmith.span.kind":
			g.langSmith = strings.ToUpper(attributeText(v))
		case "traceloop.span.kind", "llm.request.type", "mlflow.spanType", "langfuse.observation.type", "genkit:metadata:subtype",
			"spring.ai.kind", "sentry.op", "ai.operationId", "span.type":
			if t := strings.ToLower(strings.Trim(attributeText(v), `"`)); g.word == "" || words[t] != "" {
				g.word = t
			}
			g.framework = true
		case "gen_ai.tool.name", "tool.name", "ai.toolCall.name", "spring.ai.tool.definition.name", "mcp.tool.name", "gen_ai.tool.call.id",
			"tool_name":
			g.tool = attributeText(v) != ""
			g.mcp = g.mcp || key == "mcp.tool.name"
		case "gen_ai.request.model", "gen_ai.response.model", "llm.model_name", "ai.model.id", "llm.request.model_name":
			g.model = attributeText(v) != ""
		case "gen_ai.agent.name", "gen_ai.agent.id":
			g.agent = attributeText(v) != ""
		case "mcp.method.name", "mcp.method":
			g.mcp = attributeText(v) != ""
		case "http.request.method", "http.method":
			g.http = attributeText(v) != ""
		case "rpc.system", "rpc.system.name":
			g.rpc = true
		default:
			g.framework = g.framework || len(key) > 3 && (key[0] == 'g' && strings.HasPrefix(key, "gen_ai.") ||
				key[0] == 'a' && strings.HasPrefix(key, "ai.") || key[0] == 'l' && (strings.HasPrefix(key, "llm.") ||
				strings.HasPrefix(key, "logfire.msg")) || key[0] == 'm' && strings.HasPrefix(key, "mcp."))
		}
		return true
	})
	return g
}

// name returns the operation of a span of an agent or of a model, in one of the vocabularies of operations, or the empty string.
func (g *spanSigns) name(spanName string) string {
	if op := cmp.Or(g.operation, g.openInf, g.langSmith); op != "" {
		return op
	}
	if op := words[g.word]; op != "" {
		return op
	}
	if g.word == "" && !g.framework && !g.tool && !g.model {
		return ""
	}
	switch op, subject, _ := strings.Cut(spanName, " "); {
	case op == "execute_tool", op == "running" && strings.HasPrefix(subject, "tool") && g.tool, op == "Tool:", op == "Function:",
		strings.HasPrefix(spanName, "MCP Tool"), g.tool && g.word == "" && !g.model:
		return "execute_tool"
	case op == "invoke_agent", spanName == "agent run", strings.HasPrefix(spanName, "Agent run:"), strings.HasSuffix(spanName, " run") &&
		g.agent:
		return "invoke_agent"
	case spanName == "litellm_request", op == "chat" && g.model, strings.HasPrefix(spanName, "Responses API"),
		strings.HasPrefix(spanName, "Chat Completion"), strings.HasPrefix(spanName, "Message with"):
		return "chat"
	}
	return ""
}

// toolOfName returns the tool in the name of a span whose attributes name none.
func toolOfName(spanName string) string {
	for _, prefix := range [...]string{"execute_tool ", "tools/call ", "Function: ", "Tool: ", "running tool: ", "MCP Tool: "} {
		if name, ok := strings.CutPrefix(spanName, prefix); ok {
			return name
		}
	}
	if name, ok := strings.CutSuffix(spanName, ".tool"); ok {
		return name
	}
	return ""
}

// leftSpan is why a span is no call.
type leftSpan uint8

const (
	isACall leftSpan = iota
	leftInternal
	leftClient
	leftMessaging
	leftFramework
)

// isCall decides whether a span is a call: a span of a server, a span of a client that names the called operation, or a span of an agent,
// a tool or a model. Other spans are parts of calls, or describe them again.
func (g *spanSigns) isCall(s ptrace.Span, op string) leftSpan {
	kind := s.Kind()
	if kind == ptrace.SpanKindServer || g.mcp {
		return isACall
	}
	if kind == ptrace.SpanKindClient {
		if op != "" || g.http || g.rpc {
			return isACall
		}
		return leftClient
	}
	switch operations[op] {
	case schema.OpAgentInvoke, schema.OpTool:
		if op != "create_agent" {
			return isACall
		}
	case schema.OpLLM:
		// An LLM span of OpenInference or LangSmith is in the process of the agent, beside the span of the request itself.
		if g.openInf == "" && g.langSmith == "" && (g.model || g.operation == "") {
			return isACall
		}
	}
	switch {
	case g.framework || op != "":
		return leftFramework
	case kind == ptrace.SpanKindProducer || kind == ptrace.SpanKindConsumer:
		return leftMessaging
	}
	return leftInternal
}
