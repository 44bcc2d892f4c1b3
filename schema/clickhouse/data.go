package clickhouse

import (
	"encoding/binary"
)

// data holds the values of one column of a block under construction, in the wire form of the
// Native format. Default values at the end of a column are not stored until another value
// follows them. Most columns of most blocks have only default values: they cost one comparison
// a row and are left out of the block (the engine inserts the default).
//
// Values are copied when they are added, because the strings of a call alias a block that is
// reused.
type data interface {
	// encode appends the column, padded to the given number of rows.
	encode(dst []byte, rows int) []byte
	// prefix appends the bytes that the type has before its values.
	prefix(dst []byte) []byte
	empty() bool
	bytes() int
	reset()
}

// fixed is a column whose values all have the same size.
type fixed struct {
	size int
	buf  []byte
}

// pad adds default values up to a number of rows. Without any to add it writes nothing, also no pointer, which the collector would have
// to note.
func (f *fixed) pad(rows int) {
	if n := rows*f.size - len(f.buf); n > 0 {
		f.buf = zeros(f.buf, n)
	}
}

// putUint64 adds a number of eight bytes. An append to the field itself writes its pointer only when it has to grow.
func (f *fixed) putUint64(n uint64) {
	f.buf = append(f.buf, 0, 0, 0, 0, 0, 0, 0, 0)
	binary.LittleEndian.PutUint64(f.buf[len(f.buf)-8:], n)
}

func (f *fixed) encode(dst []byte, rows int) []byte {
	f.pad(rows)
	return append(dst, f.buf...)
}

func (f *fixed) prefix(dst []byte) []byte { return dst }
func (f *fixed) empty() bool              { return len(f.buf) == 0 }
func (f *fixed) bytes() int               { return len(f.buf) }
func (f *fixed) reset()                   { f.buf = f.buf[:0] }

// text is a column of strings that rarely repeat.
type text struct {
	rows int
	buf  []byte
}

func (t *text) put(row int, s string) {
	if row > t.rows {
		t.buf = zeros(t.buf, row-t.rows) // an empty string is a zero length
	}
	t.rows = row + 1
	if len(s) < 0x80 {
		t.buf = append(t.buf, byte(len(s)))
	} else {
		t.buf = appendLen(t.buf, len(s))
	}
	t.buf = append(t.buf, s...)
}

func (t *text) encode(dst []byte, rows int) []byte {
	dst = append(dst, t.buf...)
	return zeros(dst, rows-t.rows)
}

func (t *text) prefix(dst []byte) []byte { return dst }
func (t *text) empty() bool              { return t.rows == 0 }
func (t *text) bytes() int               { return len(t.buf) }
func (t *text) reset()                   { t.rows, t.buf = 0, t.buf[:0] }

// arrays is a column of arrays: the end of each row's array, and the elements.
type arrays struct {
	ends  []uint64
	elems []data // one column, or keys and values of a map
	count int
}

// open starts the array of a row and returns the index of its first element.
func (a *arrays) open(row, n int) int {
	for len(a.ends) < row {
		a.ends = append(a.ends, uint64(a.count))
	}
	from := a.count
	a.count += n
	a.ends = append(a.ends, uint64(a.count))
	return from
}

func (a *arrays) encode(dst []byte, rows int) []byte {
	for _, e := range a.ends {
		dst = binary.LittleEndian.AppendUint64(dst, e)
	}
	for range rows - len(a.ends) {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(a.count))
	}
	for _, e := range a.elems {
		dst = e.encode(dst, a.count)
	}
	return dst
}

func (a *arrays) prefix(dst []byte) []byte {
	for _, e := range a.elems {
		dst = e.prefix(dst)
	}
	return dst
}

func (a *arrays) empty() bool { return a.count == 0 }

func (a *arrays) bytes() int {
	n := 8 * len(a.ends)
	for _, e := range a.elems {
		n += e.bytes()
	}
	return n
}

func (a *arrays) reset() {
	a.ends, a.count = a.ends[:0], 0
	for _, e := range a.elems {
		e.reset()
	}
}

func appendString(dst []byte, s string) []byte { return append(appendLen(dst, len(s)), s...) }

func appendLen(dst []byte, n int) []byte {
	if n < 0x80 {
		return append(dst, byte(n))
	}
	return binary.AppendUvarint(dst, uint64(n))
}

var zeroes [256]byte

func zeros(dst []byte, n int) []byte {
	for n > 0 {
		k := min(n, len(zeroes))
		dst = append(dst, zeroes[:k]...)
		n -= k
	}
	return dst
}
