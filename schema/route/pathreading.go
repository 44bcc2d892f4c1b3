package route

import "strings"

// Limits of what is read of one request.
const (
	// maxReadings is the maximum number of readings of one path.
	maxReadings = 6
	// MaxReadable is the maximum length of a path that is read, in bytes.
	MaxReadable = 8 << 10
	// maxDecodings is the maximum number of times that nested escapes are decoded.
	maxDecodings = 3
	// maxOverrides is the maximum number of other methods that one request may name.
	maxOverrides = 3
	// maxCombined is the maximum number of readings of a request by its path, its method and
	// its body together.
	maxCombined = 32
)

// pathReading is one way in which a server may read a path.
type pathReading struct {
	Path string
	// Ambiguous marks a reading that ordinary clients have no reason to request: encoded
	// separators, nested escapes, backslashes, parameters of dot segments.
	Ambiguous bool
}

// readPath returns the ways in which servers may read a path. The first reading follows RFC
// 3986: escapes of unreserved characters are decoded, dot segments and empty segments are
// removed; this reading is displayed. The others are readings of known servers. The list is
// nil when the path itself is its only reading. readable is false when the path is too long or
// has more than maxReadings readings; the list is then incomplete and must not be trusted.
func readPath(path string) (list []pathReading, readable bool) {
	if plainPath(path) {
		return nil, true
	}
	if len(path) > MaxReadable {
		first := resolve(canonical(withoutOrigin(path)))
		return []pathReading{{Path: first[:min(len(first), MaxReadable)]}}, false
	}
	path = withoutOrigin(path)
	readable = true
	add := func(p string, ambiguous bool) {
		for i := range list {
			if list[i].Path == p {
				return
			}
		}
		if len(list) >= maxReadings {
			readable = false
			return
		}
		list = append(list, pathReading{p, ambiguous})
	}
	addLiteral := func(decoded string) {
		add(literal(decoded), true)
		add(literal(strings.TrimRight(withoutQuery(decoded), blanks)), true)
		add(literal(withoutTrailingBlanks(decoded)), true) // Windows removes blanks at the end of a name
	}
	shown := canonical(path)
	add(resolve(shown), false)
	add(collapse(shown), false) // a server that keeps dot segments
	if strings.Contains(shown, "..;") || strings.Contains(shown, ".;") {
		add(resolve(withoutParameters(shown)), true)
	}
	if strings.Contains(shown, "/;") { // a segment that consists of parameters only
		add(resolve(strings.ReplaceAll(shown, ";", "%3B")), false)
	}
	withParameters := strings.IndexByte(shown, ';') >= 0
	for decoded, cut, more, n := shown, withoutParameters(shown), true, 0; more; n++ {
		if n >= maxDecodings {
			return list, false
		}
		if decoded, more = decodedOnce(decoded); decoded == shown {
			break
		}
		if withParameters { // a parameter may hold an encoded separator: cut before that is decoded
			cut, _ = decodedOnce(cut)
			addLiteral(cut)
		}
		addLiteral(decoded)
		if strings.IndexByte(decoded, '\\') >= 0 {
			addLiteral(strings.ReplaceAll(decoded, "\\", "/"))
		}
		if strings.IndexByte(decoded, ';') >= 0 {
			addLiteral(withoutParameters(decoded))
		}
	}
	return list, readable
}

// plainPath reports whether a path has only one reading.
func plainPath(path string) bool {
	if len(path) > MaxReadable {
		return false
	}
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c > '\\' && c < 0x7f, c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c == '-':
		case c == '.':
			if i == 0 || path[i-1] == '/' {
				return false
			}
		case c == '/', c >= 0x80:
		case c == '%', c == '\\', c <= ' ', c == ';', c == 0x7f:
			return false
		}
	}
	return true
}

// Shortened returns a path of at most maxBytes bytes as it is, and a longer one without the segments that servers remove. It can still be
// longer. A client that fills a path with them must not push the rest of it behind the length that is kept.
func Shortened(path string, maxBytes int) string {
	if len(path) <= maxBytes {
		return path
	}
	path = withoutOrigin(path)
	if plain := resolve(canonical(path)); len(plain) <= maxBytes {
		return plain
	}
	return resolve(path)
}

// withoutOrigin removes scheme, host, query and fragment from a request target. A URL inside a path is part of the path:
// /proxy/http://h/x is not /x.
func withoutOrigin(path string) string {
	if i := strings.Index(path, "://"); i > 0 && i < 12 && !strings.ContainsAny(path[:i], "/?#;") {
		path = path[i+3:]
		if j := strings.IndexByte(path, '/'); j >= 0 {
			path = path[j:]
		} else {
			path = ""
		}
	}
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		path = path[:i]
	}
	return path
}

// canonical returns one spelling of a path: characters that need no escape are written
// plainly, all others as an escape. An encoded separator stays encoded.
func canonical(path string) string {
	var b strings.Builder
	b.Grow(len(path) + 8)
	for i := 0; i < len(path); i++ {
		c, ok := escape(path, i)
		switch {
		case ok:
			i += 2
			spell(&b, c)
		case path[i] == '/' || path[i] == ';':
			b.WriteByte(path[i])
		default:
			spell(&b, path[i])
		}
	}
	return b.String()
}

// spell writes one byte of a segment, escaped if necessary.
func spell(b *strings.Builder, c byte) {
	if c <= ' ' || c >= 0x7f || c == '/' || c == '\\' || c == '%' || c == ';' || c == '?' || c == '#' {
		b.WriteByte('%')
		b.WriteByte("0123456789ABCDEF"[c>>4])
		b.WriteByte("0123456789ABCDEF"[c&15])
		return
	}
	b.WriteByte(c)
}

// escape decodes the percent-escape at i. ok is false when there is none.
func escape(s string, i int) (byte, bool) {
	if s[i] != '%' || i+2 >= len(s) {
		return 0, false
	}
	high, ok := hexDigit(s[i+1])
	low, ok2 := hexDigit(s[i+2])
	return high<<4 | low, ok && ok2
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	}
	return 0, false
}

// resolve removes dot segments and empty segments.
func resolve(path string) string {
	var arena [24]string
	out := arena[:0]
	for seg := range strings.SplitSeq(path, "/") {
		switch seg {
		case "", ".":
		case "..":
			out = out[:max(len(out)-1, 0)]
		default:
			out = append(out, seg)
		}
	}
	return "/" + strings.Join(out, "/")
}

// collapse removes empty segments only.
func collapse(path string) string {
	var arena [24]string
	out := arena[:0]
	for seg := range strings.SplitSeq(path, "/") {
		if seg != "" {
			out = append(out, seg)
		}
	}
	return "/" + strings.Join(out, "/")
}

// withoutParameters cuts each segment at its first semicolon.
func withoutParameters(path string) string {
	if strings.IndexByte(path, ';') < 0 {
		return path
	}
	segs := strings.Split(path, "/")
	for i, s := range segs {
		segs[i], _, _ = strings.Cut(s, ";")
	}
	return strings.Join(segs, "/")
}

// overlong replaces byte sequences that UTF-8 forbids and some decoders accept.
var overlong = strings.NewReplacer("\xc0\xaf", "/", "\xc0\xae", ".", "\xc1\x9c", "\\")

// decodedOnce decodes every escape of a path. more reports whether the result still contains
// an escape.
func decodedOnce(path string) (out string, more bool) {
	if strings.IndexByte(path, '%') < 0 {
		return path, false
	}
	var b strings.Builder
	b.Grow(len(path))
	for i := 0; i < len(path); i++ {
		c, ok := escape(path, i)
		if !ok {
			c = path[i]
		} else {
			i += 2
		}
		b.WriteByte(c)
	}
	out = b.String()
	if strings.IndexByte(out, 0xc0) >= 0 || strings.IndexByte(out, 0xc1) >= 0 {
		out = overlong.Replace(out)
	}
	for i := strings.IndexByte(out, '%'); i >= 0 && i < len(out); i++ {
		if _, ok := escape(out, i); ok {
			return out, true
		}
	}
	return out, false
}

// withoutQuery cuts a decoded path at a query, a fragment or a NUL byte.
func withoutQuery(decoded string) string {
	if i := strings.IndexAny(decoded, "?#\x00"); i >= 0 {
		return decoded[:i]
	}
	return decoded
}

const blanks = " \t\r\n\v\f"

// withoutTrailingBlanks removes white space at the end of each segment of a decoded path.
func withoutTrailingBlanks(decoded string) string {
	segs := strings.Split(withoutQuery(decoded), "/")
	for i, s := range segs {
		segs[i] = strings.TrimRight(s, blanks)
	}
	return strings.Join(segs, "/")
}

// literal returns a decoded path as a path with the same meaning: a decoded separator, query
// or NUL byte takes effect, and the remaining special characters are encoded again.
func literal(decoded string) string {
	resolved := resolve(withoutQuery(decoded))
	var b strings.Builder
	for i := 0; i < len(resolved); i++ {
		if c := resolved[i]; c == '/' {
			b.WriteByte(c)
		} else {
			spell(&b, c)
		}
	}
	return b.String()
}
