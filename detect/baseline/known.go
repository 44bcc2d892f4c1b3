package baseline

import (
	"encoding/binary"

	"github.com/bits-and-blooms/bloom/v3"
)

// Known are the resources that the runs of peer groups have named. It may take a
// new resource for a known one, of 6,500 known ones one in a hundred, and never a
// known one for new.
type Known struct {
	Groups map[string]*bloom.BloomFilter `json:"groups"`
	Runs   map[string]float64            `json:"runs"` // that named any
}

// Bits of a group's filter, 8 KiB, and hashes of a resource. Where more than half of
// the bits are set the group names ever new resources: that one is new says nothing.
const (
	knownBits   = 1 << 16
	knownHashes = 4
)

func newKnown() Known {
	return Known{Groups: map[string]*bloom.BloomFilter{}, Runs: map[string]float64{}}
}

// Add takes in the resources of a run (feature.ResourceHash).
func (k *Known) Add(group string, resources []uint64) {
	if len(resources) == 0 {
		return
	}
	f := k.Groups[group]
	if f == nil {
		f = bloom.New(knownBits, knownHashes)
		k.Groups[group] = f
	}
	k.Runs[group]++
	for _, r := range resources {
		var key [8]byte
		binary.LittleEndian.PutUint64(key[:], r)
		f.Add(key[:])
	}
}

// Saturated reports that a group names too many resources to tell new ones.
func (k *Known) Saturated(group string) bool {
	f := k.Groups[group]
	return f != nil && f.BitSet().Count() > knownBits/2
}

// New reports that no run of the group has named a resource. Of a group that never
// named any it says no.
func (k *Known) New(group string, resource uint64) bool {
	f := k.Groups[group]
	if f == nil {
		return false
	}
	var key [8]byte
	binary.LittleEndian.PutUint64(key[:], resource)
	return !f.Test(key[:])
}
