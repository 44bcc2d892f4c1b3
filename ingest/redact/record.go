package redact

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"unicode/utf8"
)

// Record returns a record without the secrets that can be recognised in it, for people to look at: it does not have to be readable by a
// decoder any more. It is for records that no decoder could read, so it relies on no format: JSON that is cut or broken, lines with
// key=value and header lines, and printable parts of binary records are looked at. A record without a recognised secret is returned
// as it is. An opaque secret in a place with a harmless name is not recognised.
func Record(b []byte) []byte { return record(b, 0) }

// maxNested is how often a text in a record may itself be a record.
const maxNested = 4

func record(b []byte, depth int) []byte {
	if depth > maxNested {
		return []byte(redacted)
	}
	valid := json.Valid(b)
	if !valid && (!utf8.Valid(b) || bytes.IndexByte(b, 0) >= 0) {
		return binary(b, depth)
	}
	at := bytes.IndexAny(b, "{[")
	if at < 0 {
		return unchanged(b, line(string(b)))
	}
	members := jsonText{in: b, depth: depth}
	members.walk()
	out := members.result()
	if !valid {
		out = unchanged(out, line(string(out)))
	}
	return out
}

// unchanged returns b itself if s is the same text.
func unchanged(b []byte, s string) []byte {
	if string(b) == s {
		return b
	}
	return []byte(s)
}

// headerLine matches a header whose value may contain several secrets, in a line of its own.
var headerLine = regexp.MustCompile(`(?im)^([\s<>*|-]*(?:proxy-)?(?:authorization|cookie|set-cookie|x-api-key|api-key)\s*:\s*).*$`)

// line returns a text without secrets of a known form, also in a path.
func line(s string) string {
	s = Text(headerLine.ReplaceAllString(s, "${1}"+redacted))
	words := strings.SplitAfter(s, " ")
	for i, w := range words {
		if strings.HasPrefix(w, "/") {
			words[i] = Path(w)
		}
	}
	return strings.Join(words, "")
}

// jsonText copies JSON, or what remains of it, and replaces the values of members by their names.
type jsonText struct {
	in    []byte
	out   []byte // what replaces in[:done], if something was replaced
	done  int
	depth int
}

func (j *jsonText) result() []byte {
	if j.out == nil {
		return j.in
	}
	return append(j.out, j.in[j.done:]...)
}

// replace puts s in the place of in[from:to].
func (j *jsonText) replace(from, to int, s string) {
	if j.out == nil {
		j.out = make([]byte, 0, len(j.in))
	}
	j.out = append(append(j.out, j.in[j.done:from]...), s...)
	j.done = to
}

func (j *jsonText) walk() {
	for i := 0; i < len(j.in); {
		if j.in[i] != '"' {
			i++
			continue
		}
		end := stringEnd(j.in, i)
		colon := skipBlanks(j.in, end)
		if colon >= len(j.in) || j.in[colon] != ':' {
			j.text(i, end)
			i = end
			continue
		}
		value := skipBlanks(j.in, colon+1)
		name := plain(j.in[i:end])
		i = value
		if v := judge(name); v != harmless && !envelope(v, j.in[value:]) {
			if to := valueEnd(j.in, value); refuses(v, string(bytes.TrimSpace(j.in[value:to]))) {
				j.replace(value, to, `"`+redacted+`"`)
				i = to
			}
		}
	}
}

// envelope reports whether the value of a body is the typed value of OTLP, which contains a log line and not a body.
func envelope(v verdict, value []byte) bool {
	return v == body && regexpTyped.Match(value)
}

var regexpTyped = regexp.MustCompile(`^\{\s*"(stringValue|string_value|kvlistValue|kvlist_value)"\s*:`)

// text replaces the string in[from:to] if its content contains a secret.
func (j *jsonText) text(from, to int) {
	s := plain(j.in[from:to])
	var out string
	if t := strings.TrimSpace(s); strings.HasPrefix(t, "{") || strings.HasPrefix(t, "[") {
		out = string(record([]byte(s), j.depth+1))
	} else {
		out = line(s)
	}
	if out == s {
		return
	}
	quoted, err := json.Marshal(out)
	if err != nil {
		quoted = []byte(`"` + redacted + `"`)
	}
	j.replace(from, to, string(quoted))
}

// plain returns the content of a JSON string with its quotes; a string that is cut or broken is returned as it is written.
func plain(quoted []byte) string {
	var s string
	if json.Unmarshal(quoted, &s) == nil {
		return s
	}
	return strings.Trim(string(quoted), `"`)
}

// stringEnd returns the index after the string that begins at i.
func stringEnd(b []byte, i int) int {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

func skipBlanks(b []byte, i int) int {
	for i < len(b) && isBlank(b[i]) {
		i++
	}
	return i
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

// valueEnd returns the index after the JSON value that begins at i. A value that is cut extends to the end.
func valueEnd(b []byte, i int) int {
	depth := 0
	for ; i < len(b); i++ {
		switch b[i] {
		case '"':
			if i = stringEnd(b, i) - 1; depth == 0 {
				return min(i+1, len(b))
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth <= 0 {
				if depth < 0 {
					return i
				}
				return i + 1
			}
		case ',':
			if depth == 0 {
				return i
			}
		}
	}
	return len(b)
}

// binary replaces secrets in the printable parts of a binary record. A part after one that is the name of a secret is its value.
func binary(b []byte, depth int) []byte {
	var out []byte
	done, named := 0, false
	for i := 0; i < len(b); {
		if !printableByte(b[i]) {
			i++
			continue
		}
		from := i
		for i < len(b) && printableByte(b[i]) {
			i++
		}
		if i-from < 4 {
			continue
		}
		part := string(b[from:i])
		clean := line(part)
		if strings.ContainsAny(part, "{[") && utf8.ValidString(part) {
			clean = string(record([]byte(part), depth+1))
		}
		if named {
			clean = redacted
		}
		named = clean == part && len(part) <= 128 && !strings.Contains(part, " ") && judge(part) == secret
		if clean != part {
			out = append(append(out, b[done:from]...), clean...)
			done = i
		}
	}
	if out == nil {
		return b
	}
	return append(out, b[done:]...)
}

// printableByte reports whether a byte may be part of a text; those above 0x7f are parts of characters.
func printableByte(c byte) bool { return c >= ' ' && c != 0x7f }
