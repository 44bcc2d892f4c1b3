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

// Set takes in a field that a mapping found; see mapping.Sink. What the caller
// said, whatever a mapping calls it, may establish no more than an assertion.
func (d *draft) Set(f mapping.Field, v fields.Value, with *mapping.With, from string) bool {
	d.step(from)
	switch f {
	case mapping.StartTime:
		return d.setStart(v.Text(), with)
	case mapping.EndTime:
		ns, _, ok := parseTime(v.Text(), d.zone)
		if !ok || !d.timed || d.end || ns < d.call.Start || ns-d.call.Start > maxDuration {
			return false
		}
		d.call.DurationNs = ns - d.call.Start
		return true
	case mapping.Duration:
		if d.call.DurationNs < 0 {
			d.call.DurationNs = lasted(v.Text(), with)
		}
		return d.call.DurationNs >= 0
	case mapping.UpstreamNs:
		ns := lasted(v.Text(), with)
		if ns >= 0 {
			d.call.UpstreamNs = ns
		}
		return ns >= 0
	case mapping.Arguments:
		d.arguments(v)
		return d.in.BodyLogged
	case mapping.Claims:
		return !with.Asserted && d.claimField("jwt", v)
	case mapping.Status:
		s := v.Status()
		if s != 0 {
			d.call.Status = s
		}
		return s != 0
	case mapping.UpstreamStatus:
		d.call.UpstreamStatus = v.Status()
		return d.call.UpstreamStatus != 0
	case mapping.BytesIn, mapping.BytesOut, mapping.SampleWeight, mapping.Attempts, mapping.TokensIn, mapping.TokensOut:
		return d.setCount(f, v)
	}
	t := v.Text()
	if t == "" {
		return false
	}
	return d.setTarget(f, t) || d.setResult(f, t) || d.setCaller(f, t, with) || d.setOperation(f, t)
}

// Header takes in a request header.
func (d *draft) Header(p fields.Pair) {
	d.step("header " + p.Name)
	if !d.header(p.Key, p.Val) {
		d.keep("header."+p.Name, p.Val.Text())
	}
}

// Known takes in a member under the names that gateways share.
func (d *draft) Known(p fields.Pair) bool {
	d.step(p.Name)
	return d.field(p.Key, p.Val)
}

// Keep notes a member for the long tail.
func (d *draft) Keep(name string, v fields.Value) {
	d.step(name)
	if v.Kind != '{' {
		d.keep(name, v.Text())
	}
}

func (d *draft) setCount(f mapping.Field, v fields.Value) bool {
	if _, ok := v.Int(); !ok {
		return false
	}
	c := &d.call
	switch f {
	case mapping.BytesIn:
		c.BytesIn = v.Count()
	case mapping.BytesOut:
		c.BytesOut = v.Count()
	case mapping.SampleWeight:
		c.SampleWeight = v.Small()
	case mapping.Attempts:
		c.Attempts = uint8(min(v.Count(), 255))
	case mapping.TokensIn:
		c.TokensIn = v.Small()
	case mapping.TokensOut:
		c.TokensOut = v.Small()
	}
	return true
}

// setTarget: what was called.
func (d *draft) setTarget(f mapping.Field, t string) bool {
	c := &d.call
	switch f {
	case mapping.RequestLine:
		d.request(t)
	case mapping.Method:
		c.Method = t
	case mapping.Scheme:
		c.Scheme = t
	case mapping.Host:
		choose(&d.ranks.host, 5, &c.Host, t)
	case mapping.Path:
		choose(&d.ranks.target, 4, &d.target, t)
	case mapping.Query:
		d.in.RawQuery = strings.TrimPrefix(t, "?")
	case mapping.Route:
		d.in.SourceRoute = t
	case mapping.API:
		c.API = t
	case mapping.Operation:
		c.Operation = t
	case mapping.Observer:
		c.Observer = t
	case mapping.RequestID:
		choose(&d.ranks.request, 10, &c.RequestID, t)
	case mapping.TraceID:
		id, ok := identity.ParseTraceID(t)
		if ok && better(&d.ranks.trace, 9) {
			c.TraceID = id
		}
		return ok
	case mapping.SpanID:
		id, ok := identity.ParseSpanID(t)
		if ok && better(&d.ranks.span, 9) {
			c.SpanID = id
		}
		return ok
	case mapping.ParentSpanID:
		id, ok := identity.ParseSpanID(t)
		if ok {
			c.ParentSpanID = id
		}
		return ok
	default:
		return false
	}
	return true
}

// setResult: how it ended.
func (d *draft) setResult(f mapping.Field, t string) bool {
	c := &d.call
	switch f {
	case mapping.Flags:
		d.flags = t
		d.keep("response_flags", t)
	case mapping.GRPCStatus:
		d.grpc, c.RPCStatus = t, t
	case mapping.RPCStatus:
		c.RPCStatus = t
	case mapping.Outcome:
		return c.Outcome.UnmarshalText([]byte(t)) == nil
	case mapping.ErrorType:
		c.ErrorType = t
	case mapping.ErrorMessage:
		c.ErrorMessage = t
	case mapping.DeniedBy:
		c.DeniedBy = t
	case mapping.CostUSD:
		cost, err := strconv.ParseFloat(t, 64)
		if err != nil || cost < 0 || math.IsInf(cost, 0) || math.IsNaN(cost) {
			return false
		}
		c.CostUSD = cost
	case mapping.Amount, mapping.Currency:
		d.keep(f.String(), t)
	default:
		return false
	}
	return true
}

// setOperation: tools and models.
func (d *draft) setOperation(f mapping.Field, t string) bool {
	c := &d.call
	switch f {
	case mapping.OpKind:
		i := slices.Index(schema.OpKindWords, t)
		if i >= 0 {
			c.OpKind = schema.OpKind(i)
		}
		return i >= 0
	case mapping.MCPMethod:
		c.MCPMethod = t
	case mapping.ToolName:
		c.ToolName = t
	case mapping.ToolCallID:
		c.ToolCallID = t
	case mapping.RPCID:
		c.RPCID = t
	case mapping.MCPServer:
		c.MCPServer = t
	case mapping.GenAIProvider:
		c.GenAIProvider = t
	case mapping.ModelRequested:
		c.ModelRequested = t
	case mapping.ModelUsed:
		c.ModelUsed = t
	case mapping.ArgsDigest:
		d.in.LoggedDigest = t
	default:
		return false
	}
	return true
}
