package identity

import (
	"encoding/hex"
	"sync/atomic"

	"flyball/schema"
)

// AttrReceipt is the attribute that says why a row does not stand where the check's
// answer would have put it: malformed, newer_version, wrong_mac, expired, or missing
// where the row shows that the check was asked.
const AttrReceipt = "flyball.receipt"

// ReceiptOutcomes are what Resolver.Receipts counts by.
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

// Receipts is how many rows came with that outcome of their receipt.
func (r *Resolver) Receipts(outcome string) uint64 {
	for i, word := range ReceiptOutcomes {
		if word == outcome {
			return r.opened[i].Load()
		}
	}
	return 0
}

// Sign makes the receipt of a call that the check was asked about, whose identity has
// been resolved. Method and path are as the gateway named them; path may hold the query.
func (r *Resolver) Sign(c *schema.Call, decision [8]byte, method, path string) (string, error) {
	return r.receipts.Sign(&receipt{At: c.Start / 1e9, Decision: decision,
		CredentialID: c.CredentialID, CredentialKind: c.CredentialKind, CredentialSource: c.CredentialSource, CredentialTrust: c.CredentialTrust,
		AgentID: c.AgentID, AgentSource: c.AgentSource, AgentTrust: c.AgentTrust, AgentAsserted: c.AgentAsserted,
		RunKey: c.RunKey, RunKeySource: c.RunKeySource, ParentAgent: c.ParentAgent, TraceID: c.TraceID, Conversation: c.ConversationID,
		RoutingKey: c.RoutingKey}, c.Tenant, method, path)
}

// receipt puts a row where the check's answer puts it. Without a valid receipt the row
// stays as it was read, and says why.
func (r *Resolver) receipt(ev *Evidence, c *schema.Call) {
	outcome := "missing"
	switch {
	case ev.Receipt != "":
		got, err := r.receipts.Open(ev.Receipt, c.Tenant, c.Method, ev.Path, c.Start)
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

// apply gives a row the identity that the check saw. An agent that the row itself
// establishes better stays (a token's claims that the check could not verify); the
// credential and the routing key do not, since they say which run it is.
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
		// The check saw neither: a trace that the gateway began is not the client's.
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
