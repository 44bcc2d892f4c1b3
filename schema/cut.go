package schema

import "unicode/utf8"

// Cut returns s, or its beginning of at most maxBytes bytes that does not end within a rune. It is for texts that a client chose.
func Cut(s string, maxBytes int) string {
	if len(s) <= maxBytes {
		return s
	}
	for maxBytes > 0 && !utf8.RuneStart(s[maxBytes]) {
		maxBytes--
	}
	return s[:maxBytes]
}
