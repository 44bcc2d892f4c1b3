package decode

import (
	"fmt"
	"slices"
	"sync"
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
}

// New checks the options.
func New(opt Options, id Identifier, rt Classifier) (*Pipeline, error) {
	if opt.MaxValue == 0 {
		opt.MaxValue = 8 << 20
	}
	if opt.MaxItems == 0 {
		opt.MaxItems = 20_000
	}
	all, err := formatsOf(opt.Mappings)
	if err != nil {
		return nil, err
	}
	p := &Pipeline{formats: all, opt: opt, zones: map[string]*time.Location{}, allowed: map[string]bool{}, id: id, rt: rt}
	for _, name := range opt.KeepQueryValues {
		p.allowed[name] = true
	}
	inputs := map[string]Input{"": opt.Default}
	for t, in := range opt.Inputs {
		inputs[t] = in
	}
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
	p.pool.New = func() any { return &work{d: draft{names: &redact.Names{}}} }
	return p, nil
}

// work is the memory of one Decode.
type work struct {
	p        *Pipeline
	rec      *Record
	in       Input
	zone     *time.Location
	d        draft
	keys     fields.Keys
	mem      mapping.Memory
	pairs    [maxNested + 2][]fields.Pair
	out      []schema.Call
	rejected []Rejected
	item     uint32
	full     bool
	// invalid is set when the record holds text that is not UTF-8: it is mended
	// in what is kept, not in the record, whose dead items stay as they were.
	invalid bool
	where   []schema.Attr // what the envelopes say of where the line comes from
	// shipped is the time an envelope gives, for lines that have none.
	shipped string
	// explain asks where fields come from; steps are the answers, call by call.
	explain bool
	origins [][]FieldOrigin
}

// Decode reads a record: its calls are appended to calls, its bad items are
// returned. Items are numbered in the order they stand in the record, calls and
// bad ones alike. Nothing at all comes of a tombstone, of a control message of
// a shipper, and of an export whose spans are no calls.
func (p *Pipeline) Decode(rec *Record, calls []schema.Call) ([]schema.Call, []Rejected) {
	if rec.Value == nil {
		return calls, nil
	}
	w := p.pool.Get().(*work)
	out, dead := w.decode(p, rec, calls)
	p.pool.Put(w)
	return out, dead
}

// Explain decodes a record and says of each call which member of the record
// gave which field. It is for people who set up a topic, and slow.
func (p *Pipeline) Explain(rec *Record) ([]schema.Call, [][]FieldOrigin, []Rejected) {
	w := &work{d: draft{names: &redact.Names{}}, explain: true}
	out, dead := w.decode(p, rec, nil)
	return out, w.origins, dead
}

func (w *work) decode(p *Pipeline, rec *Record, calls []schema.Call) ([]schema.Call, []Rejected) {
	w.p, w.rec, w.out, w.rejected, w.item, w.full, w.invalid, w.where, w.shipped = p, rec, calls, nil, 0, false, false, w.where[:0], ""
	in, named := p.opt.Inputs[rec.Topic]
	key := rec.Topic
	if !named {
		in, key = p.opt.Default, ""
	}
	w.in, w.zone = in, p.zones[key]
	w.decodeRecovering()
	out, dead := w.out, w.rejected
	// Nothing that the record held stays behind, least of all a secret.
	w.d.reset(nil)
	for i := range w.pairs {
		clear(w.pairs[i])
	}
	clear(w.where)
	w.mem.Forget()
	w.out, w.rejected, w.rec = nil, nil, nil
	return out, dead
}

// decodeRecovering decodes; a fault of ours must neither stop the partition nor let half
// a record through.
func (w *work) decodeRecovering() {
	from := len(w.out)
	defer func() {
		if r := recover(); r != nil {
			w.out, w.rejected, w.item = w.out[:from], nil, 0
			w.reject(Panicked, fmt.Sprintf("%T while decoding", r), w.rec.Value)
		}
	}()
	w.record()
}

func (w *work) record() {
	value := w.rec.Value
	switch {
	case len(value) == 0:
		w.reject(Empty, "no bytes", value)
		return
	case len(value) > w.p.opt.MaxValue:
		w.reject(TooLarge, fmt.Sprintf("%d bytes, at most %d are read", len(value), w.p.opt.MaxValue), value)
		return
	}
	signal := w.in.Signal
	for _, h := range w.rec.Headers {
		switch h.Key {
		case "otelcol.signal":
			signal = string(h.Value)
		case wire.HeaderReplayOf:
			if v := string(h.Value); len(v) <= schema.MaxID {
				w.put("replay_of", v)
			}
		}
	}
	switch w.in.Format {
	case otlpProto:
		if looksLikeJSON(value) && isText(value) {
			w.reject(NotProto, "JSON in a topic that is configured as otlp_proto", value)
			return
		}
		w.otlpProto(value, signal)
	case otlpJSON:
		w.otlpDocuments(value, signal)
	default:
		w.decodeAny(value, signal, 0)
	}
}

// reject puts an item aside.
func (w *work) reject(reason Reason, detail string, value []byte) {
	w.rejected = append(w.rejected, Rejected{Item: w.item, Reason: reason, Detail: detail, Value: value})
	w.item++
}

// isFull reports whether a record has given as many items as one may; the rest
// is put aside once, as one item.
func (w *work) isFull(rest []byte) bool {
	if int(w.item) < w.p.opt.MaxItems {
		return false
	}
	if !w.full {
		w.full = true
		w.reject(TooMany, fmt.Sprintf("more than %d items in one record", w.p.opt.MaxItems), rest)
	}
	return true
}

// beginCall starts a call.
func (w *work) beginCall() *draft {
	w.d.reset(w.zone)
	w.d.call.Tenant = w.p.opt.Tenant
	if w.explain {
		w.d.origins = &originRecorder{d: &w.d, from: ""}
	}
	return &w.d
}

// endCall completes the call that was begun and hands it over; bytesOf gives the
// item's bytes, should it be no call.
func (w *work) endCall(bytesOf func() []byte) {
	d := &w.d
	c := &d.call
	if d.origins != nil {
		d.origins.begin("")
		w.origins = append(w.origins, d.origins.out)
		d.origins.out = nil
	}
	if c.Status == 0 && c.Method == "" && d.target == "" && c.Path == "" && c.OpKind == schema.OpOther && c.ToolName == "" &&
		c.SpanID == [8]byte{} {
		w.reject(NotAnAccessLog, "no method, path or status", bytesOf())
		return
	}
	if !d.timed && w.shipped != "" {
		if d.time(rankTimeShipper, w.shipped, false); d.timed {
			c.TSBasis = schema.BasisLog
		}
	}
	if !d.timed && w.rec.Timestamp <= 0 {
		w.reject(NoTime, "neither the item nor its record has a time", bytesOf())
		return
	}
	for _, a := range w.where {
		d.keep(a.Key, a.Value)
	}
	if w.invalid {
		completion{d}.fixUTF8()
	}
	completion{d}.run(w.rec, &w.in, &w.p.opt, w.p.allowed)
	c.Source = schema.Source{Topic: w.rec.Topic, TopicID: w.rec.TopicID, Partition: w.rec.Partition}
	c.Pos = schema.Position{Offset: w.rec.Offset, Item: w.item}
	w.item++
	w.p.id.Resolve(&d.ev, c)
	w.p.rt.Classify(c, &d.in)
	redactDecoded(c)
	w.out = append(w.out, *c)
}
