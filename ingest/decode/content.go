package decode

import (
	"cmp"
	"strings"

	"flyball/ingest/fields"
)

// recordMember returns the member of an envelope that is the record itself, or an absent value. Only envelopes whose other members leave no
// doubt are here.
func recordMember(pairs []fields.Pair) fields.Value {
	get := func(key string) fields.Value { return fields.Get(pairs, key) }
	has := func(keys ...string) bool {
		for _, k := range keys {
			if get(k).Kind != 0 {
				return true
			}
		}
		return false
	}
	isRecord := func(v fields.Value) bool { return v.Kind == '"' || v.Kind == '{' || v.Kind == '[' }
	event, message := get("event"), get("message")
	switch {
	// Splunk's HTTP event collector
	case isRecord(event) && has("sourcetype", "source", "index", "fields", "time") && !has("ecs", "@timestamp"):
		return event
	case has("schema") && (get("payload").Kind == '{' || get("payload").Kind == '['): // Kafka Connect
		return get("payload")
	case get("json").Kind == '{': // Filebeat, parsed under a target
		return get("json")
	case message.Kind == '"' || message.Kind == '{': // Filebeat, Vector, Logstash, journald; Pub/Sub
		return message
	case get("logevents").Kind == '[': // CloudWatch subscription
		return get("logevents")
	case get("records").Kind == '[': // Azure, Firehose, Kinesis
		return get("records")
	case get("kinesis").Kind == '{':
		return get("kinesis")
	case get("record").Kind == '{': // BindPlane
		return get("record")
	case get("jsonpayload").Kind == '{' && has("logname", "insertid"): // Google LogEntry
		return get("jsonpayload")
	case get("textpayload").Kind == '"':
		return get("textpayload")
	case get("logmessage").Kind == '"' || get("logmessage").Kind == '{': // Azure ContainerLogV2
		return get("logmessage")
	}
	return fields.Value{}
}

// encodedMember returns the member of an envelope that is the record in base64, or an absent value: of a Pub/Sub message, and of a
// record of Firehose or Kinesis.
func encodedMember(pairs []fields.Pair) fields.Value {
	v := fields.Get(pairs, "data")
	if v.Kind != '"' {
		return fields.Value{}
	}
	for i := range pairs {
		switch pairs[i].Key {
		case "messageid", "message_id", "publishtime", "recordid", "partitionkey", "sequencenumber", "approximatearrivaltimestamp":
			return v
		}
	}
	if len(pairs) == 1 {
		return v
	}
	return fields.Value{}
}

// maybeRecord are members under which tools put the record, in the order in which they are tried. The same names have other meanings, so
// what is in them counts only if it is a call.
var maybeRecord = [...]string{"msg", "short_message", "_raw", "event.original",
	"@rawstring", "rawstring", "raw", "body", "event", "record", "payload", "properties", "line",
	"logline",
	"original", "@message", "full_message", "value", "data", "result", "content", "text", "@fields", "fields", "attributes"}

// tryMembers reads the first member that may hold the record and does. It reports whether there was one.
func (dec envelopeReader) tryMembers(b []byte, pairs []fields.Pair, depth int) bool {
	if depth >= maxNested || dec.tried >= maxTried {
		return false
	}
	if graylogFields(pairs) && dec.attempt(func() { dec.graylog(b, pairs, depth) }) {
		return true
	}
	for _, name := range maybeRecord {
		v := fields.Get(pairs, name)
		switch {
		case v.Kind == '{' || v.Kind == '[':
		case v.Kind == '"' && len(v.Raw) > len(`"GET / 200"`) && len(v.Raw) <= maxTriedText:
		default:
			continue
		}
		dec.tried++
		was, shipped := len(dec.where), dec.shipped
		dec.addOrigin(pairs, true)
		ok := dec.attempt(func() { dec.inner(v, b, depth) })
		if !ok && v.Kind == '"' && name == "payload" { // of Kafka Connect: bytes are base64
			ok = dec.attempt(func() { dec.base64(v, b, depth) })
		}
		if dec.where, dec.shipped = dec.where[:was], shipped; ok {
			return true
		}
	}
	return false
}

// graylogFields reports whether an object is of GELF and has fields of its own.
func graylogFields(pairs []fields.Pair) bool {
	if fields.Get(pairs, "short_message").Kind != '"' {
		return false
	}
	n := 0
	for i := range pairs {
		if len(pairs[i].Key) > 1 && pairs[i].Key[0] == '_' {
			n++
		}
	}
	return n >= 3
}

// graylog reads the fields that a parser made of a line; GELF puts an underscore before their names.
func (dec envelopeReader) graylog(b []byte, pairs []fields.Pair, depth int) {
	own := make([]fields.Pair, 0, len(pairs))
	for _, p := range pairs {
		if name, ok := strings.CutPrefix(p.Key, "_"); ok && name != "" {
			own = append(own, fields.Pair{Name: p.Name[1:], Key: name, Val: p.Val})
		}
	}
	dec.addOrigin(pairs, true)
	format := dec.json().detectFormat(own)
	if format == "" {
		dec.reject(UnknownFormat, "fields of Graylog that no format's fingerprint matches", b)
		return
	}
	dec.json().format(b, own, format, depth)
}

// maxTriedText is the maximum size, in bytes, of a text that is read in doubt.
const maxTriedText = 64 << 10

// maxTried is how many members of one record are tried in doubt.
const maxTried = 4096

// loki reads the body of Loki's push API: streams of pairs of a time and a line.
func (dec envelopeReader) loki(streams fields.Value, b []byte, depth int) {
	if depth+1 > maxNested {
		dec.reject(TooNested, "more envelopes around the record than are opened", b)
		return
	}
	n := 0
	_, _ = fields.Elements(streams.Raw, func(stream fields.Value) bool {
		was := len(dec.where)
		n += dec.lokiStream(stream, depth)
		dec.where = dec.where[:was]
		return !dec.isFull(stream.Raw)
	})
	if n == 0 {
		dec.reject(NoItems, "a push to Loki without lines", b)
	}
}

func (dec envelopeReader) lokiStream(stream fields.Value, depth int) (n int) {
	if stream.Kind != '{' {
		return 0
	}
	members, _, _ := dec.keys.Object(stream.Raw, 0, nil)
	if labels := fields.Get(members, "stream"); labels.Kind == '{' {
		of, _, _ := dec.keys.Object(labels.Raw, 0, nil)
		dec.put("k8s.pod.name", fields.Get(of, "pod").Text())
		dec.put("k8s.namespace.name", fields.Get(of, "namespace").Text())
		dec.put("k8s.container.name", fields.Get(of, "container").Text())
		dec.put("host.name", cmp.Or(fields.Get(of, "host").Text(), fields.Get(of, "hostname").Text()))
	}
	shipped := dec.shipped
	if entries := fields.Get(members, "entries"); entries.Kind == '[' { // with a name for the time and the line
		_, _ = fields.Elements(entries.Raw, func(e fields.Value) bool {
			if n++; dec.isFull(e.Raw) || e.Kind != '{' {
				return false
			}
			pair, _, _ := dec.keys.Object(e.Raw, 0, nil)
			dec.shipped = cmp.Or(fields.Get(pair, "ts").Text(), fields.Get(pair, "timestamp").Text())
			dec.inner(fields.Get(pair, "line"), e.Raw, depth)
			return true
		})
		dec.shipped = shipped
		return n
	}
	values := fields.Get(members, "values")
	if values.Kind != '[' {
		return 0
	}
	_, _ = fields.Elements(values.Raw, func(pair fields.Value) bool {
		if pair.Kind != '[' {
			return true
		}
		if n++; dec.isFull(pair.Raw) {
			return false
		}
		i := 0
		_, _ = fields.Elements(pair.Raw, func(v fields.Value) bool {
			if i++; i == 1 {
				dec.shipped = v.Text()
				return true
			}
			dec.inner(v, pair.Raw, depth)
			return false
		})
		return true
	})
	dec.shipped = shipped
	return n
}
