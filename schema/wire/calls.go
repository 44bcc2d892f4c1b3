package wire

import (
	"fmt"
	"net/netip"

	"flyball/schema"
)

// CallsVersion is the newest version of a block of calls.
const CallsVersion = 1

// MaxBlock is the maximum number of calls in a block.
const MaxBlock = 256

// CallsEncoder encodes blocks: up to MaxBlock calls of one source for one partition of
// flyball.calls, in the order of the source. The zero value is ready to use. An encoder can be
// reused; it is not safe for concurrent use.
type CallsEncoder struct {
	c   Coder
	row rowCoder
}

// Encode appends a block to dst and returns it. calls must not be empty, and all calls must
// have the same Source. The fields that stitching sets are not encoded.
func (e *CallsEncoder) Encode(dst []byte, calls []*schema.Call) []byte {
	e.c.StartWriting(dst, KindCalls, CallsVersion)
	source := calls[0].Source
	CodeSource(&e.c, &source)
	n := len(calls)
	e.c.Len(&n, 1)
	e.row = rowCoder{c: &e.c}
	for _, call := range calls {
		e.row.call(call)
	}
	return e.c.Bytes()
}

// CallsDecoder reads blocks and reuses its memory: the calls of a block are valid until the
// next Decode. Their strings stay valid.
type CallsDecoder struct {
	c     Coder
	calls []schema.Call
	row   rowCoder
}

// Decode reads a block. It sets Source and Pos of every call. The error wraps ErrMalformed or
// ErrNewerVersion.
func (d *CallsDecoder) Decode(value []byte) ([]schema.Call, error) {
	if err := d.c.StartReading(value, KindCalls, CallsVersion); err != nil {
		return nil, err
	}
	var source schema.Source
	CodeSource(&d.c, &source)
	n := 0
	d.c.Len(&n, 40)
	if cap(d.calls) < n {
		d.calls = make([]schema.Call, n)
	}
	d.calls = d.calls[:n]
	d.row.reset(&d.c)
	for i := range d.calls {
		// The row sets all other fields. To clear the whole call first would write it twice.
		k := &d.calls[i]
		if k.Source != source {
			k.Source = source
		}
		unstitch(k)
		d.row.call(k)
		if d.c.Err != nil {
			return nil, fmt.Errorf("block of calls from %s, call %d of %d: %w", source, i, n, d.c.Err)
		}
	}
	if d.c.Err == nil && d.c.Rest() != 0 {
		d.c.fail("bytes after the last call")
	}
	return d.calls, d.c.Err
}

// unstitch clears the fields that stitching sets.
func unstitch(k *schema.Call) {
	k.RunID, k.RunRule, k.RunConfidence, k.Segment = schema.RunID{}, 0, 0, 0
	k.ActorHash, k.CallsPart, k.CallsOffset = 0, 0, 0
	k.Late, k.Duplicate, k.AskedOnly, k.LoggedLate = false, false, false, false
}

// rowCoder codes the fields of a call. Large numbers are written as the difference to the
// previous row.
type rowCoder struct {
	c       *Coder
	offset  int64
	start   int64
	kafka   int64
	strings []string
	res     []schema.Resource
	attrs   []schema.Attr
}

func (r *rowCoder) reset(c *Coder) {
	*r = rowCoder{c: c, strings: r.strings[:0], res: r.res[:0], attrs: r.attrs[:0]}
	// The shared slices may grow in a block; earlier rows then keep the old array.
}

func (r *rowCoder) delta(v, last *int64) {
	d := *v - *last
	r.c.Int(&d)
	*v = *last + d
	*last = *v
}

func (r *rowCoder) call(k *schema.Call) {
	c := r.c
	r.delta(&k.Pos.Offset, &r.offset)
	Num(c, &k.Pos.Item)
	r.delta(&k.Start, &r.start)
	r.delta(&k.KafkaTime, &r.kafka)
	c.Int(&k.DurationNs)

	for i, s := range [...]*string{
		&k.Format, &k.Observer, &k.Tenant, &k.Method, &k.Scheme, &k.Host, &k.Route, &k.RouteKey, &k.API, &k.Operation,
		&k.MCPMethod, &k.ToolName, &k.MCPServer, &k.GenAIProvider, &k.ModelRequested, &k.ModelUsed,
		&k.RPCStatus, &k.ErrorType, &k.DeniedBy, &k.UserAgent, &k.UAProduct,
		&k.AgentID, &k.AgentName, &k.AgentVersion, &k.ParentAgent, &k.AgentSource, &k.AgentAsserted,
		&k.CredentialID, &k.CredentialSource, &k.PrincipalID, &k.PrincipalSource,
		&k.TaskID, &k.TaskSource, &k.ConversationID, &k.RunKey, &k.RunKeySource, &k.RoutingKey,
	} {
		c.Word(i, s)
	}
	c.Text(&k.Path)
	c.Text(&k.ToolCallID)
	c.Text(&k.RPCID)
	c.Text(&k.ErrorMessage)
	c.Text(&k.RequestID)

	Small(c, &k.ObserverKind)
	Small(c, &k.TSPrecision)
	Small(c, &k.TSBasis)
	Small(c, &k.OpKind)
	Small(c, &k.RouteSource)
	Small(c, &k.Outcome)
	Small(c, &k.Attempts)
	Small(c, &k.AgentTrust)
	Small(c, &k.CredentialKind)
	Small(c, &k.CredentialTrust)
	Small(c, &k.PrincipalKind)
	Small(c, &k.PrincipalTrust)
	Small(c, &k.CallerKind)
	Small(c, &k.CallerConfidence)
	Small(c, &k.TaskTrust)
	Small(c, &k.ArgsDigestBasis)
	Small(c, &k.ResultDigestBasis)
	Small(c, &k.Effect)
	Small(c, &k.EffectSource)
	Small(c, &k.Reversibility)
	Small(c, &k.ReversibilitySource)
	c.Bool(&k.AgentSpan)

	Num(c, &k.TokensIn)
	Num(c, &k.TokensOut)
	c.Float(&k.CostUSD)
	Num(c, &k.Status)
	Num(c, &k.UpstreamStatus)
	c.Int(&k.UpstreamNs)
	c.Uint(&k.BytesIn)
	c.Uint(&k.BytesOut)
	Num(c, &k.SampleWeight)
	c.Fixed64(&k.ArgsDigest)
	c.Fixed64(&k.ResultDigest)

	c.SparseArray(k.TraceID[:])
	c.SparseArray(k.SpanID[:])
	c.SparseArray(k.ParentSpanID[:])
	r.address(&k.ClientIP)
	r.list(40, &k.QueryKeys)
	r.list(41, &k.ActorChain)
	r.resources(&k.Resources)
	r.attributes(&k.Attrs)
}

func (r *rowCoder) address(a *netip.Addr) {
	var raw [16]byte
	size := uint8(0)
	if r.c.Encoding && a.IsValid() {
		if a.Is4() {
			v4 := a.As4()
			size = uint8(copy(raw[:], v4[:]))
		} else {
			raw, size = a.As16(), 16
		}
	}
	Small(r.c, &size)
	switch size {
	case 0:
		*a = netip.Addr{}
	case 4:
		r.c.Array(raw[:4])
		*a = netip.AddrFrom4([4]byte(raw[:4]))
	case 16:
		r.c.Array(raw[:])
		*a = netip.AddrFrom16(raw)
	default:
		r.c.fail("address that is neither 4 nor 16 bytes")
	}
}

func (r *rowCoder) list(field int, list *[]string) {
	n := len(*list)
	r.c.Len(&n, 1)
	if r.c.Encoding {
		for i := range *list {
			r.c.Word(field, &(*list)[i])
		}
		return
	}
	if n == 0 {
		*list = nil
		return
	}
	from := len(r.strings)
	for range n {
		var s string
		r.c.Word(field, &s)
		r.strings = append(r.strings, s)
	}
	*list = r.strings[from:len(r.strings):len(r.strings)]
}

func (r *rowCoder) resources(list *[]schema.Resource) {
	n := len(*list)
	r.c.Len(&n, 3)
	if r.c.Encoding {
		for i := range *list {
			r.resource(&(*list)[i])
		}
		return
	}
	if n == 0 {
		*list = nil
		return
	}
	from := len(r.res)
	for range n {
		var v schema.Resource
		r.resource(&v)
		r.res = append(r.res, v)
	}
	*list = r.res[from:len(r.res):len(r.res)]
}

func (r *rowCoder) resource(v *schema.Resource) {
	r.c.Word(42, &v.Type)
	r.c.Text(&v.ID)
	Small(r.c, &v.Source)
}

func (r *rowCoder) attributes(list *[]schema.Attr) {
	n := len(*list)
	r.c.Len(&n, 2)
	if r.c.Encoding {
		for i := range *list {
			r.attribute(&(*list)[i])
		}
		return
	}
	if n == 0 {
		*list = nil
		return
	}
	from := len(r.attrs)
	for range n {
		var v schema.Attr
		r.attribute(&v)
		r.attrs = append(r.attrs, v)
	}
	*list = r.attrs[from:len(r.attrs):len(r.attrs)]
}

func (r *rowCoder) attribute(v *schema.Attr) {
	r.c.Word(43, &v.Key)
	r.c.Word(44, &v.Value)
}
