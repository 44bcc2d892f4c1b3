package decode

import (
	"cmp"
	"strings"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"flyball/ingest/fields"
	"flyball/schema"
)

// logs reads log records that have the form of access logs. A log record that is not a call is rejected, not skipped.
func (dec otlpReader) logs(l plog.Logs, inJSON bool) {
	for i := range l.ResourceLogs().Len() {
		rl := l.ResourceLogs().At(i)
		for j := range rl.ScopeLogs().Len() {
			records := rl.ScopeLogs().At(j).LogRecords()
			for k := range records.Len() {
				r := records.At(k)
				bytesOf := func() []byte { return logBytes(rl, r, inJSON) }
				if int(dec.item) >= dec.p.opt.MaxItems {
					dec.isFull(bytesOf())
					return
				}
				dec.logRecord(rl.Resource().Attributes(), r, bytesOf)
			}
		}
	}
}

// logBytes returns an export of one log record, in the original encoding.
func logBytes(rl plog.ResourceLogs, r plog.LogRecord, inJSON bool) []byte {
	one := plog.NewLogs()
	to := one.ResourceLogs().AppendEmpty()
	rl.Resource().CopyTo(to.Resource())
	r.CopyTo(to.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty())
	var m plog.Marshaler = &plog.ProtoMarshaler{}
	if inJSON {
		m = &plog.JSONMarshaler{}
	}
	out, err := m.MarshalLogs(one)
	if err != nil {
		return nil
	}
	return out
}

// logRecord reads one record: first its body, if it is a line or an object of a known format, then its attributes, which have precedence.
func (dec otlpReader) logRecord(res pcommon.Map, r plog.LogRecord, bytesOf func() []byte) {
	if kind, ours := agentEventKind(r); ours {
		dec.agentEvent(kind, res, r, bytesOf)
		return
	}
	d := dec.beginCall()
	c := &d.call
	setService(d, res)
	switch r.Body().Type() {
	case pcommon.ValueTypeStr:
		dec.body(valid(r.Body().Str()))
	case pcommon.ValueTypeMap:
		dec.attributes(r.Body().Map())
	}
	dec.attributes(r.Attributes())
	c.Format = formatOTLPLogs
	if c.ObserverKind == schema.ObserverUnknown {
		c.ObserverKind = schema.ObserverGateway
	}
	if t := r.TraceID(); !t.IsEmpty() {
		c.TraceID = t
	}
	if s := r.SpanID(); !s.IsEmpty() {
		c.SpanID = s
	}
	setRecordTime(d, r)
	if c.Method == "" && d.target == "" && c.Path == "" && c.Status == 0 && c.MCPMethod == "" && c.ToolName == "" {
		if !dec.bodyAlone(res, r) {
			dec.reject(NotAnAccessLog, "a log record without method, path, status or tool, and no known line or object in its body", bytesOf())
		}
		return
	}
	dec.endCall(bytesOf)
}

// bodyAlone reads the body of a record as a record of its own, with every format and envelope, and reports whether it gave a call.
func (dec otlpReader) bodyAlone(res pcommon.Map, r plog.LogRecord) bool {
	var b []byte
	switch r.Body().Type() {
	case pcommon.ValueTypeStr, pcommon.ValueTypeMap, pcommon.ValueTypeSlice:
		b = []byte(valid(r.Body().AsString()))
	case pcommon.ValueTypeBytes:
		b = r.Body().Bytes().AsRaw()
	}
	if len(b) < len("GET / 200") || dec.surroundings != nil {
		return false
	}
	dec.surroundings = func(d *draft) {
		observer := d.call.Observer
		setService(d, res)
		d.call.Format, d.call.Observer = formatOTLPLogs, cmp.Or(d.call.Observer, observer)
		if t := r.TraceID(); !t.IsEmpty() {
			d.call.TraceID = t
		}
		if s := r.SpanID(); !s.IsEmpty() {
			d.call.SpanID = s
		}
		if !d.timed {
			if setClock(d, r.Timestamp(), schema.BasisLog); !d.timed {
				setClock(d, r.ObservedTimestamp(), schema.BasisLog)
			}
		}
	}
	export := dec.in
	dec.in.Format, dec.in.Signal = auto, "" // those of the topic are of the export
	calls := len(dec.out)
	ok := dec.attempt(func() { dec.decodeAny(b, 1) }) && len(dec.out) > calls
	dec.surroundings, dec.in = nil, export
	return ok
}

// body reads a record's body with the decoders of text and JSON.
func (dec otlpReader) body(s string) {
	d := &dec.d
	b := []byte(s)
	i := fields.Space(b, 0)
	if i == len(b) {
		return
	}
	if b[i] != '{' {
		before := *d
		if !readEnvoyText(d, strings.TrimRight(s, "\r\n")) {
			*d = before
		}
		return
	}
	pairs, end, err := dec.keys.Object(b, i, nil)
	if err != nil || fields.Space(b, end) != len(b) {
		return
	}
	switch format := dec.json().detectFormat(pairs); format {
	case "":
	case envoyJSON:
		readEnvoyObject(d, pairs)
	case kongJSON:
		kongReader{d, &dec.keys}.request(pairs)
	default:
		_, _ = dec.p.formats.all[format].Run(pairs, &dec.mem, mapped{d})
	}
}

// attributes reads the attributes of a log record. If they are the members of a gateway's record, its format reads them. Otherwise names
// with a dot are names of the OpenTelemetry conventions, and other names are names of access log formats.
func (dec otlpReader) attributes(m pcommon.Map) {
	d := &dec.d
	pairs := make([]fields.Pair, 0, m.Len())
	m.Range(func(key string, v pcommon.Value) bool {
		if t := attributeText(v); t != "" {
			key = valid(key)
			pairs = append(pairs, fields.Pair{Name: key, Key: fields.Canonical([]byte(key)), Val: fields.Plain(t)})
		}
		return true
	})
	if isNginx(pairs) {
		_, _ = dec.p.formats.all[nginxJSON].Run(pairs, &dec.mem, mapped{d})
		return
	}
	for _, p := range dec.p.formats.json {
		if p.Name != "ecs" && p.Name != "access_json" && p.Recognises(pairs) { // whose names are those of the conventions
			_, _ = p.Run(pairs, &dec.mem, mapped{d})
			return
		}
	}
	m.Range(func(key string, v pcommon.Value) bool {
		if strings.IndexByte(key, '.') >= 0 {
			d.readingFrom(key)
			d.attribute(key, v)
		}
		return true
	})
	for i := range pairs {
		if strings.IndexByte(pairs[i].Name, '.') < 0 {
			d.readingFrom(pairs[i].Name)
			d.envoy(&pairs[i])
		}
	}
}

func isNginx(pairs []fields.Pair) bool {
	for _, key := range [...]string{"request_time", "msec", "time_iso8601", "time_local", "upstream_response_time"} {
		if fields.Get(pairs, key).Kind != 0 {
			return true
		}
	}
	return false
}

// setRecordTime chooses between the time of the record and the time in its body or attributes. Envoy writes the start to both, with more
// digits in the record; a collector that reads files writes the time of reading to the record.
func setRecordTime(d *draft, r plog.LogRecord) {
	at := r.Timestamp()
	if d.timed {
		if !d.end && at <= maxTime {
			if ahead := int64(at) - d.call.Start; ahead >= 0 && ahead < int64(time.Second) {
				setClock(d, at, schema.BasisStart)
			}
		}
		return
	}
	basis := schema.BasisLog
	if _, envoy := r.Attributes().Get("response_code"); envoy {
		basis = schema.BasisStart
	}
	if setClock(d, at, basis); !d.timed {
		setClock(d, r.ObservedTimestamp(), schema.BasisLog)
	}
}
