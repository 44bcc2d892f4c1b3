package identity

import (
	"net/url"
	"strings"
	"unicode/utf8"
)

// canonicalMethod is the method as logs are read: upper case, or _OTHER.
func canonicalMethod(s string) string {
	if s == "" || len(s) > 20 {
		return otherMethod
	}
	lower := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z':
			lower = true
		case c < 'A' || c > 'Z':
			return otherMethod
		}
	}
	if lower {
		return strings.ToUpper(s)
	}
	return s
}

const otherMethod = "_OTHER"

// canonicalPath is what is left of a request's target when all ways to write it down
// are made one: without scheme, authority, query and fragment, escapes undone once,
// repeated slashes made one, and valid UTF-8. It is for comparing what a gateway asks
// about with what it logs of the same request, not for deciding what a path means.
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

// withoutAuthority is a target without the scheme and the authority of its absolute form.
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

// cutTarget is a target up to its query or fragment; plain: it is canonical as it stands.
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
