package identity

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"flyball/schema"
)

// receiptSources are the rules of identity that a receipt stores as a number. The order is
// part of the format: append only. 0 stands for any other rule.
var receiptSources = []string{
	"receipt", "gateway", "spiffe", "cert_fingerprint", "cert_subject", "api_key", "api_key_id", "aws", "registry", "gen_ai", "mcp_client",
	"signature_agent", "user_agent", "credential", "address", "token_act", "token_entra_agent", "token_client", "remote_user", "token_txn",
	"baggage", "x-agent-id", "agent-id", "x-agent-name", "x-litellm-agent-id", "x-claude-code-agent-id",
	"x-agent-run-id", "agent-run-id", "x-run-id", "run-id", "x-litellm-trace-id", "x-amzn-bedrock-agentcore-runtime-session-id",
	"x-claude-code-session-id",
}

var receiptSourceNumbers = func() map[string]byte {
	out := map[string]byte{}
	for i, s := range receiptSources {
		out[s] = byte(i)
	}
	return out
}()

// Forms of the agent and of the routing key: how a field is derived from other fields.
const (
	formVerbatim           = iota
	formCredential         // the credential's id; as a routing key after "c:"
	formAgent              // routing key: "g:" and the agent
	formGateway            // routing key: "g:" and the credential
	formClaimed            // routing key: "s:" and the agent, then "|" and the rest
	formAsserted           // routing key: "s:" and the name that was only asserted, then "|" and the rest
	formPrefixedCredential // agent: "cred:" and the credential
)

const (
	bindSession = iota
	bindKeyed
	bindTrace
	bindConversation
)

func (r *receipt) encode(b []byte) []byte {
	b = append(b, receiptVersion)
	b = binary.BigEndian.AppendUint32(b, uint32(r.At))
	b = append(b, r.Decision[:]...)
	agentForm, agent := r.shortAgent()
	routeForm, route := r.shortRoutingKey()
	bind := r.binding()
	b = append(b, agentForm<<4|routeForm, bind, byte(r.CredentialKind), byte(r.CredentialTrust)<<4|byte(r.AgentTrust),
		receiptSourceNumbers[r.CredentialSource], receiptSourceNumbers[r.AgentSource])
	b = appendText(appendText(appendText(appendText(b, r.CredentialID), agent), r.AgentAsserted), route)
	switch bind {
	case bindKeyed:
		b = append(b, receiptSourceNumbers[r.RunKeySource])
		b = appendText(appendText(b, r.RunKey), r.ParentAgent)
	case bindTrace:
		b = append(b, r.TraceID[:]...)
	case bindConversation:
		b = appendText(b, r.Conversation)
	}
	return b
}

// shortAgent returns the form of the agent, and the part of its text that the form does not
// determine.
func (r *receipt) shortAgent() (form byte, text string) {
	switch {
	case r.CredentialID != "" && r.AgentID == r.CredentialID:
		return formCredential, ""
	case r.CredentialID != "" && r.AgentID == "cred:"+r.CredentialID:
		return formPrefixedCredential, ""
	}
	return formVerbatim, r.AgentID
}

// expandAgent is the inverse of shortAgent. It returns false for an unknown form.
func (r *receipt) expandAgent(form byte) bool {
	switch form {
	case formVerbatim:
	case formCredential:
		r.AgentID = r.CredentialID
	case formPrefixedCredential:
		r.AgentID = "cred:" + r.CredentialID
	default:
		return false
	}
	return true
}

// shortRoutingKey returns the form of the routing key, and the part of its text that the form
// does not determine.
func (r *receipt) shortRoutingKey() (form byte, text string) {
	key := r.RoutingKey
	switch kind, id := key[:min(2, len(key))], key[min(2, len(key)):]; {
	case kind == "c:" && id == r.CredentialID:
		return formCredential, ""
	case kind == "g:" && id == r.AgentID:
		return formAgent, ""
	case kind == "g:" && id == r.CredentialID:
		return formGateway, ""
	}
	if rest, ok := afterClaimedName(key, r.AgentID); ok {
		return formClaimed, rest
	}
	if rest, ok := afterClaimedName(key, r.AgentAsserted); ok {
		return formAsserted, rest
	}
	return formVerbatim, key
}

// afterClaimedName returns the text after "s:", name and "|" in a routing key. ok is false
// when key does not begin with them or name is empty.
func afterClaimedName(key, name string) (rest string, ok bool) {
	if name == "" {
		return "", false
	}
	if rest, ok = strings.CutPrefix(key, "s:"); !ok {
		return "", false
	}
	if rest, ok = strings.CutPrefix(rest, name); !ok {
		return "", false
	}
	return strings.CutPrefix(rest, "|")
}

// expandRoutingKey is the inverse of shortRoutingKey. It returns false for an unknown form.
func (r *receipt) expandRoutingKey(form byte) bool {
	switch form {
	case formVerbatim:
	case formCredential:
		r.RoutingKey = "c:" + r.CredentialID
	case formAgent:
		r.RoutingKey = "g:" + r.AgentID
	case formGateway:
		r.RoutingKey = "g:" + r.CredentialID
	case formClaimed:
		r.RoutingKey = "s:" + r.AgentID + "|" + r.RoutingKey
	case formAsserted:
		r.RoutingKey = "s:" + r.AgentAsserted + "|" + r.RoutingKey
	default:
		return false
	}
	return true
}

// binding returns the kind of value that binds the request to its run.
func (r *receipt) binding() byte {
	switch {
	case r.RunKey != "":
		return bindKeyed
	case r.TraceID != [16]byte{}:
		return bindTrace
	case r.Conversation != "":
		return bindConversation
	}
	return bindSession
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// receiptReader reads a payload. bad is set at the first invalid value and stays set.
type receiptReader struct {
	b   []byte
	bad bool
}

func (r *receiptReader) bytes(n int) []byte {
	if r.bad || n > len(r.b) {
		r.bad = true
		return make([]byte, min(n, 16))
	}
	out := r.b[:n]
	r.b = r.b[n:]
	return out
}

func (r *receiptReader) text() string {
	n, size := binary.Uvarint(r.b)
	if size <= 0 || n > uint64(len(r.b)-size) || n > 2*schema.MaxID {
		r.bad = true
		return ""
	}
	r.b = r.b[size:]
	s := string(r.bytes(int(n)))
	r.bad = r.bad || !utf8.ValidString(s)
	return s
}

func (r *receiptReader) source() string {
	n := int(r.bytes(1)[0])
	if n >= len(receiptSources) {
		n = 0
	}
	return receiptSources[n]
}

// decode reads a payload whose MAC was verified. It returns false when the payload is invalid.
func (r *receipt) decode(payload []byte) bool {
	in := receiptReader{b: payload}
	in.bytes(1)
	r.At = int64(binary.BigEndian.Uint32(in.bytes(4)))
	copy(r.Decision[:], in.bytes(8))
	head := in.bytes(4)
	agentForm, routeForm, bind := head[0]>>4, head[0]&0xf, head[1]
	r.CredentialKind, r.CredentialTrust, r.AgentTrust = schema.CredentialKind(head[2]), schema.Trust(head[3]>>4), schema.Trust(head[3]&0xf)
	r.CredentialSource, r.AgentSource = in.source(), in.source()
	r.CredentialID, r.AgentID, r.AgentAsserted, r.RoutingKey = in.text(), in.text(), in.text(), in.text()
	if !r.expandAgent(agentForm) || !r.expandRoutingKey(routeForm) || !r.decodeBinding(&in, bind) {
		return false
	}
	if r.CredentialID == "" {
		r.CredentialSource = ""
	}
	if r.AgentID == "" {
		r.AgentSource = ""
	}
	known := int(r.CredentialKind) < len(schema.CredentialKindWords) && int(r.CredentialTrust) < len(schema.TrustWords) &&
		int(r.AgentTrust) < len(schema.TrustWords)
	return known && !in.bad && len(in.b) == 0 && r.RoutingKey != ""
}

func (r *receipt) decodeBinding(in *receiptReader, bind byte) bool {
	switch bind {
	case bindSession:
	case bindKeyed:
		r.RunKeySource = in.source()
		r.RunKey, r.ParentAgent = in.text(), in.text()
	case bindTrace:
		copy(r.TraceID[:], in.bytes(16))
	case bindConversation:
		r.Conversation = in.text()
	default:
		return false
	}
	return true
}
