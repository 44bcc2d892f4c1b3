package identity

import (
	"net/netip"

	"flyball/schema"
)

// Evidence is what one record contains about its caller, before a rule is applied. Decoders
// fill it and make no decisions; Resolve makes the decisions and does not read records. Values
// are as logged: Resolve hashes secrets (APIKey) and drops them, so evidence must not be kept
// after its record is decoded.
type Evidence struct {
	// Established by the gateway itself.
	GatewayCredential string // consumer or credential id that the gateway authenticated
	// GatewayCredentialKind is the kind of GatewayCredential; CredentialNone means a consumer.
	GatewayCredentialKind schema.CredentialKind
	GatewayAgent          string // field by which the gateway names the agent (x_consumer, Kong custom_id, key alias)
	GatewayUser           string // principalId, APIM userId …
	RemoteUser            string // HTTP basic user, as the client sent it
	RemoteUserChecked     bool   // the gateway logs RemoteUser only after it has authenticated it

	// Transport.
	SPIFFE          string // URI SAN of the peer certificate
	CertFingerprint string
	CertSubject     string

	// Token claims, when the gateway logged them; nil when it did not.
	Claims *Claims

	// Keys. APIKey is a raw secret and is only ever hashed.
	APIKey   string
	APIKeyID string
	AWSKey   string

	// OpenTelemetry.
	ServiceName    string
	ServiceVersion string
	GenAIAgentID   string
	GenAIAgentName string
	AgentVersion   string
	UserID         string // user.id, enduser.id, langfuse.user.id, end_user
	AgentSpan      bool   // the span describes an agent itself (invoke_agent, OpenInference AGENT …)
	GenAIOperation bool   // the record is a GenAI, MCP or tool operation

	// GateRun is the id of the run in the check's answer. The gateway logs it, so a client
	// cannot choose it.
	GateRun string
	// Receipt is the receipt in the check's answer, as the gateway logged it. Path is the
	// request's path as logged, before redaction: the receipt is bound to that path.
	Receipt, Path string
	// Canary is the receipt of the canary in a request to the check.
	Canary string
	// Asked reports that, according to the record, the gateway received an answer of the
	// check.
	Asked bool

	// The following are claims of the caller: headers and baggage, names as found (lower
	// case).
	AgentHeader, AgentHeaderName string
	ParentHeader                 string
	RunHeader, RunHeaderName     string
	TaskHeader, TaskHeaderName   string
	Conversation                 string
	SignatureAgent               string
	MCPClientName                string

	UserAgent string
	ClientIP  netip.Addr
	// BrowserFetch is set when Sec-Fetch-* headers and a cookie session were logged.
	BrowserFetch bool
}

// Claims are the claims of a token that are used for identity. They come from a log, so the
// gateway that logged them vouches for them.
type Claims struct {
	Issuer   string
	Subject  string
	ClientID string   // client_id, azp or appid
	Act      []string // act.sub chain, outermost first
	Txn      string
	Confirm  string // cnf.jkt or cnf.x5t#S256
	IDType   string // idtyp
	// EntraActorFacets is xms_act_fct, EntraSubjectFacets xms_sub_fct: space-separated numbers.
	EntraActorFacets, EntraSubjectFacets string
	EntraParentApp                       string
	Scope                                string
	Expiry                               int64 // Unix seconds, 0 unknown
	IssuedAt                             int64 // Unix seconds, 0 unknown
}

// remoteUserTrust returns how far RemoteUser is trusted.
func (ev *Evidence) remoteUserTrust() schema.Trust {
	if ev.RemoteUserChecked {
		return schema.TrustInfrastructure
	}
	return schema.TrustAsserted
}
