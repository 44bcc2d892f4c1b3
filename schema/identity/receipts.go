package identity

import (
	"encoding/hex"
	"sync/atomic"

	"flyball/schema"
)

// AttrReceipt is the attribute of a row without a valid receipt. Its value is the reason:
// malformed, newer_version, wrong_mac or expired; missing when the row shows that the gateway
// called the check.
const AttrReceipt = "flyball.receipt"

// ReceiptOutcomes are the outcomes that Resolver.Receipts counts.
var ReceiptOutcomes = []string{"valid", "missing",
	errReceiptMalformed.Error(), errReceiptNewer.Error(), errReceiptMAC.Error(), errReceiptExpired.Error()}

type receiptCounts [6]atomic.Uint64

func (n *receiptCounts) add(outcome string) {
	for i, word := range ReceiptOutcomes {
		if word == outcome {
			n[i].Add(1)
		}
	}
}

// Receipts returns the number of rows whose receipt had the outcome.
func (r *Resolver) Receipts(outcome string) uint64 {
	for i, word := range ReceiptOutcomes {
		if word == outcome {
			return r.opened[i].Load()
		}
	}
	return 0
}

// Sign returns the receipt of a call whose identity was resolved by the check. method and path
// are those that the gateway sent; path may include the query.
func (r *Resolver) Sign(c *schema.Call, decision [8]byte, method, path string) (string, error) {
	return r.receipts.Sign(&receipt{At: c.Start / 1e9, Decision: decision,
		CredentialID: c.CredentialID, CredentialKind: c.CredentialKind, CredentialSource: c.CredentialSource, CredentialTrust: c.CredentialTrust,
		AgentID: c.AgentID, AgentSource: c.AgentSource, AgentTrust: c.AgentTrust, AgentAsserted: c.AgentAsserted,
		RunKey: c.RunKey, RunKeySource: c.RunKeySource, ParentAgent: c.ParentAgent, TraceID: c.TraceID, Conversation: c.ConversationID,
		RoutingKey: c.RoutingKey}, c.Tenant, method, path)
}

// receipt replaces the identity of a row with that of its receipt. Without a valid receipt the
// row keeps the identity that was read, and AttrReceipt holds the reason.
func (r *Resolver) receipt(ev *Evidence, c *schema.Call) {
	outcome := "missing"
	switch {
	case ev.Canary != "" && r.canary(ev.Canary, c.Path, c):
		return
	case ev.Receipt != "" && r.canary(ev.Receipt, ev.Path, c):
		r.opened.add("valid")
		return
	case ev.Receipt != "":
		got, err := r.openReceipt(ev.Receipt, c.Tenant, c.Method, ev.Path, c.Start)
		if err == nil {
			r.opened.add("valid")
			got.apply(c)
			return
		}
		outcome = err.Error()
	case !ev.Asked:
		return
	}
	r.opened.add(outcome)
	c.SetAttr(AttrReceipt, outcome)
}

// apply sets the identity of a row to that of the receipt. An agent that the row itself
// establishes with more trust is kept (for example by claims of a token that the check could
// not verify). The credential and the routing key are always replaced, because they determine
// the run.
func (r *receipt) apply(c *schema.Call) {
	c.CredentialID, c.CredentialKind = r.CredentialID, r.CredentialKind
	c.CredentialSource, c.CredentialTrust = r.CredentialSource, r.CredentialTrust
	if c.AgentTrust < schema.TrustInfrastructure || c.AgentTrust <= r.AgentTrust {
		c.AgentID, c.AgentSource, c.AgentTrust, c.AgentAsserted = r.AgentID, r.AgentSource, r.AgentTrust, r.AgentAsserted
	}
	c.RoutingKey = r.RoutingKey
	c.RunKey, c.RunKeySource, c.ParentAgent = r.RunKey, r.RunKeySource, r.ParentAgent
	switch {
	case r.RunKey != "":
		return
	case r.TraceID == [16]byte{}:
		// The check saw no trace: the trace in the log was started by the gateway, not by the client.
		c.RunKeySource = schema.NoTraceKeySource
	case c.TraceID != r.TraceID:
		if c.TraceID != [16]byte{} {
			c.SetAttr("trace_id.logged", hex.EncodeToString(c.TraceID[:]))
		}
		c.TraceID = r.TraceID
	}
	if r.TraceID == [16]byte{} {
		c.ConversationID = r.Conversation
	}
}
