package decode

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"sync"
	"time"

	"flyball/ingest/redact"
	"flyball/schema"
)

// Pipeline decodes records. It is safe for concurrent use.
type Pipeline struct {
	opt   Options
	zones map[string]*time.Location
	id    Identifier
	rt    Classifier
	pool  sync.Pool
}

// New checks the options.
func New(opt Options, id Identifier, rt Classifier) (*Pipeline, error) {
	if opt.MaxValue == 0 {
		opt.MaxValue = 8 << 20
	}
	if opt.MaxItems == 0 {
		opt.MaxItems = 20_000
	}
	p := &Pipeline{opt: opt, zones: map[string]*time.Location{}, id: id, rt: rt}
	inputs := map[string]Input{"": opt.Default}
	for t, in := range opt.Inputs {
		inputs[t] = in
	}
	for t, in := range inputs {
		zone, err := time.LoadLocation(in.Timezone)
		if err != nil {
			return nil, fmt.Errorf("timezone of input %s: %q: %w", t, in.Timezone, err)
		}
		p.zones[t] = zone
	}
	p.pool.New = func() any { return &work{} }
	return p, nil
}

// work is the memory of one Decode.
type work struct {
	p     *Pipeline
	rec   *Record
	in    Input
	zone  *time.Location
	d     draft
	pairs [maxNested + 2][]pair
	out   []schema.Call
	dead  []Dead
	item  uint32
	limit bool
	where []schema.Attr // what the envelopes say of where the line comes from
	// suspicious is set when the record holds something that looks like a token.
	suspicious bool
}

// maxNested is how many envelopes may be around a line.
const maxNested = 3

// Decode reads a record: its calls are appended to calls, its bad items are
// returned. Strings of the calls alias the record's value.
func (p *Pipeline) Decode(rec *Record, calls []schema.Call) ([]schema.Call, []Dead) {
	if rec.Value == nil {
		return calls, nil // a tombstone holds nothing, rightly
	}
	w := p.pool.Get().(*work)
	defer p.pool.Put(w)
	*w = work{p: p, rec: rec, d: w.d, pairs: w.pairs, out: calls}
	in, named := p.opt.Inputs[rec.Topic]
	key := rec.Topic
	if !named {
		in, key = p.opt.Default, ""
	}
	w.in, w.zone = in, p.zones[key]
	w.record()
	out, dead := w.out, w.dead
	w.out, w.dead, w.rec = nil, nil, nil
	return out, dead
}

func (w *work) record() {
	value := w.rec.Value
	from := len(w.out)
	defer func() {
		if r := recover(); r != nil {
			// A fault of ours must not stop the partition, nor let half a record through.
			w.out, w.dead, w.item = w.out[:from], w.dead[:0], 0
			w.bad(Panicked, fmt.Sprintf("%T while decoding", r), value)
		}
	}()
	switch {
	case len(value) == 0:
		w.bad(Empty, "no bytes", value)
		return
	case len(value) > w.p.opt.MaxValue:
		w.bad(TooLarge, fmt.Sprintf("%d bytes, at most %d are read", len(value), w.p.opt.MaxValue), value)
		return
	}
	w.suspicious = redact.Suspicious(view(value))
	signal := w.in.Signal
	for _, h := range w.rec.Headers {
		switch {
		case h.Key == "otelcol.signal":
			signal = string(h.Value)
		case h.Key == "traceparent" && len(h.Value) == 55:
			// Of the produce, not of the call.
		}
	}
	switch w.in.Format {
	case "otlp_proto":
		if looksLikeJSON(value) {
			w.bad(NotProto, "JSON in a topic that is configured as otlp_proto", value)
			return
		}
		w.otlpProto(value, signal)
	case "otlp_json":
		w.otlpJSON(value, signal)
	default:
		w.any(value, signal, 0)
	}
}

func looksLikeJSON(b []byte) bool {
	i := space(b, 0)
	return i < len(b) && (b[i] == '{' || b[i] == '[')
}

// bad puts an item aside.
func (w *work) bad(reason Reason, detail string, value []byte) {
	w.dead = append(w.dead, Dead{Item: w.item, Reason: reason, Detail: detail, Value: value})
	w.item++
}

// full reports, once, that a record holds more items than one may.
func (w *work) full(rest []byte) bool {
	if int(w.item) < w.p.opt.MaxItems {
		return false
	}
	if !w.limit {
		w.limit = true
		w.bad(TooMany, fmt.Sprintf("more than %d items in one record", w.p.opt.MaxItems), rest)
	}
	return true
}

var bom = []byte("\xef\xbb\xbf")

// any sniffs what bytes are, unwrapping as it goes.
func (w *work) any(b []byte, signal string, depth int) {
	if depth > maxNested {
		w.bad(TooNested, fmt.Sprintf("more than %d envelopes around the line", maxNested), b)
		return
	}
	b = bytes.TrimPrefix(b, bom)
	if depth == 0 && !isBinary(b) {
		b = sanitised(b)
	}
	i := space(b, 0)
	if i == len(b) {
		w.bad(Empty, "only spaces", b)
		return
	}
	switch c := b[i]; {
	case c == 0 && len(b) >= 5:
		w.bad(Confluent, "Confluent wire format: needs a schema registry, which is not supported", b)
	case c == '{':
		w.documents(b[i:], signal, depth)
	case c == '[' && !textTime(b[i:]):
		w.list(b[i:], signal, depth)
	case c == '"':
		w.quoted(b[i:], signal, depth)
	case b[0] == 0x0a && w.in.Format != "envoy_json" && isBinary(b):
		w.otlpProto(b, signal)
	case isBinary(b):
		w.bad(UnknownFormat, "binary that no format begins with", b)
	default:
		w.lines(b, signal, depth)
	}
}

// textTime tells a line that begins with [2026-… from a JSON list.
func textTime(b []byte) bool {
	return len(b) > 5 && b[1] >= '0' && b[1] <= '9' && b[2] >= '0' && b[2] <= '9' && b[3] >= '0' && b[3] <= '9' && b[4] >= '0' && b[4] <= '9' && b[5] == '-'
}

func isBinary(b []byte) bool {
	for _, c := range b[:min(len(b), 512)] {
		if c < 9 || c > 13 && c < 32 && c != 27 {
			return true
		}
	}
	return false
}

// documents reads one JSON object, or several on a line each.
func (w *work) documents(b []byte, signal string, depth int) {
	for len(b) > 0 {
		end, err := skip(b, 0, 0)
		if err != nil {
			// What is broken ends with its line: the next one may be whole.
			line := b
			if n := bytes.IndexByte(b, '\n'); n >= 0 && looksLikeJSON(b[n+1:]) {
				line = b[:n]
			}
			w.bad(reasonOf(err), err.Error(), line)
			b = b[len(line):]
		} else {
			next := space(b, end)
			if next < len(b) && (bytes.IndexByte(b[end:next], '\n') < 0 || b[next] != '{') {
				w.bad(TrailingData, fmt.Sprintf("%d bytes after the document", len(b)-next), b)
				return
			}
			w.one(b[:end], signal, depth)
			b = b[end:]
		}
		b = b[space(b, 0):]
		if len(b) > 0 && w.full(b) {
			return
		}
	}
}

// list reads the elements of a JSON list, each an item.
func (w *work) list(b []byte, signal string, depth int) {
	end, err := elements(b, 0, nil)
	if err == nil && space(b, end) != len(b) {
		w.bad(TrailingData, fmt.Sprintf("%d bytes after the list", len(b)-end), b)
		return
	}
	if err != nil {
		w.bad(reasonOf(err), err.Error(), b)
		return
	}
	n := 0
	_, _ = elements(b, 0, func(v value) bool {
		n++
		if w.full(v.raw) {
			return false
		}
		switch v.kind {
		case '{':
			w.one(v.raw, signal, depth)
		case '"':
			w.quoted(v.raw, signal, depth)
		default:
			w.bad(UnknownFormat, "a list element that is no object", v.raw)
		}
		return true
	})
	if n == 0 {
		w.bad(NoItems, "an empty list", b)
	}
}

// quoted reads a JSON string that holds a record: once unquoted, sniff again.
func (w *work) quoted(b []byte, signal string, depth int) {
	v, end, err := scan(b, 0, 0)
	if err != nil || space(b, end) != len(b) {
		w.bad(NotJSON, "a string that does not end where the record does", b)
		return
	}
	inner := unquote(v)
	if inner == nil {
		w.bad(NotJSON, "a string that does not parse", b)
		return
	}
	w.any(inner, signal, depth+1)
}

func unquote(v value) []byte {
	if bytes.IndexByte(v.raw, '\\') < 0 {
		return v.raw[1 : len(v.raw)-1]
	}
	t := v.text()
	if t == "" {
		return nil
	}
	return []byte(t)
}

// one reads a single JSON object: OTLP, an envelope, or a gateway's record.
func (w *work) one(b []byte, signal string, depth int) {
	pairs, err := object(b, w.pairs[min(depth, maxNested)][:0])
	w.pairs[min(depth, maxNested)] = pairs
	if err != nil {
		w.bad(reasonOf(err), err.Error(), b)
		return
	}
	format := ""
	switch w.in.Format {
	case "envoy_json":
		format = formatEnvoyJSON
	case "nginx_json":
		format = formatNginxJSON
	}
	if format == "" || shapeOf(pairs) == "" {
		if w.envelope(b, pairs, signal, depth) {
			return
		}
	}
	if shape := shapeOf(pairs); shape == "" {
		w.bad(UnknownFormat, "a JSON object that no format's fingerprint matches", b)
		return
	} else if format == "" {
		format = shape
	}
	w.begin()
	w.d.object(pairs, format)
	w.end(b)
}

// begin starts a call.
func (w *work) begin() {
	w.d.reset(w.zone)
	w.d.suspicious = w.suspicious
	w.d.call.Tenant = w.p.opt.Tenant
}

// end completes a call that b held and hands it over.
func (w *work) end(b []byte) { w.endOf(func() []byte { return b }) }

func (w *work) endOf(bytesOf func() []byte) {
	d := &w.d
	for _, a := range w.where {
		d.keep(a.Key, a.Value)
	}
	if !d.timed && w.rec.Timestamp <= 0 {
		w.bad(NoTime, "neither the item nor its record has a time", bytesOf())
		return
	}
	if d.call.Status == 0 && d.call.Method == "" && d.target == "" && d.call.Path == "" && d.call.OpKind == schema.OpOther && d.call.ToolName == "" && d.call.SpanID == [8]byte{} {
		w.bad(NotAnAccessLog, "no method, path or status", bytesOf())
		return
	}
	d.finish(w.rec)
	d.queryKeys()
	c := &d.call
	c.Source = schema.Source{Topic: w.rec.Topic, TopicID: w.rec.TopicID, Partition: w.rec.Partition}
	c.Pos = schema.Position{Offset: w.rec.Offset, Item: w.item}
	w.item++
	w.p.id.Resolve(&d.ev, c)
	w.p.rt.Classify(c, &d.in)
	if len(c.Attrs) > 1 {
		sortAttrs(c.Attrs)
	}
	w.out = append(w.out, *c)
}

func sortAttrs(a []schema.Attr) {
	for i := 1; i < len(a); i++ {
		for j := i; j > 0 && a[j].Key < a[j-1].Key; j-- {
			a[j], a[j-1] = a[j-1], a[j]
		}
	}
}

func decodeBase64(s string) ([]byte, bool) {
	b, err := base64.StdEncoding.DecodeString(s)
	return b, err == nil
}
