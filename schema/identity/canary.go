package identity

import (
	"strings"
	"time"

	"flyball/schema"
)

// SignCanary returns the receipt that puts calls of a round of the canary into the canary's tenant: calls of this method and path, within
// receiptWindow of a time. Round is also the key of the run.
func (r *Resolver) SignCanary(round, method, path string, at time.Time) (string, error) {
	return r.receipts.Sign(&receipt{At: at.Unix(), AgentID: schema.CanaryTenant + "/" + round, AgentSource: "receipt",
		AgentTrust: schema.TrustVerified, RunKey: round, RunKeySource: "x-agent-run-id", RoutingKey: schema.CanaryRoutingKey(round)},
		schema.CanaryTenant, method, path)
}

// canary moves a call into the canary's tenant, if the token is a receipt for it. It sets the whole identity: nothing that the record or
// request says besides holds. The path must be the round's to the letter: a receipt covers neither queries and fragments nor spellings,
// and a service may read another request in them.
func (r *Resolver) canary(token, path string, c *schema.Call) bool {
	if !strings.HasPrefix(path, schema.CanaryPath) {
		return false
	}
	got, err := r.receipts.Open(token, schema.CanaryTenant, c.Method, path, c.Start)
	if err != nil || !schema.IsCanaryActor(got.RoutingKey) || got.RunKey == "" || path != schema.CanaryPath+got.RunKey {
		return false
	}
	c.Tenant, c.ActorChain, c.AgentName, c.AgentVersion, c.ConversationID = schema.CanaryTenant, nil, "", "", ""
	c.PrincipalID, c.PrincipalKind, c.PrincipalSource, c.PrincipalTrust = "", schema.PrincipalUnknown, "", 0
	c.TaskID, c.TaskSource, c.TaskTrust = "", "", 0
	c.AgentTrust = 0
	got.apply(c)
	return true
}
