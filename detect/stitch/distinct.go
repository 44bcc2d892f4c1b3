package stitch

import (
	"math"
	"slices"
)

// Distinct counts distinct 64-bit hashes in bounded memory: exactly up to a
// size, by the k-minimum-values estimate (k-1)/U(k) beyond it (Bar-Yossef et
// al. 2002; relative standard error about 1/sqrt(k-2)).
type Distinct struct {
	min  []uint64 // the smallest hashes seen, ascending
	full bool     // hashes were dropped: Count is an estimate
}

// Add adds a hash. size is how many hashes are kept; it is the same at every call.
func (d *Distinct) Add(h uint64, size int) {
	if d.full && h >= d.min[len(d.min)-1] {
		return
	}
	at, known := slices.BinarySearch(d.min, h)
	if known {
		return
	}
	if len(d.min) < size {
		d.min = slices.Insert(d.min, at, h)
		return
	}
	d.full = true
	if at == len(d.min) {
		return
	}
	copy(d.min[at+1:], d.min[at:len(d.min)-1])
	d.min[at] = h
}

// Count returns the number of distinct hashes, or its estimate.
func (d *Distinct) Count() uint32 {
	if !d.full {
		return uint32(len(d.min))
	}
	u := float64(d.min[len(d.min)-1]) / math.MaxUint64
	return uint32(math.Min(float64(len(d.min)-1)/u, math.MaxUint32))
}
