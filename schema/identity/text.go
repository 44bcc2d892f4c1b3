package identity

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"flyball/schema"
)

// id is a value fit to be an identifier: trimmed, valid UTF-8, without control
// characters, at maxBytes MaxID bytes; else empty. The usual value costs one pass.
func id(s string) string {
	s = strings.TrimSpace(s)
	if s == "" || s == "-" || len(s) > schema.MaxID || s == "null" {
		return ""
	}
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] == 0x7f {
			return ""
		}
		if s[i] >= utf8.RuneSelf {
			if !utf8.ValidString(s) {
				return ""
			}
			break
		}
	}
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] == 0x7f {
			return ""
		}
	}
	return s
}

// clean is free text, cut at a rune boundary.
func clean(s string, maxBytes int) string {
	s = strings.TrimSpace(s)
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) > maxBytes {
		for maxBytes > 0 && !utf8.RuneStart(s[maxBytes]) {
			maxBytes--
		}
		s = s[:maxBytes]
	}
	return s
}

func first(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

func hasWord(list, word string) bool {
	for _, w := range strings.Fields(list) {
		if w == word {
			return true
		}
	}
	return false
}

// signatureHost is the host of a Signature-Agent value: a bare string or the
// first member of a dictionary.
func signatureHost(v string) string {
	if v == "" {
		return ""
	}
	if _, after, ok := strings.Cut(v, "="); ok && !strings.HasPrefix(strings.TrimSpace(v), `"`) {
		v = after
	}
	v = strings.Trim(strings.TrimSpace(v), `"`)
	if u, err := url.Parse(v); err == nil && u.Host != "" {
		return strings.ToLower(u.Host)
	}
	return ""
}
