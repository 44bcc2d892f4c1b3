package decode

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"

	"flyball/ingest/fields"
	"flyball/schema"
)

// read unwraps a shipper's envelope and decodes its content. It reports whether the object was an envelope.
func (dec envelopeReader) read(b []byte, pairs []fields.Pair, signal string, depth int) bool {
	if fields.Get(pairs, "messagetype").Text() == "CONTROL_MESSAGE" && fields.Get(pairs, "logevents").Kind == '[' {
		return true // a test message with which CloudWatch checks the target
	}
	was, shipped := len(dec.where), dec.shipped
	defer func() { dec.where, dec.shipped = dec.where[:was], shipped }()
	inner := func(v fields.Value) bool {
		dec.addOrigin(pairs, true)
		dec.inner(v, b, signal, depth)
		return true
	}
	isText := func(key string) bool { return fields.Get(pairs, key).Kind == '"' }
	switch {
	case isText("specversion") && isText("type"):
		return dec.cloudEvent(b, pairs, inner, signal, depth)
	case fields.Get(pairs, "log_processed").Kind == '{': // Fluent Bit, merged
		return inner(fields.Get(pairs, "log_processed"))
	case isText("log"): // Fluent Bit, Docker
		if fields.Get(pairs, "_p").Text() == "P" {
			dec.reject(PartialLine, "a line that the container runtime cut, without its rest", b)
			return true
		}
		return inner(fields.Get(pairs, "log"))
	case fields.Get(pairs, "json").Kind == '{': // Filebeat, parsed under a target
		return inner(fields.Get(pairs, "json"))
	case isText("message"): // Filebeat, Vector, Logstash
		return inner(fields.Get(pairs, "message"))
	case fields.Get(pairs, "message").Kind == '{':
		return inner(fields.Get(pairs, "message"))
	case fields.Get(pairs, "logevents").Kind == '[': // CloudWatch subscription
		return inner(fields.Get(pairs, "logevents"))
	case fields.Get(pairs, "records").Kind == '[': // Azure
		return inner(fields.Get(pairs, "records"))
	}
	return false
}

// inner decodes the content of an envelope. b is the whole envelope, for the dead letter if the content is empty.
func (dec envelopeReader) inner(v fields.Value, b []byte, signal string, depth int) {
	switch {
	case v.Kind == '"':
		if t := bytes.TrimRight(fields.Unquote(v.Raw), "\r\n"); len(t) > 0 {
			dec.decodeAny(t, signal, depth+1)
		} else {
			dec.reject(Empty, "an envelope around nothing", b)
		}
	case depth+1 > maxNested:
		dec.reject(TooNested, fmt.Sprintf("more than %d envelopes around the record", maxNested), b)
	case v.Kind == '[':
		dec.json().list(v.Raw, signal, depth+1)
	default:
		dec.json().documents(v.Raw, signal, depth+1)
	}
}

// cloudEvent decodes the content of a structured CloudEvent. It always returns true.
func (dec envelopeReader) cloudEvent(b []byte, pairs []fields.Pair, inner func(fields.Value) bool, signal string, depth int) bool {
	if v := fields.Get(pairs, "data_base64"); v.Kind == '"' {
		raw, err := base64.StdEncoding.DecodeString(v.Text())
		if err != nil {
			dec.reject(NotJSON, "data_base64 is no base64", b)
			return true
		}
		dec.addOrigin(pairs, true)
		dec.decodeAny(raw, signal, depth+1)
		return true
	}
	switch v := fields.Get(pairs, "data"); v.Kind {
	case '{', '"', '[':
		return inner(v)
	}
	dec.reject(NoItems, "a CloudEvent without data", b)
	return true
}

// unzip decompresses gzip data, up to the maximum size of a record, and decodes it.
func (dec *decoder) unzip(b []byte, signal string, depth int) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		dec.reject(UnknownFormat, "begins as gzip does and is none", b)
		return
	}
	raw, err := io.ReadAll(io.LimitReader(z, int64(dec.p.opt.MaxValue)+1))
	switch {
	case err != nil:
		dec.reject(UnknownFormat, "gzip that is cut off or broken", b)
	case len(raw) > dec.p.opt.MaxValue:
		dec.reject(TooLarge, fmt.Sprintf("more than %d bytes when unpacked", dec.p.opt.MaxValue), b)
	default:
		dec.decodeAny(raw, signal, depth+1)
	}
}

// addOrigin stores where the line comes from according to the shipper: pod, namespace, container and host. With envelope it also stores
// the time of shipping.
func (dec envelopeReader) addOrigin(pairs []fields.Pair, envelope bool) {
	for i := range pairs {
		switch v := pairs[i].Val; pairs[i].Key {
		case "kubernetes":
			dec.kubernetes(v)
		case "host", "hostname":
			if v.Kind == '{' {
				members, _, _ := dec.keys.Object(v.Raw, 0, nil)
				dec.put("host.name", first(fields.Get(members, "name").Text(), fields.Get(members, "hostname").Text()))
			} else if envelope {
				dec.put("host.name", v.Text())
			}
		case "@timestamp", "timestamp", "time":
			if t := v.Text(); envelope && t != "" {
				dec.shipped = t
			}
		}
	}
}

func (dec envelopeReader) kubernetes(v fields.Value) {
	if v.Kind != '{' {
		return
	}
	members, _, _ := dec.keys.Object(v.Raw, 0, nil)
	name := func(key string) string {
		v := fields.Get(members, key)
		if v.Kind == '{' {
			inside, _, _ := dec.keys.Object(v.Raw, 0, nil)
			return fields.Get(inside, "name").Text()
		}
		return v.Text()
	}
	dec.put("k8s.pod.name", first(name("pod_name"), name("pod")))
	dec.put("k8s.namespace.name", first(name("namespace_name"), name("pod_namespace"), name("namespace")))
	dec.put("k8s.container.name", first(name("container_name"), name("container")))
}

func (dec *decoder) put(key, v string) {
	if v != "" {
		dec.where = append(dec.where, schema.Attr{Key: key, Value: v})
	}
}
