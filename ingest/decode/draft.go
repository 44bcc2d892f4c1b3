package decode

import (
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	"flyball/ingest/redact"
	"flyball/schema"
	"flyball/schema/identity"
	"flyball/schema/route"
)

// draft is a call being read. What it gathers besides the call is for the
// rules that follow and is not kept.
type draft struct {
	call schema.Call
	ev   identity.Evidence
	in   route.Input
	zone *time.Location

	suspicious bool // the item holds something that looks like a token
	target     string
	peer       string // address of the connection, when no better client is named
	flags      string
	details    string
	end        bool // the time read is the end of the call
	timed      bool
	claims     identity.Claims
	claimed    bool
}

func (d *draft) reset(zone *time.Location) {
	*d = draft{zone: zone, call: schema.Call{DurationNs: -1, Attrs: d.call.Attrs[:0], QueryKeys: nil}}
	d.call.Attrs = nil
}

// time sets the time read; end says that the source logs when calls end.
func (d *draft) time(s string, end bool) {
	if ns, p, ok := parseTime(s, d.zone); ok {
		d.call.Start, d.call.TSPrecision, d.end, d.timed = ns, p, end, true
	}
}

// keep notes a field that no table knows, unless its name or its form says
// that it must not be kept.
func (d *draft) keep(name, v string) {
	if v == "" || len(d.call.Attrs) >= schema.MaxAttrs || len(name) > 128 || redact.Name(name) {
		return
	}
	d.call.Attrs = append(d.call.Attrs, schema.Attr{Key: name, Value: cut(d.safe(v), schema.MaxAttrValue)})
}

// safe is s without anything that looks like a token.
func (d *draft) safe(s string) string {
	if d.suspicious {
		return redact.Text(s)
	}
	return s
}

// cut shortens at a rune boundary.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// address reads an IP address with or without a port; of a list the first.
func address(s string) netip.Addr {
	if i := strings.IndexByte(s, ','); i >= 0 {
		s = s[:i]
	}
	s = strings.TrimSpace(s)
	if a, err := netip.ParseAddr(s); err == nil {
		return a.Unmap().WithZone("")
	}
	if a, err := netip.ParseAddrPort(s); err == nil {
		return a.Addr().Unmap().WithZone("")
	}
	return netip.Addr{}
}

// request splits a request line: METHOD target PROTOCOL.
func (d *draft) request(line string) {
	method, rest, ok := strings.Cut(line, " ")
	if !ok || !isMethod(method) {
		return // empty, or bytes that were no HTTP
	}
	target, _, _ := strings.Cut(rest, " ")
	d.call.Method, d.target = method, target
}

func isMethod(s string) bool {
	if len(s) == 0 || len(s) > 20 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if s[i] < 'A' || s[i] > 'Z' {
			return false
		}
	}
	return true
}

// finish completes a call that has been read: target, times, outcome, redaction.
func (d *draft) finish(rec *Record) {
	c := &d.call
	if c.OpKind == schema.OpOther && (c.Method != "" || d.target != "") {
		c.OpKind = schema.OpHTTP
	}
	d.splitTarget()
	c.Method = strings.ToUpper(c.Method)
	c.Host = strings.ToLower(strings.TrimSuffix(strings.TrimSuffix(c.Host, ":80"), ":443"))
	if !c.ClientIP.IsValid() {
		c.ClientIP = address(d.peer)
	}
	if c.MCPMethod != "" && c.OpKind == schema.OpHTTP {
		c.OpKind = schema.OpMCP
	} else if c.ModelRequested != "" && c.OpKind == schema.OpHTTP {
		c.OpKind = schema.OpLLM
	}
	d.times(rec)
	if c.Outcome == schema.OutcomeUnknown {
		c.Outcome = outcome(c, d.flags, d.details)
	}
	if d.claimed {
		d.ev.Claims = &d.claims
	}
	if d.suspicious {
		d.scrub()
	}
	c.Path, c.UserAgent, c.ErrorMessage = cut(c.Path, schema.MaxPath), cut(c.UserAgent, schema.MaxUserAgent), cut(c.ErrorMessage, schema.MaxError)
	c.RequestID, c.Host, c.API, c.Route = cut(c.RequestID, schema.MaxID), cut(c.Host, schema.MaxID), cut(c.API, schema.MaxID), cut(c.Route, schema.MaxPath)
	d.ev.UserAgent, d.ev.ClientIP = c.UserAgent, c.ClientIP
}

// splitTarget takes a request target apart: an absolute URL or a path, and a
// query of which only the names are kept.
func (d *draft) splitTarget() {
	c, t := &d.call, d.target
	if t == "" {
		return
	}
	if i := strings.Index(t, "://"); i > 0 && i < 12 {
		c.Scheme = t[:i]
		t = t[i+3:]
		host := t
		if j := strings.IndexAny(t, "/?"); j >= 0 {
			host, t = t[:j], t[j:]
		} else {
			t = "/"
		}
		if c.Host == "" {
			c.Host = host
		}
	}
	t, _, _ = strings.Cut(t, "#")
	path, query, has := strings.Cut(t, "?")
	if c.Path == "" {
		c.Path = path
	}
	if has && d.in.RawQuery == "" {
		d.in.RawQuery = query
	}
}

const maxQueryKeys = 32

// queryKeys are the names of the query's parameters.
func (d *draft) queryKeys() {
	for q := d.in.RawQuery; q != "" && len(d.call.QueryKeys) < maxQueryKeys; {
		p, rest, _ := strings.Cut(q, "&")
		q = rest
		if k, _, _ := strings.Cut(p, "="); k != "" && len(k) <= 64 {
			d.call.QueryKeys = append(d.call.QueryKeys, d.safe(k))
		}
	}
}

// times turns the time that was read into the start of the call.
func (d *draft) times(rec *Record) {
	c := &d.call
	switch {
	case !d.timed:
		c.Start, c.TSBasis, c.TSPrecision = rec.Timestamp, schema.BasisKafka, schema.PrecisionMilli
	case c.TSBasis != schema.BasisUnknown:
	case d.end && c.DurationNs >= 0:
		c.Start, c.TSBasis = c.Start-c.DurationNs, schema.BasisEndMinusDuration
	case d.end:
		c.TSBasis = schema.BasisEnd
	default:
		c.TSBasis = schema.BasisStart
	}
	judgeSkew(c, rec.Timestamp)
}

// scrub drops what looks like a token from every string that is kept. Ids that
// hold one are dropped whole: half an id is no id.
func (d *draft) scrub() {
	c := &d.call
	c.Path, c.ErrorMessage, c.UserAgent = redact.Text(c.Path), redact.Text(c.ErrorMessage), redact.Text(c.UserAgent)
	for _, s := range [...]*string{&c.RequestID, &c.Host, &c.API, &c.Route, &c.Operation, &c.ToolName, &c.ToolCallID, &c.RPCID, &c.MCPServer, &c.MCPMethod,
		&c.ErrorType, &c.DeniedBy, &c.Observer, &c.ConversationID, &c.ModelRequested, &c.ModelUsed, &c.GenAIProvider, &c.RPCStatus,
		&d.ev.GatewayAgent, &d.ev.GatewayUser, &d.ev.RemoteUser, &d.ev.AgentHeader, &d.ev.ParentHeader, &d.ev.RunHeader, &d.ev.TaskHeader, &d.ev.Conversation,
		&d.ev.GenAIAgentID, &d.ev.GenAIAgentName, &d.ev.UserID, &d.ev.ServiceName, &d.ev.MCPClientName} {
		if redact.Suspicious(*s) && redact.Text(*s) != *s {
			*s = ""
		}
	}
	if redact.Suspicious(d.ev.GatewayCredential) && redact.Text(d.ev.GatewayCredential) != d.ev.GatewayCredential {
		d.ev.APIKey, d.ev.GatewayCredential = d.ev.GatewayCredential, ""
	}
	// Resources are read from the query and the arguments: those must be clean too.
	d.in.RawQuery = redact.Text(d.in.RawQuery)
}

// outcome of a call as its caller met it.
func outcome(c *schema.Call, flags, details string) schema.Outcome {
	if details == "ext_authz_denied" || strings.HasPrefix(details, "rbac_access_denied") {
		return schema.OutcomeDenied
	}
	for f := range strings.SplitSeq(flags, ",") {
		switch f {
		case "DC", "DR":
			return schema.OutcomeAborted
		case "UT", "SI", "DT":
			return schema.OutcomeTimeout
		case "RL", "RLSE":
			return schema.OutcomeRateLimited
		case "UAEX":
			if c.Status == 403 || c.Status == 401 {
				return schema.OutcomeDenied
			}
		}
	}
	switch s := c.Status; {
	case s == 401 || s == 403:
		return schema.OutcomeDenied
	case s == 429:
		return schema.OutcomeRateLimited
	case s == 499 || s == 444:
		return schema.OutcomeAborted
	case s == 504 || s == 408:
		return schema.OutcomeTimeout
	case s >= 500:
		return schema.OutcomeServerError
	case s >= 400:
		return schema.OutcomeClientError
	case c.RPCStatus != "" && c.RPCStatus != "0" && c.RPCStatus != "OK", c.ErrorType != "":
		return schema.OutcomeToolError
	case s >= 100:
		return schema.OutcomeOK
	}
	return schema.OutcomeUnknown
}
