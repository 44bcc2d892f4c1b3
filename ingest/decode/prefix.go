package decode

import (
	"cmp"
	"strings"

	"flyball/ingest/fields"
)

// maxLine is the maximum length, in bytes, of a line whose prefix is looked for.
const maxLine = 8 << 10

// withoutPrefix reads a line behind what a tool wrote before it, and reports whether there was such a line: the pod and container of
// kubectl, stern and docker compose, a timestamp of `kubectl logs --timestamps`, or the header of syslog.
func (dec lineReader) withoutPrefix(text string, line []byte, depth int) bool {
	if depth >= maxNested || text == "" || len(text) > maxLine {
		return false
	}
	for _, p := range prefixes(text) {
		rest := text[p.end:]
		switch {
		case rest == "":
			continue
		case rest[0] == '{':
			if b := []byte(rest); !oneObject(b) {
				continue
			}
		case !dec.matches(rest):
			continue
		}
		shipped := dec.shipped
		dec.shipped = cmp.Or(p.at, shipped)
		ok := dec.attempt(func() {
			if rest[0] == '{' {
				dec.json().documents([]byte(rest), depth+1)
			} else {
				dec.read(rest, line)
			}
		})
		dec.shipped = shipped
		if ok {
			return true
		}
	}
	return false
}

// oneObject reports whether b is one JSON object and nothing else.
func oneObject(b []byte) bool {
	_, end, err := fields.Scan(b, 0, 0)
	return err == nil && fields.Space(b, end) == len(b)
}

// linePrefix is a part of a line that a tool may have written before it, and the time in it.
type linePrefix struct {
	end int
	at  string
}

// maxPrefix is the maximum length of a prefix in bytes.
const maxPrefix = 320

// prefixes returns where a line may begin behind a prefix, the most specific first; at most eight.
func prefixes(s string) (out []linePrefix) {
	add := func(rest, at string) {
		if end := len(s) - len(rest); end > 0 && end <= maxPrefix && len(out) < 8 {
			out = append(out, linePrefix{end, at})
		}
	}
	if strings.HasPrefix(s, "[pod/") || strings.HasPrefix(s, "[container/") { // kubectl logs --prefix
		if i := strings.Index(s, "] "); i > 0 {
			add(s[i+2:], "")
			at, rest, ok := strings.Cut(s[i+2:], " ")
			if ok && isTimestamp(at) {
				add(rest, at)
			}
		}
	}
	if i := strings.Index(s, "| "); i > 0 && i <= 80 && isWord(strings.TrimRight(s[:i], " ")) { // docker compose logs
		add(s[i+2:], "")
	}
	rest, at := syslogHeader(s)
	if rest != s {
		add(strings.TrimLeft(rest, " "), at)
		add(strings.TrimLeft(strings.TrimPrefix(strings.TrimLeft(rest, " "), "@cee:"), " "), at)
	}
	// Words before the line: a timestamp, a pod and a container.
	rest = s
	for range 3 {
		word, after, ok := strings.Cut(rest, " ")
		if !ok || !isWord(strings.Trim(word, "[]")) {
			break
		}
		if rest = strings.TrimLeft(after, " "); isTimestamp(word) {
			at = word
		}
		add(rest, at)
	}
	if i := strings.Index(s[:min(len(s), maxPrefix)], `{"`); i > 0 { // any text before an object
		add(s[i:], at)
	}
	return out
}

// isWord reports whether s can be the name of a pod or of a host, an address or a timestamp.
func isWord(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '.' && c != '-' && c != '_' && c != '/' && c != ':' && c != ',' &&
			c != '+' {
			return false
		}
	}
	return s != "" && len(s) <= 253
}

func isTimestamp(s string) bool {
	return len(s) >= 20 && len(s) <= 35 && s[4] == '-' && s[7] == '-' && s[10] == 'T' && s[13] == ':'
}

// syslogHeader removes the header of a syslog message: RFC 5424, RFC 3164, or the form that files have. It returns s if there is none.
func syslogHeader(s string) (rest, at string) {
	rest = s
	if strings.HasPrefix(rest, "<") {
		i := strings.IndexByte(rest, '>')
		if _, ok := number(rest[1:max(i, 1)]); !ok || i > 4 {
			return s, ""
		}
		rest = rest[i+1:]
	}
	if v, ok := strings.CutPrefix(rest, "1 "); ok {
		return syslog5424(s, v)
	}
	if len(rest) > 16 && rest[3] == ' ' && rest[6] == ' ' && rest[9] == ':' && rest[15] == ' ' { // Nov 30 02:17:46
		rest = rest[16:]
	} else if word, after, ok := strings.Cut(rest, " "); ok && isTimestamp(word) {
		rest, at = after, word
	} else {
		return s, ""
	}
	host, after, ok := strings.Cut(rest, " ")
	if !ok {
		return s, ""
	}
	if strings.HasSuffix(host, ":") { // without a host
		return after, at
	}
	tag, after, ok := strings.Cut(after, " ")
	if !ok || !strings.HasSuffix(tag, ":") {
		return s, ""
	}
	return after, at
}

// syslog5424 removes time, host, program, process, kind and structured data from a message whose version was removed.
func syslog5424(s, rest string) (string, string) {
	at := ""
	for i := range 5 {
		word, after, ok := strings.Cut(rest, " ")
		if !ok {
			return s, ""
		}
		if i == 0 {
			at = fields.Present(word)
		}
		rest = after
	}
	if after, ok := strings.CutPrefix(rest, "- "); ok {
		return after, at
	}
	for strings.HasPrefix(rest, "[") {
		end := strings.IndexByte(rest, ']')
		for end > 0 && rest[end-1] == '\\' {
			next := strings.IndexByte(rest[end+1:], ']')
			if next < 0 {
				return s, ""
			}
			end += next + 1
		}
		if end < 0 {
			return s, ""
		}
		rest = rest[end+1:]
	}
	return strings.TrimPrefix(strings.TrimLeft(rest, " "), "\ufeff"), at
}
