package schema

import (
	"testing"
	"unicode/utf8"
)

func TestCutTextEndsWithinARune(t *testing.T) {
	const text = "ab€😀"
	for maxBytes := range len(text) + 2 {
		got := Cut(text, maxBytes)
		if !utf8.ValidString(got) || len(got) > maxBytes || got != text[:len(got)] {
			t.Errorf("%d bytes: %q", maxBytes, got)
		}
		if maxBytes >= len(text) && got != text {
			t.Errorf("%d bytes: %q is not the whole text", maxBytes, got)
		}
	}
}
