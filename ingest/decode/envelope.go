package decode

import (
	"bytes"

	"flyball/schema"
)

// envelope unwraps what shippers put around a line. It reports whether the
// object was an envelope; what it held has been read then.
func (w *work) envelope(b []byte, pairs []pair, signal string, depth int) bool {
	get := func(key string) value {
		var v value
		for i := range pairs {
			if pairs[i].key == key {
				v = pairs[i].val
			}
		}
		return v
	}
	for _, key := range [...]string{"resourcespans", "resource_spans"} {
		if get(key).kind == '[' {
			w.otlpJSON(b, orSignal(signal, "traces"))
			return true
		}
	}
	for _, key := range [...]string{"resourcelogs", "resource_logs"} {
		if get(key).kind == '[' {
			w.otlpJSON(b, orSignal(signal, "logs"))
			return true
		}
	}
	if get("resourcemetrics").kind == '[' {
		w.bad(WrongSignal, "metrics: no calls are in them", b)
		return true
	}
	inner := func(v value) bool {
		if v.kind == '"' {
			t := unquote(v)
			if len(t) == 0 {
				w.bad(Empty, "an envelope around nothing", b)
				return true
			}
			w.any(bytes.TrimRight(t, "\r\n"), signal, depth+1)
			return true
		}
		if depth+1 > maxNested {
			w.bad(TooNested, "too many envelopes around the record", b)
			return true
		}
		w.one(v.raw, signal, depth+1)
		return true
	}
	was := len(w.where)
	defer func() { w.where = w.where[:was] }()
	switch {
	case get("specversion").kind == '"' && get("type").kind == '"': // CloudEvents, structured
		if v := get("data_base64"); v.kind == '"' {
			if raw, ok := decodeBase64(v.text()); ok {
				w.any(raw, signal, depth+1)
				return true
			}
			w.bad(NotJSON, "data_base64 is no base64", b)
			return true
		}
		if v := get("data"); v.kind == '{' || v.kind == '"' {
			return inner(v)
		}
		w.bad(NoItems, "a CloudEvent without data", b)
		return true
	case get("log_processed").kind == '{': // Fluent Bit, merged
		w.place(get)
		return inner(get("log_processed"))
	case get("log").kind == '"': // Fluent Bit, Docker
		if get("_p").text() == "P" {
			w.bad(PartialLine, "a line cut by the container runtime", b)
			return true
		}
		w.place(get)
		return inner(get("log"))
	case get("message").kind == '"' && (get("@timestamp").kind != 0 || get("source_type").kind != 0 || get("timestamp").kind != 0): // Filebeat, Vector
		w.place(get)
		return inner(get("message"))
	case get("logevents").kind == '[': // CloudWatch subscription
		_, _ = elements(get("logevents").raw, 0, func(e value) bool {
			if e.kind != '{' || w.full(e.raw) {
				return false
			}
			members, err := object(e.raw, nil)
			if err != nil {
				w.bad(NotJSON, err.Error(), e.raw)
				return true
			}
			for _, m := range members {
				if m.key == "message" && m.val.kind == '"' {
					w.any(unquote(m.val), signal, depth+1)
				}
			}
			return true
		})
		return true
	case get("records").kind == '[': // Azure
		w.list(get("records").raw, signal, depth+1)
		return true
	}
	return false
}

func orSignal(signal, fallback string) string {
	if signal == "" {
		return fallback
	}
	return signal
}

// place keeps where a shipper says the line comes from.
func (w *work) place(get func(string) value) {
	add := func(key, v string) {
		if v != "" {
			w.where = append(w.where, schema.Attr{Key: key, Value: v})
		}
	}
	if k := get("kubernetes"); k.kind == '{' {
		members, _ := object(k.raw, nil)
		for _, m := range members {
			switch m.key {
			case "pod_name":
				add("k8s.pod.name", m.val.text())
			case "namespace_name":
				add("k8s.namespace.name", m.val.text())
			case "container_name":
				add("k8s.container.name", m.val.text())
			}
		}
	}
	switch h := get("host"); h.kind {
	case '"':
		add("host.name", h.text())
	case '{':
		members, _ := object(h.raw, nil)
		for _, m := range members {
			if m.key == "name" {
				add("host.name", m.val.text())
			}
		}
	}
}
