package identity

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"strings"
	"sync"
	"sync/atomic"

	"flyball/schema"
)

// Key is the HMAC key of a deployment. It prints as <secret>.
type Key []byte

func (Key) String() string   { return "<secret>" }
func (Key) GoString() string { return "<secret>" }

// Options configure a Resolver.
type Options struct {
	Tenant string
	Key    Key
	// Former are keys that were replaced. Ids that were made with them are recognised: of the credentials of a request, in the
	// registry, and in receipts.
	Former   []Key
	Registry []Entry
}

// Entry is one entry of the operator's registry: the agent that it names is verified. A caller
// matches by Credential, SPIFFE or Consumer.
type Entry struct {
	Agent      string
	Credential string
	SPIFFE     string
	Consumer   string
	Owner      string
	Tags       []string
}

// Resolver applies the rules of identity. It is safe for concurrent use.
type Resolver struct {
	tenant   string
	key      Key
	registry atomic.Pointer[map[string]string] // "kind:value" to agent
	receipts *receiptSigner
	former   []*formerKey
	opened   receiptCounts

	mu     sync.RWMutex
	hashed map[string]string // bounded cache of credential ids
	agents map[string]product
	tokens map[string][]schema.Scope // bounded cache of the names in tokens
}

const cacheSize = 4096

// NewResolver makes a resolver. The key must have at least 16 bytes, so that credential ids of
// two deployments are not comparable; the tenant must not be empty.
func NewResolver(o Options) (*Resolver, error) {
	if len(o.Key) < 16 {
		return nil, errors.New("secret_key_file: the deployment's key must have at least 16 bytes")
	}
	if o.Tenant == "" {
		return nil, errors.New("tenant: empty")
	}
	r := &Resolver{tenant: o.Tenant, key: o.Key, receipts: newReceiptSigner(o.Key), hashed: map[string]string{}, agents: map[string]product{},
		tokens: map[string][]schema.Scope{}}
	for _, k := range o.Former {
		if len(k) < 16 {
			return nil, errors.New("secret_key_file: a former key must have at least 16 bytes")
		}
		r.former = append(r.former, &formerKey{key: k, receipts: newReceiptSigner(k), hashed: map[string]string{}})
	}
	r.Register(o.Registry)
	return r, nil
}

// Register replaces the registry. Calls that are resolved later use the new one.
func (r *Resolver) Register(entries []Entry) {
	registry := map[string]string{}
	for _, e := range entries {
		for kind, v := range map[string]string{"credential": e.Credential, "spiffe": e.SPIFFE, "consumer": e.Consumer} {
			if v != "" {
				registry[kind+":"+v] = e.Agent
			}
		}
	}
	r.registry.Store(&registry)
}

// CredentialID returns the id of a secret: "k_" and the first ten bytes of HMAC-SHA256(key,
// kind 0 secret) in base 32.
func (r *Resolver) CredentialID(kind, secret string) string {
	cacheKey := kind + "\x00" + secret
	r.mu.RLock()
	id := r.hashed[cacheKey]
	r.mu.RUnlock()
	if id != "" {
		return id
	}
	id = credentialID(r.key, cacheKey)
	r.mu.Lock()
	if len(r.hashed) >= cacheSize {
		clear(r.hashed)
	}
	r.hashed[cacheKey] = id
	r.mu.Unlock()
	return id
}

func credentialID(key Key, kindAndSecret string) string {
	m := hmac.New(sha256.New, key)
	_, _ = m.Write([]byte(kindAndSecret))
	return "k_" + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(m.Sum(nil)[:10]))
}

// Resolve sets the identity fields of a call from the evidence of its record.
func (r *Resolver) Resolve(ev *Evidence, c *schema.Call) {
	if c.Tenant == "" {
		c.Tenant = r.tenant
	}
	if c.UserAgent == "" {
		c.UserAgent = clean(ev.UserAgent, schema.MaxUserAgent)
	}
	ua := r.product(c.UserAgent)
	c.UAProduct = ua.name
	if !c.ClientIP.IsValid() {
		c.ClientIP = ev.ClientIP
	}
	r.credential(ev, c)
	r.principal(ev, c)
	r.agent(ev, c, ua)
	r.task(ev, c)
	runKey(ev, c)
	c.ConversationID = first(c.ConversationID, id(ev.Conversation))
	c.ParentAgent = first(c.ParentAgent, id(ev.ParentHeader))
	c.AgentSpan = c.AgentSpan || ev.AgentSpan
	c.RoutingKey = routingKey(ev, c)
	r.receipt(ev, c)
	callerKind(ev, c, ua)
}

func (r *Resolver) credential(ev *Evidence, c *schema.Call) {
	set := func(v string, kind schema.CredentialKind, source string, trust schema.Trust) bool {
		if v = id(v); v == "" {
			return false
		}
		c.CredentialID, c.CredentialKind, c.CredentialSource, c.CredentialTrust = v, kind, source, trust
		return true
	}
	claims := ev.Claims
	gateway := ev.GatewayCredentialKind
	if gateway == schema.CredentialNone {
		gateway = schema.CredentialConsumer
	}
	switch {
	case set(ev.GatewayCredential, gateway, "gateway", schema.TrustInfrastructure):
	case set(ev.SPIFFE, schema.CredentialMTLS, "spiffe", schema.TrustInfrastructure):
	case set(ev.CertFingerprint, schema.CredentialMTLS, "cert_fingerprint", schema.TrustInfrastructure):
	case set(ev.CertSubject, schema.CredentialMTLS, "cert_subject", schema.TrustInfrastructure):
	case claims != nil && claims.ClientID != "":
		v := claims.ClientID
		if claims.Confirm != "" {
			v += "#" + claims.Confirm
		}
		set(v, schema.CredentialOAuthClient, "token_client", schema.TrustInfrastructure)
	case set(ev.AWSKey, schema.CredentialAWSKey, "aws", schema.TrustInfrastructure):
	case set(ev.APIKeyID, schema.CredentialAPIKey, "api_key_id", schema.TrustInfrastructure):
	case ev.APIKey != "":
		// A client can invent keys: a key in a log is not always valid.
		set(r.CredentialID("api_key", ev.APIKey), schema.CredentialAPIKey, "api_key", schema.TrustAsserted)
	case set(ev.RemoteUser, schema.CredentialUser, "remote_user", schema.TrustInfrastructure):
	}
}

// principal is the party on whose behalf a call is made, with the rule that established it.
type principal struct {
	id     string
	kind   schema.PrincipalKind
	source string
	trust  schema.Trust
}

func (r *Resolver) principal(ev *Evidence, c *schema.Call) {
	if p := findPrincipal(ev); p.source != "" {
		c.PrincipalID, c.PrincipalKind, c.PrincipalSource, c.PrincipalTrust = id(p.id), p.kind, p.source, p.trust
	}
	if ev.Claims == nil {
		return
	}
	for _, a := range ev.Claims.Act {
		if a = id(a); a != "" {
			c.ActorChain = append(c.ActorChain, a)
		}
	}
}

// findPrincipal applies the rules in order. The source is empty when no rule applies.
func findPrincipal(ev *Evidence) principal {
	if p := tokenPrincipal(ev.Claims); p.source != "" {
		return p
	}
	switch {
	case ev.UserID != "":
		return principal{ev.UserID, schema.PrincipalUnknown, "user_id", schema.TrustAsserted}
	case ev.GatewayUser != "":
		return principal{ev.GatewayUser, schema.PrincipalUnknown, "gateway_user", schema.TrustInfrastructure}
	case ev.RemoteUser != "":
		return principal{ev.RemoteUser, schema.PrincipalUnknown, "remote_user", schema.TrustInfrastructure}
	}
	return principal{}
}

// tokenPrincipal returns the subject of a token. It returns none when the token marks its
// subject as the client application under another name.
func tokenPrincipal(cl *Claims) principal {
	if cl == nil || cl.Subject == "" {
		return principal{}
	}
	kind := schema.PrincipalUnknown
	if len(cl.Act) > 0 || cl.IDType == "user" {
		kind = schema.PrincipalHuman
	}
	subject := principal{cl.Subject, kind, "token_subject", schema.TrustVerified}
	switch {
	case len(cl.Act) > 0:
		return subject
	case cl.Subject == cl.ClientID:
		subject.kind = schema.PrincipalService
		return subject
	case cl.IDType != "app":
		return subject
	}
	return principal{}
}

// entraAgentFacet marks an agent identity in Entra's xms_act_fct.
const entraAgentFacet = "11"

func (r *Resolver) agent(ev *Evidence, c *schema.Call, ua product) {
	if !r.establishedAgent(ev, c) && !claimedAgent(ev, c) {
		inferredAgent(ev, c, ua)
	}
	asserted := first(id(ev.AgentHeader), id(ev.MCPClientName))
	if asserted != "" && asserted != c.AgentID && c.AgentTrust > schema.TrustAsserted {
		c.AgentAsserted = asserted
	}
	c.AgentName = first(c.AgentName, id(ev.GenAIAgentName))
	c.AgentVersion = first(c.AgentVersion, id(ev.AgentVersion))
}

// setAgent sets the agent of a call. It returns false when v is not an id.
func setAgent(c *schema.Call, v, source string, trust schema.Trust) bool {
	if v = id(v); v == "" {
		return false
	}
	c.AgentID, c.AgentSource, c.AgentTrust = v, source, trust
	return true
}

// establishedAgent sets the agent that a party other than the caller established: the issuer
// of its token, the operator, its runtime or the gateway.
func (r *Resolver) establishedAgent(ev *Evidence, c *schema.Call) bool {
	if cl := ev.Claims; cl != nil {
		if len(cl.Act) > 0 && setAgent(c, cl.Act[0], "token_act", schema.TrustVerified) {
			return true
		}
		if hasWord(cl.EntraActorFacets, entraAgentFacet) && setAgent(c, cl.ClientID, "token_entra_agent", schema.TrustVerified) {
			return true
		}
	}
	return setAgent(c, r.registered(ev, c), "registry", schema.TrustVerified) ||
		setAgent(c, genAIAgent(ev), "gen_ai", schema.TrustInfrastructure) ||
		setAgent(c, ev.GatewayAgent, "gateway", schema.TrustInfrastructure)
}

// genAIAgent returns the agent of a span: its id, otherwise its name within its service.
func genAIAgent(ev *Evidence) string {
	if agent := id(ev.GenAIAgentID); agent != "" || ev.GenAIAgentName == "" {
		return agent
	}
	if ev.ServiceName == "" {
		return id(ev.GenAIAgentName)
	}
	return id(ev.ServiceName) + "/" + id(ev.GenAIAgentName)
}

// claimedAgent sets the agent that the caller claims to be.
func claimedAgent(ev *Evidence, c *schema.Call) bool {
	return setAgent(c, ev.AgentHeader, header(ev.AgentHeaderName), schema.TrustAsserted) ||
		setAgent(c, ev.MCPClientName, "mcp_client", schema.TrustAsserted) ||
		setAgent(c, signatureHost(ev.SignatureAgent), "signature_agent", schema.TrustAsserted)
}

// inferredAgent sets the agent when no source names it: from the client of its token, its
// User-Agent, its credential or its address.
func inferredAgent(ev *Evidence, c *schema.Call, ua product) {
	cl := ev.Claims
	switch {
	case cl != nil && cl.ClientID != "" && (cl.Subject == cl.ClientID || cl.IDType == "app") &&
		setAgent(c, cl.ClientID, "token_client", schema.TrustVerified):
	case ua.agent && setAgent(c, ua.name, "user_agent", schema.TrustInferred):
	case c.CredentialID != "":
		setAgent(c, "cred:"+c.CredentialID, "credential", schema.TrustInferred)
	case c.ClientIP.IsValid():
		setAgent(c, withAddress("ip:", c, "/ua:", first(ua.name, "unknown")), "address", schema.TrustInferred)
	}
}

func (r *Resolver) registered(ev *Evidence, c *schema.Call) string {
	registry := *r.registry.Load()
	if len(registry) == 0 {
		return ""
	}
	for _, k := range [...]string{"credential:" + c.CredentialID, "spiffe:" + ev.SPIFFE, "consumer:" + ev.GatewayAgent,
		"consumer:" + ev.GatewayCredential} {
		if a := registry[k]; a != "" && !strings.HasSuffix(k, ":") {
			return a
		}
	}
	if c.CredentialSource == "api_key" {
		for _, former := range r.FormerCredentialIDs("api_key", ev.APIKey) {
			if a := registry["credential:"+former]; a != "" {
				return a
			}
		}
	}
	return ""
}

func (r *Resolver) task(ev *Evidence, c *schema.Call) {
	switch {
	case ev.TaskHeader != "":
		c.TaskID, c.TaskSource, c.TaskTrust = id(ev.TaskHeader), header(ev.TaskHeaderName), schema.TrustAsserted
	case ev.Claims != nil && ev.Claims.Txn != "":
		c.TaskID, c.TaskSource, c.TaskTrust = id(ev.Claims.Txn), "token_txn", schema.TrustVerified
	}
}

func runKey(ev *Evidence, c *schema.Call) {
	switch {
	case ev.RunHeader != "":
		c.RunKey, c.RunKeySource = id(ev.RunHeader), header(ev.RunHeaderName)
	case ev.Claims != nil && ev.Claims.Txn != "":
		c.RunKey, c.RunKeySource = id(ev.Claims.Txn), "token_txn"
	case ev.GateRun != "": // written by a gateway file of the previous version, without receipts
		if _, err := schema.ParseRunID(ev.GateRun); err == nil {
			c.RunKey, c.RunKeySource = ev.GateRun, schema.GateKeySource
		}
	}
}

func header(name string) string {
	if name == "" {
		return "header"
	}
	return strings.ReplaceAll(name, "_", "-")
}

// routingKey returns the actor as determined by the record alone. It does not use the
// registry: a reload of the registry would move actors to other partitions during a run (see
// schema/adr/0002-routing-key-without-registry.md).
func routingKey(ev *Evidence, c *schema.Call) string {
	switch {
	case id(ev.GatewayAgent) != "":
		return "g:" + id(ev.GatewayAgent)
	case c.CredentialID != "":
		return "c:" + c.CredentialID
	case id(ev.GenAIAgentID) != "" || id(ev.GenAIAgentName) != "":
		return "o:" + id(ev.ServiceName) + "/" + first(id(ev.GenAIAgentID), id(ev.GenAIAgentName))
	case id(ev.AgentHeader) != "":
		return "s:" + id(ev.AgentHeader) + "|" + address(c)
	case c.ClientIP.IsValid():
		return withAddress("i:", c, "|", c.UAProduct)
	case c.TraceID != [16]byte{}:
		return "t:" + hex.EncodeToString(c.TraceID[:])
	}
	return "n:" + c.Observer + "|" + c.UAProduct
}

// withAddress returns before, the address of a call's client, between and after as one text.
func withAddress(before string, c *schema.Call, between, after string) string {
	var arena [128]byte
	text := c.ClientIP.AppendTo(append(arena[:0], before...))
	return string(append(append(text, between...), after...))
}

func address(c *schema.Call) string {
	if !c.ClientIP.IsValid() {
		return ""
	}
	return c.ClientIP.String()
}

// callerKind sets the kind of the caller. A client chooses its User-Agent, so it says nothing about an
// agent that is established otherwise.
func callerKind(ev *Evidence, c *schema.Call, ua product) {
	if c.AgentID != "" && c.AgentTrust >= schema.TrustInfrastructure {
		ua = product{}
	}
	score := agentScore(ev, c, ua)
	switch {
	case ua.monitor:
		c.CallerKind, c.CallerConfidence = schema.CallerMonitor, 80
	case ua.crawler:
		c.CallerKind, c.CallerConfidence = schema.CallerCrawler, 60
	case score >= 50:
		c.CallerKind, c.CallerConfidence = schema.CallerAgent, uint8(min(score, 100))
	case c.AgentSource == "token_client":
		c.CallerKind, c.CallerConfidence = schema.CallerService, 80
	case ua.browser && score <= 0:
		c.CallerKind, c.CallerConfidence = schema.CallerHuman, 60
	case score > 0:
		// There are signs of an agent or a program, but not enough to classify it as one.
		c.CallerKind, c.CallerConfidence = schema.CallerUnknown, uint8(score)
	}
}

// agentScore adds up the signs that a caller is an agent. A negative score means a person's
// browser.
func agentScore(ev *Evidence, c *schema.Call, ua product) int {
	score := 0
	if ev.GenAIOperation || c.AgentTrust >= schema.TrustInfrastructure && c.AgentSource != "token_client" {
		score += 60
	}
	if ev.AgentHeader != "" || ev.SignatureAgent != "" || ev.MCPClientName != "" {
		score += 40
	}
	if ua.agent {
		score += 30
	}
	if ua.library {
		score += 10
	}
	if ev.BrowserFetch && ua.browser {
		score -= 40
	}
	return score
}
