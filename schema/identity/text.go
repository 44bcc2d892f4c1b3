package identity

import (
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"flyball/schema"
)

// id returns s trimmed when it is valid as an identifier: valid UTF-8, without control
// characters, at most MaxID bytes, not "-" and not "null". Otherwise it returns an empty
// string. ASCII text needs no UTF-8 validation.
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

// clean returns s trimmed, as valid UTF-8, cut to maxBytes at a rune boundary.
func clean(s string, maxBytes int) string {
	s = strings.TrimSpace(s)
	return schema.Cut(strings.ToValidUTF8(s, "\uFFFD"), maxBytes)
}

func hasWord(list, word string) bool {
	return slices.Contains(strings.Fields(list), word)
}

// signatureHost returns the host of a Signature-Agent value: a string, or the first member of
// a dictionary.
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
