package identity

import (
	"cmp"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"strings"
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
	// Redact returns a text without the secrets that ingest removes from logs; nil: nothing is removed. A name in a live
	// request that contains one is no name, as in a log.
	Redact func(text string) string
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
	redact   func(string) string
	former   []*formerKey
	opened   receiptCounts

	credentialIDs cache[string] // by kind 0 secret
	products      cache[product]
	tokens        cache[[]schema.Scope] // the names in tokens
}

// NewResolver makes a resolver. The key must have at least 16 bytes, so that credential ids of
// two deployments are not comparable; the tenant must not be empty.
func NewResolver(o Options) (*Resolver, error) {
	if len(o.Key) < 16 {
		return nil, errors.New("secret_key_file: the deployment's key must have at least 16 bytes")
	}
	if o.Tenant == "" {
		return nil, errors.New("tenant: empty")
	}
	r := &Resolver{tenant: o.Tenant, key: o.Key, receipts: newReceiptSigner(o.Key), redact: o.Redact}
	for _, k := range o.Former {
		if len(k) < 16 {
			return nil, errors.New("secret_key_file: a former key must have at least 16 bytes")
		}
		r.former = append(r.former, &formerKey{key: k, receipts: newReceiptSigner(k)})
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
	return cachedCredentialID(&r.credentialIDs, r.key, kind+"\x00"+secret)
}

func cachedCredentialID(ids *cache[string], key Key, kindAndSecret string) string {
	id, ok := ids.get(kindAndSecret)
	if !ok {
		id = credentialID(key, kindAndSecret)
		ids.put(kindAndSecret, id)
	}
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
	c.ConversationID = cmp.Or(c.ConversationID, id(ev.Conversation))
	c.ParentAgent = cmp.Or(c.ParentAgent, id(ev.ParentHeader))
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
	// nginx logs the user of Authorization: Basic whatever the password is, and without any authentication; Apache logs it for
	// refused requests.
	case set(ev.RemoteUser, schema.CredentialUser, "remote_user", ev.remoteUserTrust()):
	}
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
		return "o:" + id(ev.ServiceName) + "/" + cmp.Or(id(ev.GenAIAgentID), id(ev.GenAIAgentName))
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
