package decode

import (
	"bytes"
	"fmt"
	"unicode/utf8"

	"flyball/ingest/fields"
	"flyball/ingest/mapping"
)

// maxNested is the maximum number of envelopes around a line. Firehose, base64, gzip, CloudWatch and Docker around a line are five.
const maxNested = 6

var (
	bom       = []byte("\xef\xbb\xbf")
	gzipMagic = []byte{0x1f, 0x8b}
)

// decodeAny detects the format of bytes and decodes them, including envelopes and compression.
func (dec *decoder) decodeAny(b []byte, depth int) {
	if depth > maxNested {
		dec.reject(TooNested, fmt.Sprintf("more than %d envelopes around the line", maxNested), b)
		return
	}
	b = bytes.TrimPrefix(b, bom)
	if len(b) == 0 {
		dec.reject(Empty, "no bytes", b)
		return
	}
	switch {
	case bytes.HasPrefix(b, gzipMagic):
		dec.unzip(b, depth)
		return
	case b[0] == 0:
		dec.framed(b, depth)
		return
	case b[0] == '\n' && !isText(b):
		// A line feed is also the tag of the first field of an export.
		if !dec.rejectOther(b, "an OTLP export") {
			dec.otlp().protobuf(b)
		}
		return
	}
	dec.invalid = dec.invalid || !utf8.Valid(b)
	i := fields.Space(b, 0)
	if i == len(b) {
		dec.reject(Empty, "only spaces", b)
		return
	}
	switch b = b[i:]; {
	case b[0] != '{' && b[0] != '[' && b[0] != '"', b[0] == '[' && textBracket(b): // a line in any case
	case dec.text().ownLine(b):
		dec.text().lines(b, depth)
		return
	}
	switch {
	case b[0] == '{':
		dec.json().documents(b, depth)
	case b[0] == '[' && !textBracket(b):
		dec.json().list(b, depth)
	case b[0] == '"':
		dec.json().quoted(b, depth)
	case isRawRequest(b):
		dec.reject(NotAnAccessLog, "a raw HTTP request: it says neither when it was nor how it ended", b)
	case isText(b):
		dec.text().lines(b, depth)
	default:
		dec.reject(UnknownFormat, "bytes that no format begins with", b)
	}
}

func looksLikeJSON(b []byte) bool {
	i := fields.Space(b, 0)
	return i < len(b) && (b[i] == '{' || b[i] == '[' || b[i] == '"')
}

// textBracket reports whether b is a line that begins with [2026-… or [GIN], and not a JSON list.
func textBracket(b []byte) bool {
	if len(b) < 6 {
		return false
	}
	if c := b[1]; c >= 'A' && c <= 'Z' && c != 'N' && c != 'I' {
		return true
	}
	_, ok := number(fields.View(b[1:5]))
	return ok && b[5] == '-'
}

// ownLine reports whether the topic is configured with a format of text lines whose pattern matches the first line of b. Such a line may
// begin with any byte.
func (dec lineReader) ownLine(b []byte) bool {
	if dec.pinned() == "" {
		return false
	}
	p := dec.p.formats.all[dec.pinned()]
	if p == nil || !p.IsText() || !isText(b) {
		return false
	}
	_, ok := p.Match(plainText(fields.View(lineOf(b))), &dec.mem)
	return ok
}

// notJSON reads text that begins as a JSON list or string does and is none, and reports whether it was a line of a known format.
func (dec lineReader) notJSON(b []byte, depth int) bool {
	line := plainText(fields.View(lineOf(b)))
	if !isText(b) || len(line) > maxLine {
		return false
	}
	return dec.attempt(func() { dec.lines(b, depth) })
}

// lineOf returns b up to its first line feed.
func lineOf(b []byte) []byte {
	if n := bytes.IndexByte(b, '\n'); n >= 0 {
		b = b[:n]
	}
	return bytes.TrimRight(b, "\r")
}

// isRawRequest reports whether b is a raw HTTP request, which some loggers write (APISIX's meta_format origin), and not a log line.
func isRawRequest(b []byte) bool {
	line, _, ok := bytes.Cut(b, []byte("\r\n"))
	method, rest, sp := bytes.Cut(line, []byte(" "))
	return ok && sp && isUpper(fields.View(method)) && len(method) > 0 && len(rest) > 8 && bytes.HasPrefix(rest[len(rest)-8:], []byte("HTTP/"))
}

// isText reports whether the beginning of b has no control characters.
func isText(b []byte) bool {
	for _, c := range b[:min(len(b), 512)] {
		if c < 9 || c > 13 && c < 32 && c != 27 {
			return false
		}
	}
	return true
}

// framed removes the header of the Confluent wire format (a zero byte and a schema id) if JSON follows it. The schema registry reads other
// content.
func (dec *decoder) framed(b []byte, depth int) {
	if len(b) > 5 && looksLikeJSON(b[5:]) {
		dec.decodeAny(b[5:], depth)
		return
	}
	if dec.p.opt.Schemas == nil {
		dec.reject(Confluent, "begins as the Confluent wire format does, without JSON in it: set kafka.schema_registry.urls", b)
		return
	}
	out, err := dec.p.opt.Schemas.JSON(b)
	if err != nil {
		dec.reject(Confluent, err.Error(), b)
		return
	}
	if dec.unpacked += len(out); dec.unpacked > dec.p.opt.MaxValue*maxUnpacked {
		dec.reject(TooLarge, fmt.Sprintf("more than %d bytes as JSON", dec.p.opt.MaxValue*maxUnpacked), b)
		return
	}
	dec.decodeAny(out, depth+1)
}

// documents reads one or several JSON objects, on lines of their own or one after the other. If other bytes follow an object on its line,
// the whole line is rejected, because the object may be wrong too.
func (dec jsonReader) documents(b []byte, depth int) {
	level := min(depth, maxNested)
	for {
		pairs, end, err := dec.keys.Object(b, 0, dec.pairs[level][:0])
		dec.pairs[level] = pairs
		if err != nil {
			// A malformed object ends with its line if another object begins on the next line.
			line := firstLine(b)
			dec.repaired(line, err, depth)
			if b = b[len(line):]; len(b) == 0 {
				return
			}
		} else {
			i := fields.Space(b, end)
			if i < len(b) && b[i] != '{' {
				line := firstLine(b)
				dec.reject(TrailingData, fmt.Sprintf("%d bytes after the document", len(line)-end), line)
				b = b[len(line):]
			} else {
				dec.object(b[:end], pairs, depth)
				b = b[i:]
			}
		}
		if b = b[fields.Space(b, 0):]; len(b) == 0 || dec.isFull(b) {
			return
		}
	}
}

// firstLine returns b up to the first line that begins with an object, or the whole b.
func firstLine(b []byte) []byte {
	for from := 0; ; {
		n := bytes.IndexByte(b[from:], '\n')
		if n < 0 {
			return b
		}
		if from += n + 1; from < len(b) && b[from] == '{' {
			return b[:from]
		}
	}
}

// list reads the elements of a JSON list. Each element is an item.
func (dec jsonReader) list(b []byte, depth int) {
	end, err := fields.Skip(b, 0, 0)
	if (err != nil || fields.Space(b, end) != len(b)) && reasonOf(err) == NotJSON && dec.text().notJSON(b, depth) {
		return
	}
	if err != nil {
		dec.reject(reasonOf(err), err.Error(), b)
		return
	}
	if fields.Space(b, end) != len(b) {
		dec.reject(TrailingData, fmt.Sprintf("%d bytes after the list", len(b)-end), b)
		return
	}
	n := 0
	_, _ = fields.Elements(b, func(v fields.Value) bool {
		if n++; dec.isFull(v.Raw) {
			return false
		}
		switch v.Kind {
		case '{':
			dec.documents(v.Raw, depth)
		case '"':
			dec.quoted(v.Raw, depth)
		default:
			dec.reject(UnknownFormat, "a list element that is neither object nor text", v.Raw)
		}
		return true
	})
	if n == 0 {
		dec.reject(NoItems, "an empty list", b)
	}
}

// quoted reads a JSON string that contains a record.
func (dec jsonReader) quoted(b []byte, depth int) {
	v, end, err := fields.Scan(b, 0, 0)
	switch {
	case (err != nil || fields.Space(b, end) != len(b)) && dec.text().notJSON(b, depth):
	case err != nil:
		dec.reject(NotJSON, "a string that does not end", b)
	case fields.Space(b, end) != len(b):
		dec.reject(TrailingData, fmt.Sprintf("%d bytes after the string", len(b)-end), b)
	default:
		dec.decodeAny(fields.Unquote(v.Raw), depth+1)
	}
}

// object reads one JSON object with the members pairs: an OTLP export, a gateway's record, or an envelope.
func (dec jsonReader) object(b []byte, pairs []fields.Pair, depth int) {
	if isExport(pairs) {
		if !dec.rejectOther(b, "an OTLP export") {
			dec.otlp().exportJSON(b, pairs)
		}
		return
	}
	pinned := dec.pinned()
	own := dec.p.formats.all[pinned]
	if own != nil && fits(own, pairs) {
		dec.format(b, pairs, pinned, depth)
		return
	}
	format := dec.detectFormat(pairs)
	if format == "" && dec.envelopes().read(b, pairs, depth) {
		return
	}
	switch {
	case format == "" && pinned != "" && (own == nil || !own.IsText()):
		format = pinned
	case format != "" && format != pinned && dec.rejectOther(b, "a record of the format "+format):
		return
	}
	if format == "" || format == envoyText || format == istioText || dec.p.formats.all[format] != nil && dec.p.formats.all[format].IsText() {
		dec.reject(UnknownFormat, "a JSON object that no format's fingerprint matches", b)
		return
	}
	dec.format(b, pairs, format, depth)
}

// fits reports whether an object may be a record of the mapping that is configured for its topic. nginx_json names so many members that
// those of other formats are among them.
func fits(own *mapping.Program, pairs []fields.Pair) bool {
	return own.Recognises(pairs) || !own.HasShape() && own.Name != nginxJSON && own.Names(pairs) >= 2
}

// rejectOther rejects a record of another format than the one that is configured for its topic, and reports whether it did: a record that
// is read with the wrong table would give wrong calls without an error.
func (dec *decoder) rejectOther(b []byte, what string) bool {
	if dec.pinned() == "" {
		return false
	}
	dec.reject(UnknownFormat, what+" in a topic that is configured as "+dec.pinned(), b)
	return true
}
