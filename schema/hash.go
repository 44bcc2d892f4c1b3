package schema

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

// TextBuffer is where a text is put together, mostly to be hashed: up to its length that needs no allocation. To hash a copy in one pass
// takes less time than a digest of the parts.
type TextBuffer [192]byte

// HashStrings returns the XXH64 of two strings with a zero byte between them. The result is
// stored: the function must never change.
func HashStrings(a, b string) uint64 {
	var raw TextBuffer
	return xxhash.Sum64(append(append(append(raw[:0], a...), 0), b...))
}

// HashNumbers returns the XXH64 of two numbers, as little-endian bytes. The result is stored:
// the function must never change.
func HashNumbers(a, b uint64) uint64 {
	var raw [16]byte
	binary.LittleEndian.PutUint64(raw[:8], a)
	binary.LittleEndian.PutUint64(raw[8:], b)
	return xxhash.Sum64(raw[:])
}
