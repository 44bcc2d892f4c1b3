package decode

import (
	"fmt"
	"slices"
	"strings"

	"flyball/ingest/fields"
	"flyball/ingest/mapping"
)

// The formats that Go code reads; all other formats are mappings.
const (
	envoyJSON = "envoy_json"
	envoyText = "envoy_text"
	istioText = "istio_text"
	kongJSON  = "kong_json"
	otlpProto = "otlp_proto"
	otlpJSON  = "otlp_json"
	auto      = "auto"
)

var builtInFormats = []string{auto, otlpProto, otlpJSON, envoyJSON, envoyText, istioText, kongJSON}

// Formats returns the formats that an input can have without its own mapping. An empty format is auto.
func Formats() []string { return slices.Concat(builtInFormats, mapping.PresetNames()) }

// formats are the mappings of a pipeline.
type formats struct {
	all  map[string]*mapping.Program
	json []*mapping.Program // in the order in which auto tries them
	text []*mapping.Program
}

func collectFormats(own []*mapping.Program) (formats, error) {
	f := formats{all: map[string]*mapping.Program{}}
	for _, p := range slices.Concat(own, mapping.Presets()) {
		if _, ok := f.all[p.Name]; ok || slices.Contains(builtInFormats, p.Name) {
			return f, fmt.Errorf("mapping %s: another format has that name", p.Name)
		}
		f.all[p.Name] = p
		if p.IsText() {
			f.text = append(f.text, p)
		} else {
			f.json = append(f.json, p)
		}
	}
	return f, nil
}

// detectFormat returns the format of an object by its members, or the empty string.
func (dec jsonReader) detectFormat(pairs []fields.Pair) string {
	if f := detectShape(pairs); f != "" {
		return f
	}
	if isKong(pairs) {
		return kongJSON
	}
	for _, p := range dec.p.formats.json {
		if p.Recognises(pairs) {
			return p.Name
		}
	}
	return ""
}

// pinned returns the format that the topic is configured with, or the empty string for auto.
func (dec *decoder) pinned() string {
	if dec.in.Format == auto {
		return ""
	}
	return dec.in.Format
}

// format reads one JSON object of a format, as one or several calls.
func (dec jsonReader) format(b []byte, pairs []fields.Pair, format string, depth int) {
	was, shipped := len(dec.where), dec.shipped
	defer func() { dec.where, dec.shipped = dec.where[:was], shipped }()
	dec.envelopes().addOrigin(pairs, false)
	switch format {
	case envoyJSON:
		readEnvoyObject(dec.beginCall(), pairs)
		dec.endCall(func() []byte { return b })
	case kongJSON:
		dec.kong(b, pairs)
	default:
		dec.mapped(dec.p.formats.all[format], b, pairs, depth)
	}
}

// mapped reads the members of a record with a mapping.
func (dec jsonReader) mapped(p *mapping.Program, b []byte, pairs []fields.Pair, depth int) {
	d := dec.beginCall()
	d.call.Format, d.call.ObserverKind = p.Format, p.Observer
	switch match, inner := p.Run(pairs, &dec.mem, mapped{d}); match {
	case mapping.Mapped:
		dec.endCall(func() []byte { return b })
	case mapping.Wrapped:
		if dec.attempt(func() { dec.envelopes().inner(inner, b, depth) }) {
			return
		}
		// What is wrapped is no record: the members beside it may be.
		d = dec.beginCall()
		d.call.Format, d.call.ObserverKind = p.Format, p.Observer
		pairs, _, _ = dec.keys.Object(b, 0, pairs[:0])
		if p.RunHere(pairs, &dec.mem, mapped{d}) == mapping.Mapped && !d.isEmpty() {
			dec.endCall(func() []byte { return b })
			return
		}
		dec.envelopes().inner(inner, b, depth)
	case mapping.Unlike:
		dec.reject(NotAnAccessLog, "a record that the mapping "+p.Name+" is not for, by its condition when", b)
	case mapping.Ignored:
		dec.leave(LeftIgnored)
	}
}

// line reads a line of text with the format of the topic, or with the first format whose pattern matches.
func (dec lineReader) line(line []byte, depth int) {
	text := plainText(fields.View(line))
	if isComment(text) {
		dec.leave(LeftComment)
		return
	}
	if dec.read(text, line) || dec.withoutPrefix(text, line, depth) {
		return
	}
	switch pinned := dec.pinned(); {
	case pinned == "" || pinned == envoyText || pinned == istioText:
		dec.reject(UnknownFormat, "a line that no format's pattern matches", line)
	case dec.p.formats.all[pinned] != nil && dec.p.formats.all[pinned].IsText():
		dec.reject(UnknownFormat, "a line that does not match the pattern of "+pinned, line)
	default:
		dec.reject(UnknownFormat, "a line of text in a topic that is configured as "+pinned, line)
	}
}

// isComment reports whether a line describes the log file that contains it, as CloudFront and IIS write them.
func isComment(s string) bool {
	return strings.HasPrefix(s, "#") && (strings.HasPrefix(s, "#Version: ") || strings.HasPrefix(s, "#Fields: ") ||
		strings.HasPrefix(s, "#Software: ") || strings.HasPrefix(s, "#Date: "))
}

// read reads a line if it has the format of the topic, or any format. line are its bytes for a dead letter.
func (dec lineReader) read(text string, line []byte) bool {
	pinned := dec.pinned()
	if p := dec.p.formats.all[pinned]; p != nil && p.IsText() {
		pairs, ok := p.Match(text, &dec.mem)
		if ok {
			dec.json().mapped(p, line, pairs, maxNested)
		}
		return ok
	}
	if pinned != "" && pinned != envoyText && pinned != istioText {
		return false
	}
	if d := dec.beginCall(); readEnvoyText(d, text) {
		dec.endCall(func() []byte { return line })
		return true
	}
	if pinned == "" {
		for _, p := range dec.p.formats.text {
			if pairs, ok := p.Match(text, &dec.mem); ok {
				dec.json().mapped(p, line, pairs, maxNested)
				return true
			}
		}
	}
	return false
}

// matches reports whether a line has the format of the topic, or any format.
func (dec lineReader) matches(text string) bool {
	pinned := dec.pinned()
	if p := dec.p.formats.all[pinned]; p != nil && p.IsText() {
		_, ok := p.Match(text, &dec.mem)
		return ok
	}
	if pinned != "" && pinned != envoyText && pinned != istioText {
		return false
	}
	if dec.beginCall(); readEnvoyText(&dec.d, text) {
		return true
	}
	for _, p := range dec.p.formats.text {
		if _, ok := p.Match(text, &dec.mem); ok && pinned == "" {
			return true
		}
	}
	return false
}

// plainText removes terminal colour codes from a line.
func plainText(s string) string {
	if strings.IndexByte(s, '\x1b') < 0 {
		return s
	}
	var out strings.Builder
	for {
		before, rest, ok := strings.Cut(s, "\x1b[")
		out.WriteString(before)
		if !ok {
			return out.String()
		}
		s = strings.TrimLeft(rest, "0123456789;")
		if s != "" {
			s = s[1:]
		}
	}
}
