package identity

import "flyball/schema"

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
		return principal{ev.RemoteUser, schema.PrincipalUnknown, "remote_user", ev.remoteUserTrust()}
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
