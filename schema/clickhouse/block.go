package clickhouse

import "encoding/binary"

// Block gathers rows of one table in the Native format (revision 0), column by
// column. It is reused block after block and is not for concurrent use. Make one
// with NewBlock of its table.
type Block[T any] struct {
	table *Table[T]
	cols  []column[T]
	rows  int
	value T // the argument of AppendValue, here so that it stays off the heap
}

// Table is the name of the table that the rows are of.
func (b *Block[T]) Table() string { return b.table.name }

// Append adds a row and keeps no reference to v. Values that have no row in the table,
// such as calls without a trace in trace_calls, are left out.
func (b *Block[T]) Append(v *T) {
	if b.table.takes != nil && !b.table.takes(v) {
		return
	}
	for i := range b.cols {
		b.cols[i].put(v, b.rows)
	}
	b.rows++
}

// AppendValue is Append for a value that the caller does not have a pointer to.
func (b *Block[T]) AppendValue(v T) {
	b.value = v
	b.Append(&b.value)
	var zero T
	b.value = zero
}

// Rows returns how many rows were appended since the last Reset.
func (b *Block[T]) Rows() int { return b.rows }

// Bytes returns the approximate length of the encoded block.
func (b *Block[T]) Bytes() int {
	n := 16
	for i := range b.cols {
		n += b.cols[i].data.bytes()
	}
	return n
}

// AppendNative appends the encoded block to dst; blocks of one table may follow one
// another in one INSERT. Columns that hold nothing but defaults are left out.
// Without rows it appends nothing.
func (b *Block[T]) AppendNative(dst []byte) []byte {
	if b.rows == 0 {
		return dst
	}
	n := 0
	for i := range b.cols {
		if b.isWritten(i) {
			n++
		}
	}
	dst = binary.AppendUvarint(dst, uint64(n))
	dst = binary.AppendUvarint(dst, uint64(b.rows))
	for i := range b.cols {
		if !b.isWritten(i) {
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

// isWritten reports whether a column is part of the encoded block. The first one
// always is: a block without columns would have no rows.
func (b *Block[T]) isWritten(i int) bool { return i == 0 || !b.cols[i].data.empty() }

// Reset empties the block and keeps its memory.
func (b *Block[T]) Reset() {
	for i := range b.cols {
		b.cols[i].data.reset()
	}
	b.rows = 0
}
