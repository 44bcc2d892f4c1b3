package decode

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"

	"flyball/schema"
)

// envelope unwraps what shippers put around a line. It reports whether the
// object was an envelope; what it held has been read then.
func (w *work) envelope(b []byte, pairs []pair, signal string, depth int) bool {
	if get(pairs, "messagetype").text() == "CONTROL_MESSAGE" && get(pairs, "logevents").kind == '[' {
		return true // CloudWatch looks whether anybody is there
	}
	was, shipped := len(w.where), w.shipped
	defer func() { w.where, w.shipped = w.where[:was], shipped }()
	inner := func(v value) bool {
		w.place(pairs, true)
		switch {
		case v.kind == '"':
			if t := bytes.TrimRight(unquote(v.raw), "\r\n"); len(t) > 0 {
				w.any(t, signal, depth+1)
			} else {
				w.bad(Empty, "an envelope around nothing", b)
			}
		case depth+1 > maxNested:
			w.bad(TooNested, fmt.Sprintf("more than %d envelopes around the record", maxNested), b)
		case v.kind == '[':
			w.list(v.raw, signal, depth+1)
		default:
			w.documents(v.raw, signal, depth+1)
		}
		return true
	}
	isText := func(key string) bool { return get(pairs, key).kind == '"' }
	switch {
	case isText("specversion") && isText("type"):
		return w.cloudEvent(b, pairs, inner, signal, depth)
	case get(pairs, "log_processed").kind == '{': // Fluent Bit, merged
		return inner(get(pairs, "log_processed"))
	case isText("log"): // Fluent Bit, Docker
		if get(pairs, "_p").text() == "P" {
			w.bad(PartialLine, "a line that the container runtime cut, without its rest", b)
			return true
		}
		return inner(get(pairs, "log"))
	case get(pairs, "json").kind == '{': // Filebeat, parsed under a target
		return inner(get(pairs, "json"))
	case isText("message"): // Filebeat, Vector, Logstash
		return inner(get(pairs, "message"))
	case get(pairs, "message").kind == '{':
		return inner(get(pairs, "message"))
	case get(pairs, "logevents").kind == '[': // CloudWatch subscription
		return inner(get(pairs, "logevents"))
	case get(pairs, "records").kind == '[': // Azure
		return inner(get(pairs, "records"))
	}
	return false
}

// cloudEvent reads a structured CloudEvent.
func (w *work) cloudEvent(b []byte, pairs []pair, inner func(value) bool, signal string, depth int) bool {
	if v := get(pairs, "data_base64"); v.kind == '"' {
		raw, err := base64.StdEncoding.DecodeString(v.text())
		if err != nil {
			w.bad(NotJSON, "data_base64 is no base64", b)
			return true
		}
		w.place(pairs, true)
		w.any(raw, signal, depth+1)
		return true
	}
	switch v := get(pairs, "data"); v.kind {
	case '{', '"', '[':
		return inner(v)
	}
	w.bad(NoItems, "a CloudEvent without data", b)
	return true
}

// unzip reads what was packed before it was sent, up to the size that a record
// may have.
func (w *work) unzip(b []byte, signal string, depth int) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		w.bad(UnknownFormat, "begins as gzip does and is none", b)
		return
	}
	raw, err := io.ReadAll(io.LimitReader(z, int64(w.p.opt.MaxValue)+1))
	switch {
	case err != nil:
		w.bad(UnknownFormat, "gzip that is cut off or broken", b)
	case len(raw) > w.p.opt.MaxValue:
		w.bad(TooLarge, fmt.Sprintf("more than %d bytes when unpacked", w.p.opt.MaxValue), b)
	default:
		w.any(raw, signal, depth+1)
	}
}

// place notes where a shipper says that the line comes from: pod, namespace,
// container and host; and, of an envelope, when it was shipped.
func (w *work) place(pairs []pair, envelope bool) {
	for i := range pairs {
		switch v := pairs[i].val; pairs[i].key {
		case "kubernetes":
			w.kubernetes(v)
		case "host", "hostname":
			if v.kind == '{' {
				members, _, _ := w.keys.object(v.raw, 0, nil)
				w.put("host.name", first(get(members, "name").text(), get(members, "hostname").text()))
			} else if envelope {
				w.put("host.name", v.text())
			}
		case "@timestamp", "timestamp", "time":
			if t := v.text(); envelope && t != "" {
				w.shipped = t
			}
		}
	}
}

func (w *work) kubernetes(v value) {
	if v.kind != '{' {
		return
	}
	members, _, _ := w.keys.object(v.raw, 0, nil)
	name := func(key string) string {
		v := get(members, key)
		if v.kind == '{' {
			inside, _, _ := w.keys.object(v.raw, 0, nil)
			return get(inside, "name").text()
		}
		return v.text()
	}
	w.put("k8s.pod.name", first(name("pod_name"), name("pod")))
	w.put("k8s.namespace.name", first(name("namespace_name"), name("pod_namespace"), name("namespace")))
	w.put("k8s.container.name", first(name("container_name"), name("container")))
}

func (w *work) put(key, v string) {
	if v != "" {
		w.where = append(w.where, schema.Attr{Key: key, Value: v})
	}
}
