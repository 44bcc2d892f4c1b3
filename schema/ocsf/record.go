package ocsf

import (
	"cmp"
	"encoding/hex"
	"fmt"

	"flyball/schema"
)

// recordID is the id of the record that a call was read from, as reports show it.
func recordID(c *schema.Call) string {
	return fmt.Sprintf("%s/%d/%d/%d", c.Source.Topic, c.Source.Partition, c.Pos.Offset, c.Pos.Item)
}

// FromRecord returns a call as it was decoded. Before calls are stitched it belongs to no run.
func FromRecord(c *schema.Call) Call {
	out := Call{ID: recordID(c), Tenant: c.Tenant, Start: c.StartTime(), DurationNs: c.DurationNs, Method: c.Method, Scheme: c.Scheme,
		Host: c.Host, Path: c.Path, Route: c.Route, Tool: c.ToolName, API: c.API, Effect: known(c.Effect.String()),
		Reverse: known(c.Reversibility.String()), Outcome: c.Outcome.String(), Status: int(c.Status),
		Error: cmp.Or(c.ErrorMessage, c.ErrorType, c.DeniedBy), BytesIn: c.BytesIn, BytesOut: c.BytesOut, RequestID: c.RequestID,
		UserAgent: c.UserAgent, TraceID: hexID(c.TraceID[:]), SpanID: hexID(c.SpanID[:]), ParentSpan: hexID(c.ParentSpanID[:]),
		Observer: c.Observer, Model: cmp.Or(c.ModelUsed, c.ModelRequested), Provider: c.GenAIProvider, AgentID: c.AgentID,
		AgentName: c.AgentName, AgentVersion: c.AgentVersion, AgentTrust: known(c.AgentTrust.String()),
		CallerKind: known(c.CallerKind.String()), CredentialID: c.CredentialID, PrincipalID: c.PrincipalID}
	if c.ClientIP.IsValid() && !c.ClientIP.IsUnspecified() {
		out.ClientIP = c.ClientIP.Unmap().WithZone("").String()
	}
	if c.RunID != (schema.RunID{}) {
		out.RunID = c.RunID.String()
	}
	for _, r := range c.Resources {
		out.Resources = append(out.Resources, r.String())
	}
	return out
}

// known returns a word, or nothing for those that say that it is not known.
func known(word string) string {
	if word == "unknown" || word == "none" {
		return ""
	}
	return word
}

// hexID returns an id in hexadecimal; empty: it is zero, which is no id.
func hexID(id []byte) string {
	for _, b := range id {
		if b != 0 {
			return hex.EncodeToString(id)
		}
	}
	return ""
}
