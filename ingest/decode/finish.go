package decode

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"flyball/ingest/fields"
	"flyball/ingest/redact"
	"flyball/schema"
	"flyball/schema/identity"
	"flyball/schema/route"
)

// completion converts a draft, after its record was read, into a call.
type completion struct{ *draft }

// run completes a call: target, kind, times, outcome and redaction. The input of the digest (d.in) keeps the logged values, including
// query values, except texts that look like secrets, because resources are read from it. It is not stored.
func (d completion) run(rec *Record, in *Input, opt *Options, allowed map[string]bool) {
	c := &d.call
	splitTarget(d.draft)
	if isTruth(c.Method) { // another type than a text
		d.keep("method", c.Method)
		c.Method = schema.OtherMethod
	} else if !isUpper(c.Method) {
		if isMethod(c.Method) {
			c.Method = strings.ToUpper(c.Method)
		} else {
			d.keep("method", c.Method)
			c.Method = schema.OtherMethod
		}
	}
	d.clientAddress(in.TrustedHops)
	if d.ev.Receipt != "" {
		d.ev.Path = c.Path
	}
	d.ev.Asked = d.hasDecision()
	d.useClaimedTool()
	d.setOpKind()
	setTimes(d.draft, rec)
	if c.Outcome == schema.OutcomeUnknown {
		c.Outcome = outcome(d.draft)
	}
	d.readToken(opt)
	if d.unverified {
		d.ev.CertSubject, d.ev.CertFingerprint, d.ev.SPIFFE = "", "", ""
	}
	if d.claimed {
		d.ev.Claims = &d.claims
		if life := d.claims.Expiry - d.claims.IssuedAt; d.claims.IssuedAt > 0 && life > 0 && life < 100*365*24*3600 {
			d.keep("auth_lifetime_s", strconv.FormatInt(life, 10))
		}
	}
	d.ev.BrowserFetch = d.secFetch && d.cookie
	setQueryKeys(d.draft, allowed)
	d.redact()
	d.setAttributes()
	d.ev.UserAgent, d.ev.ClientIP = c.UserAgent, c.ClientIP
}

// hasDecision reports whether the gateway logged the id of a decision of the check.
func (d completion) hasDecision() bool {
	for i := range d.attrs {
		if a := &d.attrs[i]; a.Key == "flyball_decision" || a.Key == "header.X-Flyball-Decision" {
			return true
		}
	}
	return false
}

func isUpper(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return len(s) <= 20
}

// isTruth reports whether a text is a value of JSON that is no text.
func isTruth(s string) bool {
	return len(s) >= 4 && len(s) <= 5 && (strings.EqualFold(s, "true") || strings.EqualFold(s, "false") || strings.EqualFold(s, "null"))
}

// useClaimedTool uses the tool that the client's headers name, if the source logged none. The route rules use such a tool only to make a
// call more dangerous, not less.
func (d completion) useClaimedTool() {
	c := &d.call
	if c.MCPMethod != "" || c.ToolName != "" || d.mcpMethod == "" && d.mcpName == "" {
		return
	}
	c.MCPMethod, c.ToolName, d.in.MCPSource = d.mcpMethod, d.mcpName, route.MCPClaimed
}

// setOpKind sets the kind of operation, unless the source names it.
func (d completion) setOpKind() {
	c := &d.call
	if c.OpKind != schema.OpOther {
		return
	}
	switch {
	case c.MCPMethod != "":
		c.OpKind = schema.OpMCP
	case c.ModelRequested != "" || c.ModelUsed != "":
		c.OpKind = schema.OpLLM
	case d.grpc != "", c.Method == "POST" && route.IsMethodOfService(c.Path):
		c.OpKind = schema.OpGRPC
	case c.ToolName != "" && c.Method == "":
		c.OpKind = schema.OpTool
	case c.Method != "" || c.Path != "" || c.Status != 0:
		c.OpKind = schema.OpHTTP
	}
}

// readToken reads the claims of a complete token that was logged, if BelieveTokens is set: the gateway then rejects tokens that it has
// not verified. The token of a denied call is not used.
func (d completion) readToken(opt *Options) {
	if d.token == "" || !opt.BelieveTokens || d.claimed || d.call.Outcome == schema.OutcomeDenied {
		return
	}
	if cl, ok := identity.ParseJWT(d.token); ok {
		d.claims, d.claimed = *cl, true
		if d.ev.APIKey == d.token {
			d.ev.APIKey = ""
		}
	}
}

// redact removes text that looks like a secret from all strings that are kept, and limits their length. An id that contains a secret is
// removed completely, because a part of an id does not identify anything.
func (d completion) redact() {
	c, ev := &d.call, &d.ev
	// The call is classified by the path up to the length that is read, as at the check, and keeps less of it: see keepPath.
	d.in.PathCut = len(c.Path) > route.MaxReadable
	whole := route.Shortened(c.Path, route.MaxReadable)
	c.Path = redact.Path(whole)
	// A secret can have slashes. What was taken for a part of it may be the operation: the path is then not a whole one.
	d.in.PathCut = d.in.PathCut || strings.Count(c.Path, "/") < strings.Count(whole, "/")
	c.Path = schema.Cut(c.Path, route.MaxReadable)
	c.UserAgent = schema.Cut(redact.Text(c.UserAgent), schema.MaxUserAgent)
	c.ErrorMessage = schema.Cut(redact.Text(c.ErrorMessage), schema.MaxError)
	d.in.SourceRoute = schema.Cut(redact.Path(redact.Text(d.in.SourceRoute)), schema.MaxPath)
	d.in.RawQuery, d.in.LoggedDigest = redact.Text(d.in.RawQuery), schema.Cut(d.in.LoggedDigest, schema.MaxID)
	if redact.Suspicious(fields.View(d.in.Args)) {
		d.in.Args = []byte(redact.Text(fields.View(d.in.Args)))
	}
	for _, s := range d.shortStrings() {
		switch {
		case *s == "":
		case redact.Suspicious(*s) && redact.Text(*s) != *s:
			*s = ""
		case len(*s) > schema.MaxID:
			*s = schema.Cut(*s, schema.MaxID)
		}
	}
	// Host and scheme are converted to lower case after redaction, because capital letters help to recognise some secrets.
	c.Host, c.Scheme = hostOf(c.Host), strings.ToLower(c.Scheme)
	// A consumer that looks like a key is treated as a key and hashed, except an AWS access key id, which is not a secret.
	if s := ev.GatewayCredential; !(ev.GatewayCredentialKind == schema.CredentialAWSKey && redact.IsAWSKeyID(s)) && redact.Suspicious(s) &&
		redact.Text(s) != s {
		ev.APIKey, ev.GatewayCredential = s, ""
	}
	if d.claimed {
		for _, s := range [...]*string{&d.claims.Subject, &d.claims.ClientID, &d.claims.Txn, &d.claims.Issuer, &d.claims.Confirm} {
			if redact.Text(*s) != *s {
				*s = ""
			}
		}
		// An actor that contains a secret ends the chain, because the actors behind it are then unknown.
		for i, s := range d.claims.Act {
			if redact.Text(s) != s {
				d.claims.Act = d.claims.Act[:i]
				break
			}
		}
	}
}

// keepPath shortens the path of a classified call to the length that is kept.
func keepPath(c *schema.Call) {
	c.Path = schema.Cut(route.Shortened(c.Path, schema.MaxPath), schema.MaxPath)
}

// shortStrings returns the strings that are ids, names or other short values.
func (d completion) shortStrings() [38]*string {
	c, ev := &d.call, &d.ev
	return [...]*string{&c.Method, &c.Scheme, &c.Host, &c.API, &c.Operation, &c.Observer, &c.RequestID, &c.MCPMethod, &c.ToolName,
		&c.ToolCallID, &c.RPCID,
		&c.MCPServer, &c.GenAIProvider, &c.ModelRequested, &c.ModelUsed, &c.RPCStatus, &c.ErrorType, &c.DeniedBy,
		&ev.GatewayAgent, &ev.GatewayUser, &ev.RemoteUser, &ev.SPIFFE, &ev.CertFingerprint, &ev.CertSubject, &ev.APIKeyID,
		&ev.ServiceName, &ev.ServiceVersion, &ev.GenAIAgentID, &ev.GenAIAgentName, &ev.AgentVersion, &ev.UserID,
		&ev.AgentHeader, &ev.ParentHeader, &ev.RunHeader, &ev.TaskHeader, &ev.Conversation, &ev.SignatureAgent, &ev.MCPClientName}
}

// fixUTF8 makes all strings valid UTF-8.
func (d completion) fixUTF8() {
	for _, s := range d.shortStrings() {
		*s = valid(*s)
	}
	c := &d.call
	for _, s := range [...]*string{&d.target, &d.details, &d.flags, &d.mcpMethod, &d.mcpName, &d.in.MethodOverride, &c.Path, &c.UserAgent,
		&c.ErrorMessage, &d.in.RawQuery, &d.in.SourceRoute, &d.in.LoggedDigest,
		&d.ev.GatewayCredential, &d.claims.Subject, &d.claims.ClientID, &d.claims.Issuer, &d.claims.Txn} {
		*s = valid(*s)
	}
	d.in.Args = bytes.ToValidUTF8(d.in.Args, []byte("\uFFFD"))
	for i := range d.attrs {
		d.attrs[i].Key, d.attrs[i].Value = valid(d.attrs[i].Key), valid(d.attrs[i].Value)
	}
	for i := range d.claims.Act {
		d.claims.Act[i] = valid(d.claims.Act[i])
	}
}

// setAttributes sets the attributes of the call: sorted, without secrets, and each name once (the last value is used).
func (d completion) setAttributes() {
	a := d.attrs
	if len(a) == 0 {
		return
	}
	slices.SortStableFunc(a, func(x, y schema.Attr) int { return strings.Compare(x.Key, y.Key) })
	n := 0
	for i := range a {
		if n > 0 && a[n-1].Key == a[i].Key {
			n--
		}
		v := a[i].Value
		a[n] = schema.Attr{Key: a[i].Key, Value: schema.Cut(redact.Text(v), schema.MaxAttrValue)}
		n++
	}
	n = min(n, schema.MaxAttrs)
	d.call.Attrs = append(make([]schema.Attr, 0, n), a[:n]...)
}

// redactDecoded redacts values that the route rules decoded from paths, queries and arguments, because some secrets are visible only
// after decoding.
func redactDecoded(c *schema.Call) {
	c.Route, c.RouteKey, c.Operation = redact.Path(valid(c.Route)), redact.Path(valid(c.RouteKey)), redact.Text(valid(c.Operation))
	for i := range c.Resources {
		r := &c.Resources[i]
		r.Type, r.ID = redact.Text(valid(r.Type)), redact.Text(valid(r.ID))
	}
}
