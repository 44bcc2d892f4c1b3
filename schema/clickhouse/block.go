package clickhouse

import "encoding/binary"

// Block collects rows of one table in the Native format (revision 0), column by column. A
// block can be reused after Reset; it is not safe for concurrent use. Table.NewBlock makes
// one.
type Block[T any] struct {
	table *Table[T]
	cols  []column[T]
	rows  int
	value T // argument of AppendValue; a field avoids an allocation
}

// Table returns the name of the table.
func (b *Block[T]) Table() string { return b.table.name }

// Append adds a row and keeps no reference to v. A value that has no row in the table, such as
// a call without a trace in trace_calls, is left out.
func (b *Block[T]) Append(v *T) {
	if b.table.takes != nil && !b.table.takes(v) {
		return
	}
	for i := range b.cols {
		b.cols[i].put(v, b.rows)
	}
	b.rows++
}

// AppendAll adds rows as Append does, one after the other, but column by column: a column's code and memory stay in the processor's
// caches for all rows. It keeps no reference to them.
func (b *Block[T]) AppendAll(rows []*T) {
	if b.table.takes != nil {
		for _, v := range rows {
			b.Append(v)
		}
		return
	}
	for i := range b.cols {
		put := b.cols[i].put
		for k, v := range rows {
			put(v, b.rows+k)
		}
	}
	b.rows += len(rows)
}

// AppendValue appends a value as Append does, without a pointer to it.
func (b *Block[T]) AppendValue(v T) {
	b.value = v
	b.Append(&b.value)
	var zero T
	b.value = zero
}

// Rows returns the number of rows appended since the last Reset.
func (b *Block[T]) Rows() int { return b.rows }

// Bytes returns the approximate length of the encoded block.
func (b *Block[T]) Bytes() int {
	n := 16
	for i := range b.cols {
		n += b.cols[i].data.bytes()
	}
	return n
}

// AppendNative appends the encoded block to dst; one INSERT can contain several blocks of a
// table. Columns with only default values are left out. Without rows it appends nothing.
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

// isWritten reports whether a column is part of the encoded block. The first column always is,
// because a block without columns has no rows, and so is a column whose missing values the engine
// computes from other columns.
func (b *Block[T]) isWritten(i int) bool {
	return i == 0 || b.cols[i].missing != "" || !b.cols[i].data.empty()
}

// Reset removes the rows of the block and keeps its memory.
func (b *Block[T]) Reset() {
	for i := range b.cols {
		b.cols[i].data.reset()
	}
	b.rows = 0
}
