package redact

import (
	"encoding/hex"
	"regexp"
	"strings"
)

var (
	// vendorKey matches the key formats of known vendors.
	vendorKey = regexp.MustCompile(`\b[sprk]k[-_][A-Za-z0-9_-]{12,}|\bgh[pousr]_[A-Za-z0-9]{16,}|\bgithub_pat_\w{16,}|\bglpat-[\w-]{16,}|` +
		`\bxox[abeprs]-[A-Za-z0-9-]{10,}|\bAIza[\w-]{30,}|\bA[KS]IA[0-9A-Za-z]{16,}`)
	// scheme matches the value of an Authorization header.
	scheme = regexp.MustCompile(`(?i)\b(bearer|basic|dpop|negotiate)(\s|%20|\+)+[A-Za-z0-9._~+/=%-]{6,}`)
	// named matches a secret that follows its name.
	named = regexp.MustCompile(`(?i)([\w.-]*(?:token|secret|passw(?:or)?d|passphrase|pwd|api[-_]?key|access[-_]?key|private[-_]?key|signature|` +
		`\bsig|authorization|cookie|session[-_]?id|credential)["']?\s?(?:=|:|%3d)\s?["']?)([^\s&"',;]+)`)
	// parameter matches the same in a path, where a colon does not separate name and value.
	parameter = regexp.MustCompile(`(?i)([\w.-]*(?:token|secret|passw(?:or)?d|passphrase|pwd|api[-_]?key|access[-_]?key|private[-_]?key|signature|` +
		`\bsig|session[-_]?id|credential)(?:=|%3d))([^/;&]+)`)
	// userinfo matches the user and password before the host of a URL.
	userinfo = regexp.MustCompile(`://[^/\s@?#]+@`)
	// query matches a URL query in a text. Its values are not kept.
	query    = regexp.MustCompile(`\?[^\s"'?]*=[^\s"']*`)
	pemBlock = regexp.MustCompile(`-----BEGIN [A-Z ]+-----[^-]*(-----END [A-Z ]+-----)?`)
)

// Marks are the kinds of secret that a string may contain. Only the patterns of the marks that were found are applied.
const (
	markToken = 1 << iota
	markVendor
	markScheme
	markNamed
	markUser
	markQuery
	markPEM
)

// Text returns s without the secrets that have a known form. For a string without marks it needs one pass over the bytes and returns s
// unchanged.
func Text(s string) string {
	m := marks(s)
	if m == 0 {
		return s
	}
	if m&markToken != 0 {
		s = tokens(s)
	}
	if m&markPEM != 0 {
		s = pemBlock.ReplaceAllString(s, redacted)
	}
	if m&markQuery != 0 {
		s = query.ReplaceAllString(s, "?"+redacted)
	}
	if m&markUser != 0 {
		s = userinfo.ReplaceAllString(s, "://"+redacted+"@")
	}
	if m&markScheme != 0 {
		s = scheme.ReplaceAllString(s, redacted)
	}
	if m&markVendor != 0 {
		s = vendorKey.ReplaceAllString(s, redacted)
	}
	if m&markNamed != 0 {
		s = named.ReplaceAllString(s, "${1}"+redacted)
	}
	return s
}

// Path returns a path without secrets. It removes the parameters of path segments (;jsessionid=…): like the values of a query, they are
// not kept.
func Path(s string) string {
	for {
		at := strings.IndexByte(s, ';')
		if at < 0 {
			break
		}
		end := strings.IndexByte(s[at:], '/')
		if end < 0 {
			s = s[:at]
			break
		}
		s = s[:at] + s[at+end:]
	}
	if strings.IndexByte(s, '%') >= 0 {
		s = escaped(s)
	}
	if strings.Contains(s, "://") { // a path that contains a URL
		s = userinfo.ReplaceAllString(s, "://"+redacted+"@")
	}
	if marks(s) == 0 {
		return s
	}
	return forms(s)
}

// forms returns a path without the secrets that have a known form.
func forms(s string) string {
	s = vendorKey.ReplaceAllString(scheme.ReplaceAllString(tokens(s), redacted), redacted)
	return parameter.ReplaceAllString(s, "${1}"+redacted)
}

// escaped replaces the segments of a path that contain a secret after percent-decoding: sk%5Flive%5F… is the same key as sk_live_….
func escaped(s string) string {
	segs := strings.Split(s, "/")
	for i, plain := range segs {
		for range maxEscapes {
			undone := unescape(plain)
			if undone == plain {
				break
			}
			plain = undone
			if marks(plain) != 0 && (forms(plain) != plain || userinfo.MatchString(plain) || query.MatchString(plain)) {
				segs[i] = redacted
				break
			}
		}
	}
	return strings.Join(segs, "/")
}

// maxEscapes is how many times a segment is percent-decoded, because an escape may itself be escaped.
const maxEscapes = 3

// unescape decodes the complete percent escapes of s and leaves malformed ones unchanged: a malformed escape must not prevent the
// decoding of the others.
func unescape(s string) string {
	if strings.IndexByte(s, '%') < 0 {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if b, err := hex.DecodeString(s[i+1 : i+3]); err == nil {
				out = append(out, b[0])
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return string(out)
}

// Suspicious reports whether Text might change s. It is cheap. If it returns false, Text returns s unchanged.
func Suspicious(s string) bool { return marks(s) != 0 }

// marks returns the kinds of secret that s may contain. It looks closer only at the bytes in markBytes.
func marks(s string) (m uint8) {
	for i := 0; i < len(s); i++ {
		if markBytes[s[i]] {
			m |= marksAt(s, i)
		}
	}
	return m
}

// marksAt returns the kinds of secret that the byte at i, one of markBytes, may belong to.
func marksAt(s string, i int) uint8 {
	switch s[i] {
	case '-', '_':
		return dashMarks(s, i)
	case '=', ':':
		if nameEnd(s[:i]) {
			return markNamed
		}
	case ' ', '\t', '\n', '\r', '\f', '\v', '+':
		if i >= 4 && schemeEnd(s[i-4:i]) {
			return markScheme
		}
	case '%':
		return escapeMarks(s, i)
	case '?':
		if strings.IndexByte(s[i:], '=') > 0 {
			return markQuery
		}
	case '@':
		if strings.Contains(s[:i], "://") {
			return markUser
		}
	case 'I', 'J':
		return letterMarks(s, i)
	}
	return 0
}

// letterMarks returns the marks of a capital letter at i: the beginning of a JSON web token or of a Google or AWS key.
func letterMarks(s string, i int) uint8 {
	switch {
	case s[i] == 'J' && i >= 2 && s[i-1] == 'y' && s[i-2] == 'e':
		return markToken
	case s[i] == 'I' && i >= 1 && (s[i-1] == 'A' || s[i-1] == 'K' || s[i-1] == 'S'):
		return markVendor
	}
	return 0
}

// dashMarks returns the marks of a '-' or '_' at i: the prefix of a vendor's key or the beginning of PEM.
func dashMarks(s string, i int) (m uint8) {
	if i >= 2 && vendorMark(s[i-2], s[i-1]) || i >= 4 && s[i-4:i-1] == "xox" || i >= 3 && s[i-3:i-1] == "gh" {
		m = markVendor
	}
	if i >= 4 && s[i-4:i] == "----" {
		m |= markPEM
	}
	return m
}

// escapeMarks returns the marks of a '%' at i: an escaped space or an escaped equals sign.
func escapeMarks(s string, i int) (m uint8) {
	if i >= 4 && schemeEnd(s[i-4:i]) {
		m = markScheme
	}
	if i+2 < len(s) && s[i+1] == '3' && s[i+2]|0x20 == 'd' && nameEnd(s[:i]) {
		m |= markNamed
	}
	return m
}

// markBytes are the bytes that may be a sign of a secret.
var markBytes = func() (t [256]bool) {
	for _, c := range []byte("JI-_?@ \t\n\r\f\v+%=:") {
		t[c] = true
	}
	return t
}()

// vendorMark reports whether a and b end one of the prefixes sk-, pk_, rk-, github_pat_ or glpat- (without the separator).
func vendorMark(a, b byte) bool {
	return b == 'k' && (a == 's' || a == 'p' || a == 'r' || a == 'k') || a == 'a' && b == 't'
}

// schemeEnd reports whether s, four bytes, ends as bearer, basic, dpop or negotiate does. It does not look at the s of basic: the pattern
// accepts the long s of Unicode for it, which has two bytes.
func schemeEnd(s string) bool {
	switch a, b := s[2]|0x20, s[3]|0x20; {
	case a == 'i' && b == 'c':
		return true
	case a == 'e' && b == 'r':
		return s[0]|0x20 == 'a' && s[1]|0x20 == 'r'
	case a == 'o' && b == 'p':
		return s[0]|0x20 == 'd' && s[1]|0x20 == 'p'
	case a == 't' && b == 'e':
		return s[0]|0x20 == 'i' && s[1]|0x20 == 'a'
	}
	return false
}

// nameEnd reports whether s ends with the last letters of a name in named.
func nameEnd(s string) bool {
	s = strings.TrimRight(s, "\"' \t")
	if len(s) < 3 {
		return false
	}
	a, b, c := s[len(s)-3]|0x20, s[len(s)-2]|0x20, s[len(s)-1]|0x20
	switch string([]byte{a, b, c}) {
	case "ken", "ret", "ord", "swd", "ase", "pwd", "key", "ure", "sig", "ion", "kie", "nid", "ial":
		return true
	case "\x7fid", "-id", "_id": // session_id and session-id; 0x7f is '_' with the bit of lower case
		return true
	}
	return false
}

// tokens replaces parts of s that look like a JSON web token: base64url text that starts with an encoded JSON object, together with the
// parts after it.
func tokens(s string) string {
	var out strings.Builder
	from := 0
	for i := 0; ; {
		at := strings.Index(s[i:], "eyJ")
		if at < 0 {
			break
		}
		at += i
		end, dots := at, 0
		for end < len(s) && (isToken(s[end]) || s[end] == '.' || s[end] == '=') {
			if s[end] == '.' {
				dots++
			}
			end++
		}
		// Without dots it is a part of a token, unless it is in the middle of a word.
		if end-at >= 16 && (dots >= 2 || at == 0 || !isWord(s[at-1])) {
			out.WriteString(s[from:at])
			out.WriteString(redacted)
			from = end
		}
		i = max(end, at+3)
	}
	if from == 0 {
		return s
	}
	out.WriteString(s[from:])
	return out.String()
}

// Token returns the first text in s that begins as a JSON web token does. ok reports whether it has all three parts.
func Token(s string) (string, bool) {
	at := strings.Index(s, "eyJ")
	if at < 0 {
		return "", false
	}
	end, dots := at, 0
	for end < len(s) && (isToken(s[end]) || s[end] == '.') {
		if s[end] == '.' {
			dots++
		}
		end++
	}
	return s[at:end], dots == 2
}

func isToken(c byte) bool { return isWord(c) || c == '_' || c == '-' }

func isWord(c byte) bool { return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }

// IsAWSKeyID reports whether s is the id of an AWS access key. The id is not a secret; other strings with the same prefix may be.
func IsAWSKeyID(s string) bool {
	if len(s) < 16 || len(s) > 24 || !strings.HasPrefix(s, "AKIA") && !strings.HasPrefix(s, "ASIA") {
		return false
	}
	for i := 0; i < len(s); i++ {
		if (s[i] < 'A' || s[i] > 'Z') && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return true
}
