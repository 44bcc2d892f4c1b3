package identity

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net/url"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"flyball/schema"
)

// Receipt is who the check saw when it was asked about a request. The gateway logs it,
// and the row of the log takes its run, credential, agent and routing key from it: the
// check sees headers that no log holds. Trust is what it was at the check: what a caller
// claimed stays claimed.
type Receipt struct {
	At       int64   // of the check, Unix seconds
	Decision [8]byte // its decision id

	CredentialID     string
	CredentialKind   schema.CredentialKind
	CredentialSource string
	CredentialTrust  schema.Trust

	AgentID       string
	AgentSource   string
	AgentTrust    schema.Trust
	AgentAsserted string

	// What binds the request to its run: a run key (and the agent that started this
	// one), else a trace, else a conversation, else nothing but who calls and when.
	RunKey       string
	RunKeySource string
	ParentAgent  string
	TraceID      [16]byte
	Conversation string

	RoutingKey string
}

// What is wrong with a receipt.
var (
	ErrReceiptMalformed = errors.New("malformed")
	ErrReceiptNewer     = errors.New("newer_version")
	// ErrReceiptMAC: made by another deployment, for another tenant, method or path, or changed.
	ErrReceiptMAC = errors.New("wrong_mac")
	// ErrReceiptExpired: made more than ReceiptWindow before or after the row's start time.
	ErrReceiptExpired = errors.New("expired")
	// ErrReceiptTooLong: the ids do not fit into MaxReceipt.
	ErrReceiptTooLong = errors.New("too_long")
)

const (
	// MaxReceipt is the longest receipt, in bytes of its text.
	MaxReceipt = 512
	// ReceiptWindow is how far apart the check and the row's start time may lie.
	ReceiptWindow = 15 * time.Minute

	receiptVersion = 1
	receiptMAC     = 16
	maxPayload     = MaxReceipt/4*3 - receiptMAC
)

// strict refuses what another spelling of the same bytes would be.
var strict = base64.RawURLEncoding.Strict()

// Signer makes and reads receipts. It is safe for concurrent use.
//
// The MAC covers the receipt, the tenant, the method and the path without the query.
// What remains: within ReceiptWindow, somebody who learned the receipt of a request can
// have another request of the same tenant, method and path logged under it, if the
// gateway logs what the client sent instead of what the check answered. The shipped
// gateway files delete every X-Flyball-* header on the way in.
type Signer struct {
	inner, outer [sha256.BlockSize]byte // the key of HMAC-SHA256, as its two hashes begin
	pool         sync.Pool              // of *memory
}

// memory of one computation: what is hashed, behind the key. HMAC is written out, since
// both hashes in one piece each are twice as fast as crypto/hmac for texts this short.
type memory struct {
	inner []byte
	outer [sha256.BlockSize + sha256.Size]byte
}

// mostKept is the capacity above which a computation's memory is not used again.
const mostKept = 16 << 10

// NewSigner derives the key of receipts from the deployment's key.
func NewSigner(key Key) *Signer {
	d := hmac.New(sha256.New, key)
	_, _ = d.Write([]byte("flyball receipt"))
	s := &Signer{}
	copy(s.inner[:], d.Sum(nil))
	s.outer = s.inner
	for i := range s.inner {
		s.inner[i] ^= 0x36
		s.outer[i] ^= 0x5c
	}
	s.pool.New = func() any { return &memory{inner: make([]byte, 0, 2<<10)} }
	return s
}

// begin is memory that a payload can be appended to.
func (s *Signer) begin() *memory {
	m := s.pool.Get().(*memory)
	m.inner = append(m.inner[:0], s.inner[:]...)
	return m
}

func (s *Signer) end(m *memory) {
	if cap(m.inner) <= mostKept {
		s.pool.Put(m)
	}
}

// mac of the payload in memory, for a request.
func (s *Signer) mac(m *memory, tenant, method, path string) (out [receiptMAC]byte) {
	b := append(append(append(m.inner, 0), tenant...), 0)
	b = append(append(b, canonicalMethod(method)...), 0)
	m.inner = append(b, canonicalPath(path)...)
	sum := sha256.Sum256(m.inner)
	copy(m.outer[:], s.outer[:])
	copy(m.outer[sha256.BlockSize:], sum[:])
	sum = sha256.Sum256(m.outer[:])
	copy(out[:], sum[:])
	return out
}

// Sign is the receipt's text, for a request of a tenant. path may hold the query.
func (s *Signer) Sign(r *Receipt, tenant, method, path string) (string, error) {
	m := s.begin()
	defer s.end(m)
	m.inner = r.encode(m.inner)
	n := len(m.inner) - sha256.BlockSize
	if n > maxPayload {
		return "", ErrReceiptTooLong
	}
	mac := s.mac(m, tenant, method, path)
	whole := append(m.inner[:sha256.BlockSize+n], mac[:]...)[sha256.BlockSize:]
	var text [MaxReceipt]byte
	base64.RawURLEncoding.Encode(text[:], whole)
	return string(text[:base64.RawURLEncoding.EncodedLen(len(whole))]), nil
}

// Open reads a receipt that a row shows. at is the row's start time in Unix nanoseconds.
func (s *Signer) Open(token, tenant, method, path string, at int64) (Receipt, error) {
	if token == "" || len(token) > MaxReceipt {
		return Receipt{}, ErrReceiptMalformed
	}
	var text, b [MaxReceipt]byte
	n, err := strict.Decode(b[:], text[:copy(text[:], token)])
	switch {
	case err != nil || n < 1+receiptMAC || b[0] == 0:
		return Receipt{}, ErrReceiptMalformed
	case b[0] > receiptVersion:
		return Receipt{}, ErrReceiptNewer
	}
	payload, mac := b[:n-receiptMAC], b[n-receiptMAC:n]
	m := s.begin()
	m.inner = append(m.inner, payload...)
	want := s.mac(m, tenant, method, path)
	s.end(m)
	if subtle.ConstantTimeCompare(want[:], mac) != 1 {
		return Receipt{}, ErrReceiptMAC
	}
	var r Receipt
	if !r.decode(payload) {
		return Receipt{}, ErrReceiptMalformed
	}
	if apart := at/int64(time.Second) - r.At; apart > int64(ReceiptWindow/time.Second) || apart < -int64(ReceiptWindow/time.Second) {
		return Receipt{}, ErrReceiptExpired
	}
	return r, nil
}

// receiptSources are the rules of identity that a receipt can name by a number. The
// order is part of the format: append only. 0 is any other.
var receiptSources = []string{"receipt", "gateway", "spiffe", "cert_fingerprint", "cert_subject", "api_key", "api_key_id", "aws", "registry", "gen_ai", "mcp_client",
	"signature_agent", "user_agent", "credential", "address", "token_act", "token_entra_agent", "token_client", "remote_user", "token_txn", "baggage",
	"x-agent-id", "agent-id", "x-agent-name", "x-litellm-agent-id", "x-claude-code-agent-id",
	"x-agent-run-id", "agent-run-id", "x-run-id", "run-id", "x-litellm-trace-id", "x-amzn-bedrock-agentcore-runtime-session-id", "x-claude-code-session-id"}

var receiptSourceNumbers = func() map[string]byte {
	out := map[string]byte{}
	for i, s := range receiptSources {
		out[s] = byte(i)
	}
	return out
}()

// Forms of the agent and of the routing key that follow from other fields.
const (
	formVerbatim   = iota
	formCredential // the credential's id; as a routing key after "c:"
	formAgent      // routing key: "g:" and the agent
	formGateway    // routing key: "g:" and the credential
	formClaimed    // routing key: "s:" and the agent, then "|" and the rest
	formAsserted   // routing key: "s:" and the name that was only asserted, then "|" and the rest
	formOf         // agent: "cred:" and the credential
)

const (
	bindSession = iota
	bindKeyed
	bindTrace
	bindConversation
)

func (r *Receipt) encode(b []byte) []byte {
	b = append(b, receiptVersion)
	b = binary.BigEndian.AppendUint32(b, uint32(r.At))
	b = append(b, r.Decision[:]...)
	agentForm, agent := byte(formVerbatim), r.AgentID
	switch {
	case r.CredentialID != "" && agent == r.CredentialID:
		agentForm, agent = formCredential, ""
	case r.CredentialID != "" && agent == "cred:"+r.CredentialID:
		agentForm, agent = formOf, ""
	}
	routeForm, route := byte(formVerbatim), r.RoutingKey
	claimed := func(name string) (rest string, ok bool) {
		rest, ok = strings.CutPrefix(route, "s:")
		if ok = ok && name != ""; ok {
			if rest, ok = strings.CutPrefix(rest, name); ok {
				rest, ok = strings.CutPrefix(rest, "|")
			}
		}
		return rest, ok
	}
	switch kind, id := route[:min(2, len(route))], route[min(2, len(route)):]; {
	case kind == "c:" && id == r.CredentialID:
		routeForm, route = formCredential, ""
	case kind == "g:" && id == r.AgentID:
		routeForm, route = formAgent, ""
	case kind == "g:" && id == r.CredentialID:
		routeForm, route = formGateway, ""
	default:
		if rest, ok := claimed(r.AgentID); ok {
			routeForm, route = formClaimed, rest
		} else if rest, ok := claimed(r.AgentAsserted); ok {
			routeForm, route = formAsserted, rest
		}
	}
	bind := byte(bindSession)
	switch {
	case r.RunKey != "":
		bind = bindKeyed
	case r.TraceID != [16]byte{}:
		bind = bindTrace
	case r.Conversation != "":
		bind = bindConversation
	}
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

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// receiptReader reads a payload; bad is set at the first thing that cannot be.
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

// decode reads a payload whose MAC is right.
func (r *Receipt) decode(payload []byte) bool {
	in := receiptReader{b: payload}
	in.bytes(1)
	r.At = int64(binary.BigEndian.Uint32(in.bytes(4)))
	copy(r.Decision[:], in.bytes(8))
	head := in.bytes(4)
	agentForm, routeForm, bind := head[0]>>4, head[0]&0xf, head[1]
	r.CredentialKind, r.CredentialTrust, r.AgentTrust = schema.CredentialKind(head[2]), schema.Trust(head[3]>>4), schema.Trust(head[3]&0xf)
	r.CredentialSource, r.AgentSource = in.source(), in.source()
	r.CredentialID, r.AgentID, r.AgentAsserted, r.RoutingKey = in.text(), in.text(), in.text(), in.text()
	switch agentForm {
	case formVerbatim:
	case formCredential:
		r.AgentID = r.CredentialID
	case formOf:
		r.AgentID = "cred:" + r.CredentialID
	default:
		return false
	}
	switch routeForm {
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
	if r.CredentialID == "" {
		r.CredentialSource = ""
	}
	if r.AgentID == "" {
		r.AgentSource = ""
	}
	return !in.bad && len(in.b) == 0 && r.RoutingKey != "" && int(r.CredentialKind) < len(schema.CredentialKindWords) && int(r.CredentialTrust) < len(schema.TrustWords) &&
		int(r.AgentTrust) < len(schema.TrustWords)
}

// canonicalMethod is the method as logs are read: upper case, or _OTHER.
func canonicalMethod(s string) string {
	if s == "" || len(s) > 20 {
		return otherMethod
	}
	lower := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z':
			lower = true
		case c < 'A' || c > 'Z':
			return otherMethod
		}
	}
	if lower {
		return strings.ToUpper(s)
	}
	return s
}

const otherMethod = "_OTHER"

// canonicalPath is what is left of a request's target when all ways to write it down
// are made one: without scheme, authority, query and fragment, escapes undone once,
// repeated slashes made one, and valid UTF-8. It is for comparing what a gateway asks
// about with what it logs of the same request, not for deciding what a path means.
func canonicalPath(s string) string {
	if i := strings.Index(s, "://"); i > 0 && i < 12 && s[0] != '/' {
		if s = s[i+3:]; !strings.ContainsAny(s, "/?#") {
			s = "/"
		} else {
			s = s[strings.IndexAny(s, "/?#"):]
		}
	}
	plain := true
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '?' || c == '#':
			s = s[:i]
		case c == '%' || c >= utf8.RuneSelf || c < ' ' || c == '/' && i > 0 && s[i-1] == '/':
			plain = false
		}
	}
	if s == "" {
		return "/"
	}
	if plain {
		return s
	}
	if u, err := url.PathUnescape(s); err == nil {
		s = u
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	for strings.Contains(s, "//") {
		s = strings.ReplaceAll(s, "//", "/")
	}
	return s
}
