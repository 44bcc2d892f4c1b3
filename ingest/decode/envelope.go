package decode

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"fmt"
	"io"

	"flyball/ingest/fields"
)

// read unwraps a shipper's envelope and decodes its content. It reports whether the object was an envelope.
func (dec envelopeReader) read(b []byte, pairs []fields.Pair, depth int) bool {
	if fields.Get(pairs, "messagetype").Text() == "CONTROL_MESSAGE" && fields.Get(pairs, "logevents").Kind == '[' {
		dec.leave(LeftControl) // with which CloudWatch checks the target
		return true
	}
	was, shipped := len(dec.where), dec.shipped
	defer func() { dec.where, dec.shipped = dec.where[:was], shipped }()
	inner := func(v fields.Value) bool {
		dec.addOrigin(pairs, true)
		dec.inner(v, b, depth)
		return true
	}
	isText := func(key string) bool { return fields.Get(pairs, key).Kind == '"' }
	switch {
	case isText("specversion") && isText("type"):
		dec.cloudEvent(b, pairs, depth)
		return true
	case fields.Get(pairs, "log_processed").Kind == '{': // Fluent Bit, merged
		return inner(fields.Get(pairs, "log_processed"))
	case isText("log"): // Fluent Bit, Docker
		if fields.Get(pairs, "_p").Text() == "P" {
			dec.reject(PartialLine, "a line that the container runtime cut, without its rest", b)
			return true
		}
		return inner(fields.Get(pairs, "log"))
	case fields.Get(pairs, "streams").Kind == '[': // Loki
		dec.loki(fields.Get(pairs, "streams"), b, depth)
		return true
	}
	if v := recordMember(pairs); v.Kind != 0 {
		return inner(v)
	}
	if v := encodedMember(pairs); v.Kind != 0 {
		dec.addOrigin(pairs, true)
		dec.base64(v, b, depth)
		return true
	}
	return dec.tryMembers(b, pairs, depth)
}

// inner decodes the content of an envelope. b is the whole envelope, for the dead letter if the content is empty.
func (dec envelopeReader) inner(v fields.Value, b []byte, depth int) {
	switch {
	case v.Kind == '"':
		if t := bytes.TrimRight(fields.Unquote(v.Raw), "\r\n"); len(t) > 0 {
			dec.decodeAny(t, depth+1)
		} else {
			dec.reject(Empty, "an envelope around nothing", b)
		}
	case depth+1 > maxNested:
		dec.reject(TooNested, fmt.Sprintf("more than %d envelopes around the record", maxNested), b)
	case v.Kind == '[':
		dec.json().list(v.Raw, depth+1)
	case v.Kind != '{':
		dec.reject(NoItems, "an envelope around neither an object nor text", b)
	default:
		dec.json().documents(v.Raw, depth+1)
	}
}

// cloudEvent decodes the content of a structured CloudEvent.
func (dec envelopeReader) cloudEvent(b []byte, pairs []fields.Pair, depth int) {
	if v := fields.Get(pairs, "data_base64"); v.Kind == '"' {
		dec.addOrigin(pairs, true)
		dec.base64(v, b, depth)
		return
	}
	switch v := fields.Get(pairs, "data"); v.Kind {
	case '{', '"', '[':
		dec.addOrigin(pairs, true)
		dec.inner(v, b, depth)
	default:
		dec.reject(NoItems, "a CloudEvent without data", b)
	}
}

// maxUnpacked is how many times the maximum size of a record all of its compressed and encoded parts may have together.
const maxUnpacked = 4

// base64 decodes a text in base64 and what is in it.
func (dec envelopeReader) base64(v fields.Value, b []byte, depth int) {
	raw, err := base64.StdEncoding.DecodeString(v.Text())
	dec.unpacked += len(raw)
	switch {
	case err != nil:
		dec.reject(NotJSON, "an envelope whose data is no base64", b)
	case dec.unpacked > dec.p.opt.MaxValue*maxUnpacked:
		dec.reject(TooLarge, fmt.Sprintf("more than %d bytes when unpacked", dec.p.opt.MaxValue*maxUnpacked), b)
	default:
		dec.decodeAny(raw, depth+1)
	}
}

// unzip decompresses gzip data, up to the maximum size of a record, and decodes it.
func (dec *decoder) unzip(b []byte, depth int) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		dec.reject(UnknownFormat, "begins as gzip does and is none", b)
		return
	}
	maxBytes := min(dec.p.opt.MaxValue, dec.p.opt.MaxValue*maxUnpacked-dec.unpacked)
	raw, err := io.ReadAll(io.LimitReader(z, int64(maxBytes)+1))
	dec.unpacked += len(raw)
	switch {
	case err != nil:
		dec.reject(UnknownFormat, "gzip that is cut off or broken", b)
	case len(raw) > maxBytes:
		dec.reject(TooLarge, fmt.Sprintf("more than %d bytes when unpacked", maxBytes), b)
	default:
		dec.decodeAny(raw, depth+1)
	}
}
