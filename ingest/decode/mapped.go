package decode

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"flyball/ingest/fields"
	"flyball/ingest/mapping"
	"flyball/schema"
	"flyball/schema/identity"
)

// mapped receives the fields that a mapping finds; see mapping.Sink. A value that the caller asserted counts only as a claim, also if a
// mapping gives it another name.
type mapped struct{ *draft }

// mappedSetter sets a field from one value. If it returns false, the mapping tries its next source.
type mappedSetter func(d *draft, v fields.Value, with *mapping.With) bool

// Set sets a field that a mapping found and reports whether the value was used. from is its path.
func (m mapped) Set(f mapping.Field, v fields.Value, with *mapping.With, from string) bool {
	m.readingFrom(from)
	if with.Asserted && onlyGateway[f] {
		return false
	}
	return mappedTable[f](m.draft, v, with)
}

// onlyGateway contains the fields that only a gateway can know. They are ignored if the caller asserts them.
var onlyGateway = map[mapping.Field]bool{mapping.Claims: true, mapping.RemoteUser: true, mapping.Peer: true,
	mapping.TokenSubject: true, mapping.TokenClient: true, mapping.TokenActor: true, mapping.TokenIssuer: true}

// Header reads a request header.
func (m mapped) Header(p fields.Pair) {
	m.readingFrom("header " + p.Name)
	if !m.header(p.Key, p.Val) {
		m.keep("header."+p.Name, p.Val.Text())
	}
}

// Known reads a member under the names that gateways share and reports whether the name is known.
func (m mapped) Known(p fields.Pair) bool {
	m.readingFrom(p.Name)
	return m.field(p.Key, p.Val)
}

// Keep stores a member that no table knows as an attribute.
func (m mapped) Keep(name string, v fields.Value) {
	m.readingFrom(name)
	if v.Kind != '{' {
		m.keep(name, v.Text())
	}
}

// mappedTable contains the setter of each field of a mapping.
var mappedTable = [...]mappedSetter{
	mapping.StartTime:  mappedText(func(d *draft, t string, with *mapping.With) bool { return d.setStart(t, with) }),
	mapping.EndTime:    setEndTime,
	mapping.Duration:   setDuration,
	mapping.UpstreamNs: setUpstreamDuration,

	mapping.RequestLine: mappedText(func(d *draft, t string, _ *mapping.With) bool { d.request(t); return true }),
	mapping.Method:      mappedInto(func(d *draft) *string { return &d.call.Method }),
	mapping.Scheme:      mappedInto(func(d *draft) *string { return &d.call.Scheme }),
	mapping.Host:        mappedBy(host(rankHostAuthority)),
	mapping.Path:        mappedBy(target(rankTargetPath)),
	mapping.Query: mappedText(func(d *draft, t string, _ *mapping.With) bool {
		d.in.RawQuery = strings.TrimPrefix(t, "?")
		return true
	}),
	mapping.Route:     mappedInto(func(d *draft) *string { return &d.in.SourceRoute }),
	mapping.API:       mappedInto(func(d *draft) *string { return &d.call.API }),
	mapping.Operation: mappedInto(func(d *draft) *string { return &d.call.Operation }),
	mapping.Observer:  mappedInto(func(d *draft) *string { return &d.call.Observer }),

	mapping.Status: func(d *draft, v fields.Value, _ *mapping.With) bool { setStatus(d, v); return v.Status() != 0 },
	mapping.UpstreamStatus: func(d *draft, v fields.Value, _ *mapping.With) bool {
		d.call.UpstreamStatus = v.Status()
		return d.call.UpstreamStatus != 0
	},
	mapping.Flags: mappedText(func(d *draft, t string, _ *mapping.With) bool {
		d.flags = t
		d.keep("response_flags", t)
		return true
	}),
	mapping.GRPCStatus:   mappedText(func(d *draft, t string, _ *mapping.With) bool { d.grpc, d.call.RPCStatus = t, t; return true }),
	mapping.RPCStatus:    mappedInto(func(d *draft) *string { return &d.call.RPCStatus }),
	mapping.Outcome:      mappedText(func(d *draft, t string, _ *mapping.With) bool { return d.call.Outcome.UnmarshalText([]byte(t)) == nil }),
	mapping.ErrorType:    mappedInto(func(d *draft) *string { return &d.call.ErrorType }),
	mapping.ErrorMessage: mappedInto(func(d *draft) *string { return &d.call.ErrorMessage }),
	mapping.DeniedBy:     mappedInto(func(d *draft) *string { return &d.call.DeniedBy }),
	mapping.CostUSD:      mappedText(setCost),
	mapping.Amount:       mappedAttribute(mapping.Amount),
	mapping.Currency:     mappedAttribute(mapping.Currency),

	mapping.BytesIn:      mappedCount(func(d *draft, v fields.Value) { d.call.BytesIn = v.Count() }),
	mapping.BytesOut:     mappedCount(func(d *draft, v fields.Value) { d.call.BytesOut = v.Count() }),
	mapping.SampleWeight: mappedCount(func(d *draft, v fields.Value) { d.call.SampleWeight = v.Small() }),
	mapping.Attempts:     mappedCount(func(d *draft, v fields.Value) { d.call.Attempts = uint8(min(v.Count(), 255)) }),
	mapping.TokensIn:     mappedCount(func(d *draft, v fields.Value) { d.call.TokensIn = v.Small() }),
	mapping.TokensOut:    mappedCount(func(d *draft, v fields.Value) { d.call.TokensOut = v.Small() }),

	mapping.RequestID: mappedBy(requestID(rankRequestGateway)),
	mapping.TraceID: func(d *draft, v fields.Value, _ *mapping.With) bool {
		_, _, ok := identity.ParseTrace(v.Text())
		setTraceID(d, v)
		return ok
	},
	mapping.SpanID: func(d *draft, v fields.Value, _ *mapping.With) bool {
		_, ok := identity.ParseSpanID(v.Text())
		setSpanID(d, v)
		return ok
	},
	mapping.ParentSpanID: setParentSpan,

	mapping.ClientIP:     mappedText(func(d *draft, t string, _ *mapping.With) bool { return d.client(rankClientLogged, t) }),
	mapping.UserAgent:    mappedInto(func(d *draft) *string { return &d.call.UserAgent }),
	mapping.Credential:   mappedText(setCredential),
	mapping.RemoteUser:   mappedInto(func(d *draft) *string { return &d.ev.RemoteUser }),
	mapping.Peer:         mappedText(func(d *draft, t string, _ *mapping.With) bool { setPeerCertificate(d, t); return true }),
	mapping.Principal:    mappedText(setPrincipal),
	mapping.UserID:       mappedInto(func(d *draft) *string { return &d.ev.UserID }),
	mapping.AgentID:      mappedText(setAgent),
	mapping.AgentName:    mappedInto(func(d *draft) *string { return &d.call.AgentName }),
	mapping.AgentVersion: mappedInto(func(d *draft) *string { return &d.ev.AgentVersion }),
	mapping.ParentAgent:  mappedInto(func(d *draft) *string { return &d.ev.ParentHeader }),
	mapping.RunKey:       mappedBy(runHeader(rankRunAgent, "run-id")),
	mapping.GateRun:      mappedInto(func(d *draft) *string { return &d.ev.GateRun }),
	mapping.GateReceipt:  mappedBy(firstText(func(d *draft) *string { return &d.ev.Receipt })),
	mapping.TaskID:       mappedBy(taskHeader(rankTaskID, "task-id")),
	mapping.Conversation: mappedBy(conversation(rankConversationMapped)),

	mapping.Token:        mappedText(func(d *draft, t string, _ *mapping.With) bool { d.secret(t); return true }),
	mapping.Claims:       func(d *draft, v fields.Value, _ *mapping.With) bool { setClaims(d, v); return true },
	mapping.TokenSubject: mappedBy(claim(func(c *identity.Claims) *string { return &c.Subject })),
	mapping.TokenClient:  mappedBy(claim(func(c *identity.Claims) *string { return &c.ClientID })),
	mapping.TokenIssuer:  mappedBy(claim(func(c *identity.Claims) *string { return &c.Issuer })),
	mapping.TokenActor:   mappedBy(setActor),

	mapping.OpKind:         mappedText(setOpKind),
	mapping.MCPMethod:      mappedInto(func(d *draft) *string { return &d.call.MCPMethod }),
	mapping.ToolName:       mappedInto(func(d *draft) *string { return &d.call.ToolName }),
	mapping.ToolCallID:     mappedInto(func(d *draft) *string { return &d.call.ToolCallID }),
	mapping.RPCID:          mappedInto(func(d *draft) *string { return &d.call.RPCID }),
	mapping.MCPServer:      mappedInto(func(d *draft) *string { return &d.call.MCPServer }),
	mapping.GenAIProvider:  mappedInto(func(d *draft) *string { return &d.call.GenAIProvider }),
	mapping.ModelRequested: mappedInto(func(d *draft) *string { return &d.call.ModelRequested }),
	mapping.ModelUsed:      mappedInto(func(d *draft) *string { return &d.call.ModelUsed }),
	mapping.Arguments:      func(d *draft, v fields.Value, _ *mapping.With) bool { d.arguments(v); return d.in.BodyLogged },
	mapping.ArgsDigest:     mappedInto(func(d *draft) *string { return &d.in.LoggedDigest }),
}

// mappedText returns a setter that gets the value as text. For an empty text the next source is tried.
func mappedText(set func(d *draft, t string, with *mapping.With) bool) mappedSetter {
	return func(d *draft, v fields.Value, with *mapping.With) bool {
		t := v.Text()
		return t != "" && set(d, t, with)
	}
}

// mappedInto returns a setter of a string field. For an empty value the next source is tried.
func mappedInto(field func(*draft) *string) mappedSetter {
	return func(d *draft, v fields.Value, _ *mapping.With) bool {
		t := v.Text()
		if t != "" {
			*field(d) = t
		}
		return t != ""
	}
}

// mappedBy returns a setter that uses the setter of a shared field. For an empty value the next source is tried.
func mappedBy(set setter) mappedSetter {
	return func(d *draft, v fields.Value, _ *mapping.With) bool {
		if v.Text() == "" {
			return false
		}
		set(d, v)
		return true
	}
}

// mappedCount returns a setter of a number. If the value is not a number, the next source is tried.
func mappedCount(set setter) mappedSetter {
	return func(d *draft, v fields.Value, _ *mapping.With) bool {
		_, ok := v.Int()
		if ok {
			set(d, v)
		}
		return ok
	}
}

// mappedAttribute returns a setter that keeps the value as an attribute with the field's name.
func mappedAttribute(f mapping.Field) mappedSetter {
	return mappedText(func(d *draft, t string, _ *mapping.With) bool { d.keep(f.String(), t); return true })
}

func setCost(d *draft, t string, _ *mapping.With) bool {
	cost, err := strconv.ParseFloat(t, 64)
	if err != nil || cost < 0 || math.IsInf(cost, 0) || math.IsNaN(cost) {
		return false
	}
	d.call.CostUSD = cost
	return true
}

func setParentSpan(d *draft, v fields.Value, _ *mapping.With) bool {
	id, ok := identity.ParseSpanID(v.Text())
	if ok {
		d.call.ParentSpanID = id
	}
	return ok
}

func setOpKind(d *draft, t string, _ *mapping.With) bool {
	i := slices.Index(schema.OpKindWords, t)
	if i >= 0 {
		d.call.OpKind = schema.OpKind(i)
	}
	return i >= 0
}
