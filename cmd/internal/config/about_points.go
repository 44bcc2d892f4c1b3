package config

func (Control) about() abouts {
	return abouts{
		"listen": {Meaning: "Address of the control API.", Form: "host:port", Wrong: "localhost",
			Refused: "no host:port; an address of another listener; other than loopback without tokens and tls"},
		"tokens": {Meaning: "Callers of the control API. Empty: everybody who reaches it may do everything."},
		"point": {Meaning: "Name of this enforcement point. It must be unique, and stay the same after a restart.",
			Default: "name of the host", Wrong: "''",
			Refused: "empty"},
		"trip_budget": {Meaning: "Limit of automatic trips of a tenant; what is beyond becomes a page. flyball settings set overrides it."},
		"tls":         {Meaning: "TLS of the control API."},
		"public_url": {Meaning: "Beginning of links in pages. Empty: pages have no links to decide.", Form: "URL",
			Wrong: "flyball.example", Refused: "no http or https URL"},
		"without_manifest": {Meaning: "Rule for irreversible calls of agents without a manifest: allow; ask a person; ask only while " +
			"the baseline does not " +
			"know the agent.", Form: "allow, ask or ask_while_learning", Wrong: "never", Refused: "other words"},
		"oidc": {Meaning: "OpenID Connect issuer whose tokens operators also have. Without an issuer only tokens count."},
		"throttle_per_second": {Meaning: "Calls of a throttled scope that one point allows.", Form: "calls a second", Wrong: "1001",
			Refused: "0 or below; above 1000"},
	}
}

func (TripBudget) about() abouts {
	return abouts{
		"per_hour": {Meaning: "Automatic trips within an hour of the log's clock. 0: none.", Wrong: "-1", Refused: "below 0"},
		"agents_percent": {Meaning: "Share of the active agents that may be tripped, at least one agent.", Form: "percent", Wrong: "101",
			Refused: "below 0; above 100"},
	}
}

func (Token) about() abouts {
	return abouts{
		"name": {Meaning: "Name in the audit trail.", Wrong: "''", Refused: "empty; a name that is used twice"},
		"role": {Meaning: "Rights.", Form: "viewer, responder, admin or orchestrator", Wrong: "root", Refused: "empty; other words"},
		"value_file": {Meaning: "File with the token (flyball token makes one), or with sha256: and its hash.", Wrong: "/nowhere/token",
			Refused: "a file that cannot be read; fewer than 20 characters; the token of another caller"},
		"tenants": {Meaning: "Tenants that the token may read and change. Empty: all."},
		"expires": {Meaning: "End of the token. Empty: none.", Wrong: "tomorrow", Refused: "no time of RFC 3339"},
		"delegate": {Meaning: "The caller may name the person for whom it asks, as Grafana does. The audit trail names both; the lesser " +
			"rights apply.",
			Refused: "true with the role orchestrator"},
	}
}

func (Check) about() abouts {
	return abouts{
		"listen": {Meaning: "Address of the check over HTTP.", Form: "host:port", Wrong: "localhost",
			Refused: "no host:port; an address of another listener; other than loopback without token_file or tls.ca"},
		"grpc": {Meaning: "Address of the check over gRPC (Envoy's ext_authz).", Form: "host:port", Wrong: "localhost",
			Refused: "no host:port; an address of another listener; other than loopback without token_file or tls.ca"},
		"tls": {Meaning: "TLS of both addresses. With ca, gateways must present a certificate."},
		"token_file": {Meaning: "File with the token that gateways send. Empty: none is needed.", Wrong: "/nowhere/token",
			Refused: "a file that cannot be read; fewer than 16 characters; a hash"},
		"trusted_hops": {Meaning: "Trusted proxies in front of the gateways that call the check. 0: the client is the peer that the " +
			"gateway sends.", Wrong: "33",
			Refused: "below 0; above 32"},
	}
}

func (Metrics) about() abouts {
	return abouts{
		"listen": {Meaning: "Address of metrics and health.", Form: "host:port", Wrong: "localhost",
			Refused: "no host:port; an address of another listener"},
		"profiles": {Meaning: "Serve profiles of the process under /debug/pprof/, to clients on this machine."},
	}
}

func (OIDC) about() abouts {
	return abouts{
		"issuer": {Meaning: "URL of the issuer, as in its tokens. Empty: none.", Form: "URL", Wrong: "http://id.example",
			Refused: "no https URL (http on loopback); ? or #; over 200 bytes; empty while other keys are set"},
		"client_id":          {Meaning: "Id of the client of the pages.", Wrong: "''", Refused: "empty"},
		"client_secret_file": {Meaning: "File with the secret of the client. Empty: it has none.", Refused: "a file that cannot be read"},
		"cli_client_id":      {Meaning: "Id of the client of flyball login, without a secret. Empty: client_id."},
		"audience":           {Meaning: "A token must be for one of these. Empty: for client_id or cli_client_id."},
		"algorithms":         {Meaning: "Algorithms of signatures.", Wrong: "[HS256]", Refused: "empty; algorithms with a shared secret; others"},
		"scopes":             {Meaning: "Scopes that a sign-in asks for beside openid."},
		"groups_claim": {Meaning: "Claim with the groups of the holder.", Form: "name, or a path such as realm_access.roles",
			Wrong: "''", Refused: "empty"},
		"roles": {Meaning: "Role of the members of each group.", Form: "{GROUP: ROLE}, with viewer, responder, admin or orchestrator",
			Refused: "empty; other roles"},
		"delegates": {Meaning: "Groups whose members may name the person for whom they make a request.", Wrong: "[nosuch]",
			Refused: "a group that is not in roles"},
		"tenants":       {Meaning: "Tenants that holders may read and change. Empty: all."},
		"tenants_claim": {Meaning: "Claim with the tenants of the holder. Empty: tokens name none."},
		"tls":           {Meaning: "TLS to the issuer."},
		"redirect_url": {Meaning: "Where the issuer sends people back: control.public_url and /v1/sign-in. With it, pages behind links " +
			"demand a " +
			"sign-in. Empty: whoever has the link decides, once.", Form: "URL", Wrong: "https://other.example/",
			Refused: "another URL; no https URL"},
	}
}
