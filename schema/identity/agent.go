package identity

import (
	"cmp"
	"strings"

	"flyball/schema"
)

// entraAgentFacet marks an agent identity in Entra's xms_act_fct.
const entraAgentFacet = "11"

func (r *Resolver) agent(ev *Evidence, c *schema.Call, ua product) {
	if !r.establishedAgent(ev, c) && !claimedAgent(ev, c) {
		inferredAgent(ev, c, ua)
	}
	asserted := cmp.Or(id(ev.AgentHeader), id(ev.MCPClientName))
	if asserted != "" && asserted != c.AgentID && c.AgentTrust > schema.TrustAsserted {
		c.AgentAsserted = asserted
	}
	c.AgentName = cmp.Or(c.AgentName, id(ev.GenAIAgentName))
	c.AgentVersion = cmp.Or(c.AgentVersion, id(ev.AgentVersion))
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
		setAgent(c, withAddress("ip:", c, "/ua:", cmp.Or(ua.name, "unknown")), "address", schema.TrustInferred)
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
