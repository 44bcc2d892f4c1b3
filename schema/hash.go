package schema

import (
	"encoding/binary"

	"github.com/cespare/xxhash/v2"
)

// HashStrings returns the XXH64 of two strings with a zero byte between them. The result is
// stored: the function must never change.
func HashStrings(a, b string) uint64 {
	var d xxhash.Digest
	d.Reset()
	_, _ = d.WriteString(a)
	_, _ = d.Write([]byte{0})
	_, _ = d.WriteString(b)
	return d.Sum64()
}

// HashNumbers returns the XXH64 of two numbers, as little-endian bytes. The result is stored:
// the function must never change.
func HashNumbers(a, b uint64) uint64 {
	var raw [16]byte
	binary.LittleEndian.PutUint64(raw[:8], a)
	binary.LittleEndian.PutUint64(raw[8:], b)
	return xxhash.Sum64(raw[:])
}
