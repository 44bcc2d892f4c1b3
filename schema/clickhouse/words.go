package clickhouse

import (
	"encoding/binary"
	"math/bits"

	"github.com/cespare/xxhash/v2"
)

// words is a column of strings that repeat, encoded as a dictionary and keys (LowCardinality
// on the wire). It reuses its memory: the dictionary is in wire form and is searched with an
// open-addressed hash table.
type words struct {
	keys  []uint32
	dict  []byte   // wire form: length, bytes, length, bytes
	at    []uint32 // start of each word's bytes in dict
	end   []uint32
	table []uint32 // key + 1; 0: free
	blank uint32   // key + 1 of ""; 0: not in dict

	// Word of the last row. It may point into an older array of dict, which
	// holds the same bytes.
	last    string
	lastKey uint32
}

func (w *words) put(row int, s string) {
	for len(w.keys) < row {
		w.keys = append(w.keys, w.blankKey())
	}
	if w.last != s || s == "" {
		w.lastKey = w.key(s)
		w.last = w.word(w.lastKey)
	}
	w.keys = append(w.keys, w.lastKey)
}

func (w *words) word(key uint32) string { return view(w.dict[w.at[key]:w.end[key]]) }

func (w *words) key(s string) uint32 {
	if len(w.at)*2 >= len(w.table) {
		w.grow()
	}
	mask := uint64(len(w.table) - 1)
	for i := xxhash.Sum64String(s) & mask; ; i = (i + 1) & mask {
		k := w.table[i]
		if k == 0 {
			w.table[i] = uint32(len(w.at)) + 1
			return w.add(s)
		}
		if w.word(k-1) == s {
			return k - 1
		}
	}
}

func (w *words) add(s string) uint32 {
	key := uint32(len(w.at))
	w.dict = appendString(w.dict, s)
	w.at = append(w.at, uint32(len(w.dict)-len(s)))
	w.end = append(w.end, uint32(len(w.dict)))
	return key
}

func (w *words) grow() {
	n := max(64, 2*len(w.table))
	w.table = make([]uint32, n)
	mask := uint64(n - 1)
	for key := range w.at {
		i := xxhash.Sum64String(w.word(uint32(key))) & mask
		for w.table[i] != 0 {
			i = (i + 1) & mask
		}
		w.table[i] = uint32(key) + 1
	}
}

func (w *words) blankKey() uint32 {
	if w.blank == 0 {
		w.blank = w.key("") + 1
	}
	return w.blank - 1
}

func (w *words) prefix(dst []byte) []byte {
	return binary.LittleEndian.AppendUint64(dst, 1) // version of the key serialisation
}

func (w *words) encode(dst []byte, rows int) []byte {
	for len(w.keys) < rows {
		w.keys = append(w.keys, w.blankKey())
	}
	const additionalKeys, updateDictionary = 1 << 9, 1 << 10
	width := (bits.Len32(uint32(len(w.at)-1)) + 7) / 8
	width = []int{0, 0, 1, 2, 2}[width] // type of the keys: UInt8, UInt16, UInt32
	dst = binary.LittleEndian.AppendUint64(dst, additionalKeys|updateDictionary|uint64(width))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(len(w.at)))
	dst = append(dst, w.dict...)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(rows))
	switch width {
	case 0:
		for _, k := range w.keys {
			dst = append(dst, byte(k))
		}
	case 1:
		for _, k := range w.keys {
			dst = binary.LittleEndian.AppendUint16(dst, uint16(k))
		}
	default:
		for _, k := range w.keys {
			dst = binary.LittleEndian.AppendUint32(dst, k)
		}
	}
	return dst
}

func (w *words) empty() bool { return len(w.keys) == 0 }
func (w *words) bytes() int  { return len(w.dict) + 2*len(w.keys) }

func (w *words) reset() {
	if len(w.keys) == 0 {
		return
	}
	clear(w.table)
	w.keys, w.dict, w.at, w.end, w.blank = w.keys[:0], w.dict[:0], w.at[:0], w.end[:0], 0
	w.last, w.lastKey = "", 0
}
