package clickhouse

import (
	"encoding/binary"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"unsafe"
)

// column is one column of a table with rows of type T: its definition in the DDL, and the
// encoder of its values in a block.
type column[T any] struct {
	name  string
	typ   string // in the DDL
	codec string // empty: the table's default
	wire  string // type in a block; the engine converts it
	data  data
	put   func(v *T, row int)

	// missing is the value in rows that were written without the column: an expression of the other
	// columns; empty: the type's default value. Such a column is part of every block.
	missing string
}

// ColumnSpec is the definition of a column in the DDL.
type ColumnSpec struct {
	Name, Type string
	Codec      string // empty: the table's default
	Default    string // value in rows that were written without the column; empty: the type's default value
}

func (c *column[T]) spec() ColumnSpec { return ColumnSpec{c.name, c.typ, c.codec, c.missing} }

// as sets the type in the DDL, if it differs from the type in blocks.
func (c column[T]) as(typ string) column[T] {
	c.typ = typ
	return c
}

// with sets the codec of the column.
func (c column[T]) with(codec string) column[T] {
	c.codec = codec
	return c
}

// ifMissing sets the value in rows that were written without the column.
func (c column[T]) ifMissing(expression string) column[T] {
	c.missing = expression
	return c
}

// Codecs, by the form of the values; schema/adr/0001 has the figures.
const (
	clock    = "GCD, Delta, ZSTD(1)" // times, ascending within a run, rarely to the nanosecond
	offset   = "Delta, ZSTD(1)"      // ascending within a run
	span     = "GCD, T64, ZSTD(1)"   // durations in ns, rarely to the nanosecond
	amount   = "T64, ZSTD(1)"        // small numbers without order
	random   = "ZSTD(1)"             // values that cannot be compressed, or default values
	constant = "ZSTD(1)"             // values that repeat within a run
	phrase   = "ZSTD(3)"             // long repeats, which level 1 does not compress
)

type number interface {
	~uint8 | ~uint16 | ~uint32 | ~uint64 | ~int8 | ~int16 | ~int32 | ~int64
}

func num[T any, N number](name, typ string, get func(*T) N) column[T] {
	f := &fixed{size: int(unsafe.Sizeof(N(0)))}
	return column[T]{name: name, typ: typ, wire: typ, data: f, put: func(v *T, row int) {
		n := get(v)
		if n == 0 {
			return
		}
		f.pad(row)
		switch f.size {
		case 1:
			f.buf = append(f.buf, byte(n))
		case 2:
			f.buf = binary.LittleEndian.AppendUint16(f.buf, uint16(n))
		case 4:
			f.buf = binary.LittleEndian.AppendUint32(f.buf, uint32(n))
		default:
			f.putUint64(uint64(n))
		}
	}}
}

func float[T any](name string, get func(*T) float64) column[T] {
	return num(name, "Float64", func(v *T) uint64 { return math.Float64bits(get(v)) })
}

// floats makes a column of arrays of numbers; an unknown number is NaN.
func floats[T any](name string, get func(*T, func(float64))) column[T] {
	f := &fixed{size: 8}
	a := &arrays{elems: []data{f}}
	const typ = "Array(Float64)"
	var list []float64
	return column[T]{name: name, typ: typ, wire: typ, codec: constant, data: a, put: func(v *T, row int) {
		list = list[:0]
		get(v, func(x float64) { list = append(list, x) })
		if len(list) == 0 {
			return
		}
		at := a.open(row, len(list))
		for i, x := range list {
			f.pad(at + i)
			f.putUint64(math.Float64bits(x))
		}
	}}
}

func flag[T any](name string, get func(*T) bool) column[T] {
	return num(name, "Bool", func(v *T) uint8 {
		if get(v) {
			return 1
		}
		return 0
	})
}

// enum makes a column of an enumeration. Blocks contain the numbers: texts would be most of
// the bytes of a small block.
func enum[T any, E ~uint8](name string, words []string, get func(*T) E) column[T] {
	c := num(name, enum8(words), get)
	c.wire = "Int8"
	return c.with(constant)
}

func enum8(words []string) string {
	var b strings.Builder
	b.WriteString("Enum8(")
	for i, w := range words {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "'%s' = %d", w, i)
	}
	return b.String() + ")"
}

const nanoTime = "DateTime64(9, 'UTC')"

func clockNs[T any](name string, get func(*T) int64) column[T] {
	return num(name, nanoTime, get).with(clock)
}

// uuid makes a column of UUIDs; ClickHouse stores each half as a little-endian number.
func uuid[T any](name string, get func(*T) [16]byte) column[T] {
	f := &fixed{size: 16}
	return column[T]{name: name, typ: "UUID", wire: "UUID", codec: constant, data: f, put: func(v *T, row int) {
		b := get(v)
		if b == ([16]byte{}) {
			return
		}
		f.pad(row)
		f.putUint64(binary.BigEndian.Uint64(b[:8]))
		f.putUint64(binary.BigEndian.Uint64(b[8:]))
	}}
}

func raw16[T any](name, typ string, get func(*T) [16]byte) column[T] {
	f := &fixed{size: 16}
	return column[T]{name: name, typ: typ, wire: typ, data: f, put: func(v *T, row int) {
		if b := get(v); b != ([16]byte{}) {
			f.pad(row)
			f.buf = append(f.buf, b[:]...)
		}
	}}
}

func raw8[T any](name, typ string, get func(*T) [8]byte) column[T] {
	f := &fixed{size: 8}
	return column[T]{name: name, typ: typ, wire: typ, data: f, put: func(v *T, row int) {
		if b := get(v); b != ([8]byte{}) {
			f.pad(row)
			f.buf = append(f.buf, b[:]...)
		}
	}}
}

// str makes a column of strings that rarely repeat.
func str[T any](name string, get func(*T) string) column[T] {
	t := &text{}
	return column[T]{name: name, typ: "String", wire: "String", codec: constant, data: t, put: func(v *T, row int) {
		if s := get(v); s != "" {
			t.put(row, s)
		}
	}}
}

// word makes a column of strings with a small vocabulary (LowCardinality).
func word[T any](name string, get func(*T) string) column[T] {
	w := &words{}
	return column[T]{name: name, typ: "LowCardinality(String)", wire: "LowCardinality(String)", codec: constant, data: w, put: func(v *T,
		row int) {
		if s := get(v); s != "" {
			w.put(row, s)
		}
	}}
}

// name makes a column of strings that repeat within a run but are chosen by callers, so that
// their vocabulary is not small: a dictionary in blocks, a plain string in the table.
func name[T any](name string, get func(*T) string) column[T] {
	return word(name, get).as("String").with(phrase)
}

// address makes a column of IP addresses as text. An address repeats within a run, so that the
// text needs no more space than 16 bytes, and analysts can read and filter it directly.
func address[T any](name string, get func(*T) netip.Addr) column[T] {
	w := &words{}
	var text []byte
	return column[T]{name: name, typ: "String", wire: "LowCardinality(String)", codec: phrase, data: w, put: func(v *T, row int) {
		if a := get(v); a.IsValid() {
			text = a.Unmap().AppendTo(text[:0])
			w.put(row, view(text))
		}
	}}
}

// wordList makes a column of arrays of strings with a small vocabulary.
func wordList[T any](name string, get func(*T) []string) column[T] {
	w := &words{}
	a := &arrays{elems: []data{w}}
	const typ = "Array(LowCardinality(String))"
	return column[T]{name: name, typ: typ, wire: typ, codec: constant, data: a, put: func(v *T, row int) {
		list := get(v)
		if len(list) == 0 {
			return
		}
		at := a.open(row, len(list))
		for i, s := range list {
			w.put(at+i, s)
		}
	}}
}

// view returns bytes as a string without a copy. The caller must not keep the string.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
