package baseline

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/bits-and-blooms/bloom/v3"
)

// KnownResources holds the resources that runs named, by peer group, in Bloom filters. A
// new resource can look known (about 1 % with 6,500 known resources); a known one never looks new.
type KnownResources struct {
	Groups map[string]*bloom.BloomFilter `json:"groups"`
	Runs   map[string]float64            `json:"runs"` // number of runs that named any resource

	seen map[string]map[uint64]struct{} // nil after finish
}

// Size of a group's filter: ten bits for each resource, and 64 bytes to 8 KiB in all. When more than half of the bits of
// the largest filter are set, the runs of the group always name new resources, and a new resource is not evidence.
const (
	minFilterBits   = 1 << 9
	maxFilterBits   = 1 << 16
	bitsPerResource = 10
	filterHashes    = 4
	// maxSeenResources is the maximum number of counted resources of a group. With as many, its filter is more than half
	// full.
	maxSeenResources = 1 << 14
)

// UnmarshalJSON decodes the filters. It returns an error for a filter with a size that finish does not make, because
// such a filter could cause a division by zero or a very large allocation.
func (k *KnownResources) UnmarshalJSON(b []byte) error {
	var raw struct {
		Groups map[string]json.RawMessage `json:"groups"`
		Runs   map[string]float64         `json:"runs"`
	}
	if err := json.Unmarshal(b, &raw); err != nil {
		return err
	}
	*k = KnownResources{Groups: make(map[string]*bloom.BloomFilter, len(raw.Groups)), Runs: raw.Runs}
	for group, text := range raw.Groups {
		var shape struct {
			M    uint   `json:"m"`
			K    uint   `json:"k"`
			Bits string `json:"b"`
		}
		if err := json.Unmarshal(text, &shape); err != nil {
			return err
		}
		bits, err := base64.URLEncoding.DecodeString(shape.Bits)
		if m := shape.M; err != nil || m < minFilterBits || m > maxFilterBits || m&(m-1) != 0 || shape.K != filterHashes ||
			len(bits) != 8+int(m)/8 ||
			binary.BigEndian.Uint64(bits) != uint64(m) {
			return fmt.Errorf(
				"known resources of group %q: a filter of %d bits and %d hashes in %d bytes, want a power of two from %d to %d, %d hashes and as "+
					"many bits",
				group,
				m,
				shape.K,
				len(bits),
				minFilterBits,
				maxFilterBits,
				filterHashes,
			)
		}
		f := new(bloom.BloomFilter)
		if err := json.Unmarshal(text, f); err != nil {
			return fmt.Errorf("known resources of group %q: %w", group, err)
		}
		k.Groups[group] = f
	}
	return nil
}

func newKnownResources() KnownResources {
	return KnownResources{Groups: map[string]*bloom.BloomFilter{}, Runs: map[string]float64{}, seen: map[string]map[uint64]struct{}{}}
}

// add counts the resources of a run (feature.ResourceHash). They are known only after
// finish. add must not be called after finish.
func (k *KnownResources) add(group string, resources []uint64) {
	if len(resources) == 0 {
		return
	}
	of := k.seen[group]
	if of == nil {
		of = map[uint64]struct{}{}
		k.seen[group] = of
	}
	k.Runs[group]++
	for _, r := range resources {
		if len(of) == maxSeenResources {
			return
		}
		of[r] = struct{}{}
	}
}

// finish makes the filters, each with the smallest sufficient size.
func (k *KnownResources) finish() {
	for group, of := range k.seen {
		m := uint(minFilterBits)
		for m < maxFilterBits && m < bitsPerResource*uint(len(of)) {
			m *= 2
		}
		f := bloom.New(m, filterHashes)
		for r := range of {
			var key [8]byte
			binary.LittleEndian.PutUint64(key[:], r)
			f.Add(key[:])
		}
		k.Groups[group] = f
	}
	k.seen = nil
}

// Saturated reports whether a group named too many resources for a new one to be evidence.
func (k *KnownResources) Saturated(group string) bool {
	f := k.Groups[group]
	return f != nil && f.BitSet().Count() > maxFilterBits/2
}

// IsNew reports whether no run of the group has named the resource. It is false for a group without
// known resources.
func (k *KnownResources) IsNew(group string, resource uint64) bool {
	f := k.Groups[group]
	if f == nil {
		return false
	}
	var key [8]byte
	binary.LittleEndian.PutUint64(key[:], resource)
	return !f.Test(key[:])
}
