package clickhouse

import "encoding/binary"

// block builds a block of the Native format (revision 0) column by column. It
// is reused block after block and is not for concurrent use.
type block[T any] struct {
	cols []column[T]
	rows int
}

func newBlock[T any](cols []column[T]) block[T] { return block[T]{cols: cols} }

func (b *block[T]) add(v *T) {
	for i := range b.cols {
		b.cols[i].put(v, b.rows)
	}
	b.rows++
}

// Rows is how many rows were appended since the last Reset.
func (b *block[T]) Rows() int { return b.rows }

// Bytes is roughly how long the encoded block will be.
func (b *block[T]) Bytes() int {
	n := 16
	for i := range b.cols {
		n += b.cols[i].data.bytes()
	}
	return n
}

// AppendNative appends the block to dst; blocks of one table may follow one
// another in one INSERT. Columns that hold nothing but defaults are left out.
// Without rows it appends nothing.
func (b *block[T]) AppendNative(dst []byte) []byte {
	if b.rows == 0 {
		return dst
	}
	n := 0
	for i := range b.cols {
		if b.keep(i) {
			n++
		}
	}
	dst = binary.AppendUvarint(dst, uint64(n))
	dst = binary.AppendUvarint(dst, uint64(b.rows))
	for i := range b.cols {
		if !b.keep(i) {
			continue
		}
		c := &b.cols[i]
		dst = appendString(dst, c.name)
		dst = appendString(dst, c.wire)
		dst = c.data.prefix(dst)
		dst = c.data.encode(dst, b.rows)
	}
	return dst
}

// keep leaves the first column in: a block without columns would have no rows.
func (b *block[T]) keep(i int) bool { return i == 0 || !b.cols[i].data.empty() }

// Reset empties the block and keeps its memory.
func (b *block[T]) Reset() {
	for i := range b.cols {
		b.cols[i].data.reset()
	}
	b.rows = 0
}
