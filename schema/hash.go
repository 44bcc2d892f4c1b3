package schema

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

// shortText is the length of texts that are hashed without an allocation. One pass over a copy takes less time than a digest of the parts.
const shortText = 192

// HashStrings returns the XXH64 of two strings with a zero byte between them. The result is
// stored: the function must never change.
func HashStrings(a, b string) uint64 {
	var raw [shortText]byte
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
