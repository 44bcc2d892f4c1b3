package identity

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"flyball/schema"
)

// CanonicalMethod returns the method as ingest stores it: in upper case, or OtherMethod when
// it is not a word of letters.
func CanonicalMethod(s string) string {
	if s == "" || len(s) > 20 {
		return schema.OtherMethod
	}
	lower := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z':
			lower = true
		case c < 'A' || c > 'Z':
			return schema.OtherMethod
		}
	}
	if lower {
		return strings.ToUpper(s)
	}
	return s
}

// canonicalPath returns one form for all spellings of a request target: without scheme,
// authority, query and fragment, with escapes decoded once, repeated slashes merged, and valid
// UTF-8. It is used to compare the path that a gateway sends to the check with the path that
// it logs for the same request. It is not used to decide what a path means.
func canonicalPath(s string) string {
	s, plain := cutTarget(withoutAuthority(s))
	if s == "" {
		return "/"
	}
	if plain {
		return s
	}
	if u, err := url.PathUnescape(s); err == nil {
		s = u
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	for strings.Contains(s, "//") {
		s = strings.ReplaceAll(s, "//", "/")
	}
	return s
}

// withoutAuthority removes the scheme and the authority from a target in absolute form.
func withoutAuthority(s string) string {
	i := strings.Index(s, "://")
	if i <= 0 || i >= 12 || s[0] == '/' {
		return s
	}
	s = s[i+3:]
	if end := strings.IndexAny(s, "/?#"); end >= 0 {
		return s[end:]
	}
	return "/"
}

// cutTarget returns a target without its query and fragment. plain reports whether the result
// is already canonical.
func cutTarget(s string) (path string, plain bool) {
	plain = true
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '?' || c == '#':
			return s[:i], plain
		case c == '%' || c >= utf8.RuneSelf || c < ' ' || c == '/' && i > 0 && s[i-1] == '/':
			plain = false
		}
	}
	return s, plain
}
