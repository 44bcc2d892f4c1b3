package decode

import (
	"flyball/ingest/mapping"
	"flyball/schema"
	"strings"
)

// setCaller: who called, by what the source established, or by what the caller said.
func (d *draft) setCaller(f mapping.Field, t string, with *mapping.With) bool {
	ev := &d.ev
	if with.Asserted {
		switch f {
		case mapping.Credential:
			d.secret(t) // hashed, and worth as much as any key that anybody may invent
			return true
		case mapping.RemoteUser, mapping.Peer, mapping.TokenSubject, mapping.TokenClient, mapping.TokenActor, mapping.TokenIssuer:
			return false // only the gateway can know these
		}
	}
	switch f {
	case mapping.ClientIP:
		return d.client(7, t)
	case mapping.UserAgent:
		d.call.UserAgent = t
	case mapping.Credential:
		d.setCredential(t, with.Kind)
	case mapping.RemoteUser:
		ev.RemoteUser = t
	case mapping.Peer:
		d.peerIs(t)
	case mapping.Principal:
		if with.Asserted {
			ev.UserID = t
		} else {
			ev.GatewayUser = t
		}
	case mapping.UserID:
		ev.UserID = t
	case mapping.AgentID:
		if with.Asserted {
			ev.AgentHeader, ev.AgentHeaderName = t, first(ev.AgentHeaderName, "x-agent-id")
		} else {
			ev.GatewayAgent = t
		}
	case mapping.AgentName:
		d.call.AgentName = t
	case mapping.AgentVersion:
		ev.AgentVersion = t
	case mapping.ParentAgent:
		ev.ParentHeader = t
	case mapping.RunKey:
		if better(&d.ranks.run, 18) {
			ev.RunHeader, ev.RunHeaderName = t, "run-id"
		}
	case mapping.GateRun:
		ev.GateRun = first(t, ev.GateRun)
	case mapping.GateReceipt:
		ev.Receipt = first(ev.Receipt, t)
	case mapping.TaskID:
		if better(&d.ranks.task, 8) {
			ev.TaskHeader, ev.TaskHeaderName = t, "task-id"
		}
	case mapping.Conversation:
		choose(&d.ranks.conversation, 8, &ev.Conversation, t)
	case mapping.Token:
		d.secret(t)
	case mapping.TokenSubject:
		d.claim(&d.claims.Subject, t)
	case mapping.TokenClient:
		d.claim(&d.claims.ClientID, t)
	case mapping.TokenIssuer:
		d.claim(&d.claims.Issuer, t)
	case mapping.TokenActor:
		d.claims.Act, d.claimed = []string{t}, true
	default:
		return false
	}
	return true
}

// setCredential takes in the id of the credential that the gateway let in.
func (d *draft) setCredential(t, kind string) {
	ev := &d.ev
	switch kind {
	case "hmac":
		d.secret(t)
	case "mtls":
		d.peerIs(t)
	case "user":
		ev.RemoteUser = t
	default:
		ev.GatewayCredential, ev.GatewayCredentialKind = t, credentialKinds[kind]
	}
}

var credentialKinds = map[string]schema.CredentialKind{"api_key": schema.CredentialAPIKey, "oauth_client": schema.CredentialOAuthClient, "aws_key": schema.CredentialAWSKey, "consumer": schema.CredentialConsumer}

// peerIs takes in the peer's certificate: its SPIFFE id, its fingerprint or its subject.
func (d *draft) peerIs(t string) {
	switch {
	case strings.HasPrefix(t, "spiffe://"):
		d.ev.SPIFFE = t
	case strings.Contains(t, "="):
		d.ev.CertSubject = t
	default:
		d.ev.CertFingerprint = t
	}
}
