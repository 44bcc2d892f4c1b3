package decode

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"flyball/ingest/fields"
	"flyball/ingest/mapping"
	"flyball/ingest/redact"
	"flyball/schema"
	"flyball/schema/wire"
)

// Pipeline decodes records. It is safe for concurrent use.
type Pipeline struct {
	opt     Options
	zones   map[string]*time.Location
	allowed map[string]bool // query parameters whose values are kept
	id      Identifier
	rt      Classifier
	formats formats
	pool    sync.Pool
	left    [leftKinds]atomic.Uint64
}

// New returns a Pipeline, or an error that names the invalid option.
func New(opt Options, id Identifier, rt Classifier) (*Pipeline, error) {
	if opt.MaxValue == 0 {
		opt.MaxValue = 8 << 20
	}
	if opt.MaxItems == 0 {
		opt.MaxItems = 20_000
	}
	all, err := collectFormats(opt.Mappings)
	if err != nil {
		return nil, err
	}
	p := &Pipeline{formats: all, opt: opt, zones: map[string]*time.Location{}, allowed: map[string]bool{}, id: id, rt: rt}
	for _, name := range opt.KeepQueryValues {
		p.allowed[name] = true
	}
	inputs := map[string]Input{"": opt.Default}
	maps.Copy(inputs, opt.Inputs)
	for t, in := range inputs {
		if in.Format != "" && all.all[in.Format] == nil && !slices.Contains(Formats(), in.Format) {
			return nil, fmt.Errorf("format of input %s: %q is none of %v, and no mapping of your own has that name", t, in.Format, Formats())
		}
		if in.TrustedHops < 0 {
			return nil, fmt.Errorf("trusted_hops of input %s: %d must be at least 0", t, in.TrustedHops)
		}
		if in.Signal != "" && in.Signal != traces && in.Signal != logs {
			return nil, fmt.Errorf("signal of input %s: %q is neither %s nor %s", t, in.Signal, traces, logs)
		}
		zone, err := time.LoadLocation(in.Timezone)
		if err != nil {
			return nil, fmt.Errorf("timezone of input %s: %q: %w", t, in.Timezone, err)
		}
		p.zones[t] = zone
	}
	p.pool.New = func() any { return &decoder{d: draft{names: &redact.Names{}}} }
	return p, nil
}

// decoder decodes one record at a time. The readers of the different formats share it.
type decoder struct {
	work
	// Reused memory. No value of a record stays in it, because it may be a secret.
	d     draft
	keys  fields.Keys
	mem   mapping.Memory
	pairs [maxNested + 2][]fields.Pair
	// explain makes the decoder store the origins of the fields of each call in origins.
	explain bool
	origins [][]FieldOrigin
}

// work is the state of one Decode.
type work struct {
	p        *Pipeline
	rec      *Record
	in       Input // of the topic; the record's header and bodyAlone change it
	zone     *time.Location
	out      []schema.Call
	rejected []Rejected
	item     uint32
	full     bool
	// invalid is set when the record contains text that is not UTF-8. Kept values are then corrected; the bytes of rejected items are not
	// changed.
	invalid bool
	where   []schema.Attr // origin of the line, from its envelopes; its memory is reused
	// shipped is the time of an envelope, used for lines without a time.
	shipped string
	// unpacked is the size of what was decompressed and decoded of the record, tried the number of members that were read in doubt.
	unpacked, tried int
	// surroundings adds what surrounds the line of a log record to its call.
	surroundings func(*draft)
}

// The readers of OTLP exports, JSON documents, lines of text, and the envelopes of shippers.
type (
	otlpReader     struct{ *decoder }
	jsonReader     struct{ *decoder }
	lineReader     struct{ *decoder }
	envelopeReader struct{ *decoder }
)

func (dec *decoder) otlp() otlpReader          { return otlpReader{dec} }
func (dec *decoder) json() jsonReader          { return jsonReader{dec} }
func (dec *decoder) text() lineReader          { return lineReader{dec} }
func (dec *decoder) envelopes() envelopeReader { return envelopeReader{dec} }

// Decode reads a record. It appends its calls to calls and returns the rejected items. Items, both calls and rejected ones, are numbered
// in their order in the record. A tombstone, a control message of a shipper, and an export without spans that are calls give no item.
func (p *Pipeline) Decode(rec *Record, calls []schema.Call) ([]schema.Call, []Rejected) {
	if rec.Value == nil {
		return calls, nil
	}
	dec := p.pool.Get().(*decoder)
	out, dead := dec.decode(p, rec, calls)
	p.pool.Put(dec)
	return out, dead
}

// Explain decodes a record and also returns, for each call, the origins of its fields. It is slow and intended for the setup of a topic.
func (p *Pipeline) Explain(rec *Record) ([]schema.Call, [][]FieldOrigin, []Rejected) {
	dec := &decoder{d: draft{names: &redact.Names{}}, explain: true}
	out, dead := dec.decode(p, rec, nil)
	return out, dec.origins, dead
}

func (dec *decoder) decode(p *Pipeline, rec *Record, calls []schema.Call) ([]schema.Call, []Rejected) {
	in, named := p.opt.Inputs[rec.Topic]
	key := rec.Topic
	if !named {
		in, key = p.opt.Default, ""
	}
	dec.work = work{p: p, rec: rec, in: in, zone: p.zones[key], out: calls, where: dec.where[:0]}
	dec.decodeRecovering()
	out, dead := dec.out, joinRejected(dec.rejected, p.opt.MaxValue)
	clear(dec.where)
	dec.work = work{where: dec.where[:0]}
	dec.d.reset(nil)
	for i := range dec.pairs {
		clear(dec.pairs[i])
	}
	dec.mem.Forget()
	return out, dead
}

// decodeRecovering decodes the record. After a panic it rejects the whole record, so that the partition continues and no partial result
// is returned.
func (dec *decoder) decodeRecovering() {
	from := len(dec.out)
	defer func() {
		if r := recover(); r != nil {
			dec.out, dec.rejected, dec.item = dec.out[:from], nil, 0
			dec.reject(Panicked, fmt.Sprintf("%T while decoding", r), dec.rec.Value)
		}
	}()
	dec.record()
}

func (dec *decoder) record() {
	value := dec.rec.Value
	switch {
	case len(value) == 0:
		dec.reject(Empty, "no bytes", value)
		return
	case len(value) > dec.p.opt.MaxValue:
		dec.reject(TooLarge, fmt.Sprintf("%d bytes, at most %d are read", len(value), dec.p.opt.MaxValue), value)
		return
	}
	for _, h := range dec.rec.Headers {
		switch h.Key {
		case "otelcol.signal":
			dec.in.Signal = string(h.Value)
		case wire.HeaderReplayOf:
			if v := string(h.Value); len(v) <= schema.MaxID {
				dec.put("replay_of", v)
			}
		}
	}
	switch dec.in.Format {
	case otlpProto:
		if looksLikeJSON(value) && isText(value) {
			dec.reject(NotProto, "JSON in a topic that is configured as otlp_proto", value)
			return
		}
		dec.otlp().protobuf(value)
	case otlpJSON:
		dec.otlp().documents(value)
	default:
		dec.decodeAny(value, 0)
	}
}

// reject adds an item that cannot be read to the result.
func (dec *decoder) reject(reason Reason, detail string, value []byte) {
	dec.rejected = append(dec.rejected, Rejected{Item: dec.item, Reason: reason, Detail: detail, Value: value})
	dec.item++
}

// maxRejected is how many rejected items of a record are returned one by one.
const maxRejected = 100

// joinRejected returns the first maxRejected items, and all further ones as one, with their bytes on separate lines: a record of 7 MB can
// have tens of thousands, and each would be a record of the dead letters. That one has at most maxBytes bytes.
func joinRejected(all []Rejected, maxBytes int) []Rejected {
	if len(all) <= maxRejected {
		return all
	}
	rest := all[maxRejected-1:]
	one := Rejected{Item: rest[0].Item, Reason: rest[0].Reason, Items: len(rest)}
	reasons, size := map[Reason]int{}, 0
	for _, r := range rest {
		reasons[r.Reason]++
		size += len(r.Value) + 1
	}
	one.Detail = fmt.Sprintf("%d further items of the record that cannot be read:", len(rest))
	for _, reason := range Reasons() {
		if n := reasons[reason]; n > 0 {
			one.Detail += fmt.Sprintf(" %s %d", reason, n)
		}
	}
	if size > maxBytes {
		one.Detail += fmt.Sprintf("; their %d bytes are left out, at most %d are kept", size, maxBytes)
		return append(all[:maxRejected-1:maxRejected-1], one)
	}
	one.Value = make([]byte, 0, size)
	for _, r := range rest {
		one.Value = append(append(one.Value, r.Value...), '\n')
	}
	return append(all[:maxRejected-1:maxRejected-1], one)
}

// isFull reports whether the maximum number of items of a record is reached. It then rejects the rest of the record once, as one item.
func (dec *decoder) isFull(rest []byte) bool {
	if int(dec.item) < dec.p.opt.MaxItems {
		return false
	}
	if !dec.full {
		dec.full = true
		dec.reject(TooMany, fmt.Sprintf("more than %d items in one record", dec.p.opt.MaxItems), rest)
	}
	return true
}

// beginCall starts a new call.
func (dec *decoder) beginCall() *draft {
	dec.d.reset(dec.zone)
	dec.d.call.Tenant = dec.p.opt.Tenant
	if dec.explain {
		dec.d.origins = &originRecorder{d: &dec.d, from: ""}
	}
	return &dec.d
}

// isEmpty reports whether the draft has none of the fields that a call needs.
func (d *draft) isEmpty() bool {
	c := &d.call
	return c.Status == 0 && c.Operation == "" && c.Method == "" && d.target == "" && c.Path == "" && c.OpKind == schema.OpOther &&
		c.ToolName == "" &&
		c.SpanID == [8]byte{}
}

// endCall completes the current call and appends it to the result. bytesOf returns the bytes of the item; it is called if the item is
// rejected.
func (dec *decoder) endCall(bytesOf func() []byte) {
	d := &dec.d
	c := &d.call
	if d.origins != nil {
		d.origins.begin("")
	}
	if dec.surroundings != nil {
		dec.surroundings(d)
	}
	if d.isEmpty() {
		dec.reject(NotAnAccessLog, "no method, path or status", bytesOf())
		return
	}
	if (d.elapsed.request != "" || d.elapsed.upstream != "") && !d.setElapsed() {
		dec.reject(UnknownUnit, "a whole number as request_time or upstream_response_time, and nothing that shows whether it is seconds "+
			"or milliseconds: describe the log by a mapping", bytesOf())
		return
	}
	if !d.timed && dec.shipped != "" {
		if d.time(rankTimeShipper, dec.shipped, false); d.timed {
			c.TSBasis = schema.BasisLog
		}
	}
	if !d.timed && dec.rec.Timestamp <= 0 {
		dec.reject(NoTime, "neither the item nor its record has a time", bytesOf())
		return
	}
	for _, a := range dec.where {
		d.keep(a.Key, a.Value)
	}
	if dec.invalid {
		completion{d}.fixUTF8()
	}
	completion{d}.run(dec.rec, &dec.in, &dec.p.opt, dec.p.allowed)
	c.Source = schema.Source{Topic: dec.rec.Topic, TopicID: dec.rec.TopicID, Partition: dec.rec.Partition}
	c.Pos = schema.Position{Offset: dec.rec.Offset, Item: dec.item}
	dec.item++
	dec.p.id.Resolve(&d.ev, c)
	dec.p.rt.Classify(c, &d.in)
	redactDecoded(c)
	keepPath(c)
	if d.origins != nil {
		d.origins.out = append(d.origins.out, FieldOrigin{Field: addressRuleField, From: d.addressBy.why(dec.in.TrustedHops)})
		dec.origins = append(dec.origins, d.origins.out)
	}
	dec.out = append(dec.out, *c)
}
