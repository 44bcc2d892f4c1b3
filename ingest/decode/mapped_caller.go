package decode

import (
	"cmp"
	"strings"

	"flyball/ingest/mapping"
	"flyball/schema"
)

// setCredential sets the credential that the gateway accepted. A credential that the caller only asserts is hashed, and trusted only as a
// claim.
func setCredential(d *draft, t string, with *mapping.With) bool {
	ev := &d.ev
	switch {
	case with.Asserted, with.Kind == "hmac":
		d.secret(t)
	case with.Kind == "mtls":
		setPeerCertificate(d, t)
	case with.Kind == "user":
		ev.RemoteUser, ev.RemoteUserChecked = t, true
	default:
		ev.GatewayCredential, ev.GatewayCredentialKind = t, credentialKinds[with.Kind]
	}
	return true
}

var credentialKinds = map[string]schema.CredentialKind{
	"api_key": schema.CredentialAPIKey, "oauth_client": schema.CredentialOAuthClient,
	"aws_key": schema.CredentialAWSKey, "consumer": schema.CredentialConsumer,
}

// setPeerCertificate sets the peer's certificate: its SPIFFE id, its fingerprint or its subject.
func setPeerCertificate(d *draft, t string) {
	switch {
	case strings.HasPrefix(t, "spiffe://"):
		d.ev.SPIFFE = t
	case strings.Contains(t, "="):
		d.ev.CertSubject = t
	default:
		d.ev.CertFingerprint = t
	}
}

func setPrincipal(d *draft, t string, with *mapping.With) bool {
	if with.Asserted {
		d.ev.UserID = t
	} else {
		d.ev.GatewayUser = t
	}
	return true
}

func setAgent(d *draft, t string, with *mapping.With) bool {
	if with.Asserted {
		d.ev.AgentHeader, d.ev.AgentHeaderName = t, cmp.Or(d.ev.AgentHeaderName, "x-agent-id")
	} else {
		d.ev.GatewayAgent = t
	}
	return true
}
