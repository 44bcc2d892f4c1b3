package schema

import (
	"strings"
	"testing"

	"github.com/cespare/xxhash/v2"
)

// The hash is stored: it is that of the texts with a zero byte between them, whatever their length.
func TestHashOfALongTextIsAnother(t *testing.T) {
	for n := range 3 * len(TextBuffer{}) {
		a, b := strings.Repeat("a", n/2), strings.Repeat("b", n-n/2)
		if got, want := HashStrings(a, b), xxhash.Sum64String(a+"\x00"+b); got != want {
			t.Fatalf("%d bytes: %x, want %x", n, got, want)
		}
	}
}
