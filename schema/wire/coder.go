package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unsafe"
)

// Kinds of values: the first byte of a value.
const (
	KindCalls   = 'C'
	KindMarks   = 'M'
	KindBinding = 'T'
	KindJournal = 'J'
	KindState   = 'S'
)

var (
	// ErrNewerVersion means that a newer version of Flyball wrote the value. The reader must
	// stop there and must not skip it.
	ErrNewerVersion = errors.New("value was written by a newer version of Flyball: upgrade this binary before it can go on")
	// ErrMalformed means that the bytes are not a valid value of the kind.
	ErrMalformed = errors.New("malformed value")
)

// Coder writes a list of fields when Encoding is set, otherwise it reads them. The same list
// of fields is both encoder and decoder, so the two cannot differ.
//
// Strings that are read share one copy of the whole value: clone a string to keep it without
// the rest of the value.
type Coder struct {
	Encoding bool
	Version  uint8
	Err      error

	buf []byte // writing: the bytes written
	src string // reading: the whole value
	at  int    // reading: index in src of what is not yet read. Moving it writes no pointer, which the collector would have to note.

	// Dictionary of repeated strings: a value contains the text of each once.
	index map[string]uint32
	last  []slot
	words []string
}

type slot struct {
	s string
	i uint32
}

// NewWriter returns a Coder that appends a value of a kind to dst.
func NewWriter(dst []byte, kind byte, version uint8) *Coder {
	c := &Coder{}
	c.StartWriting(dst, kind, version)
	return c
}

// StartWriting resets c and starts a value after dst. It reuses the memory of c.
func (c *Coder) StartWriting(dst []byte, kind byte, version uint8) {
	c.Encoding, c.Version, c.Err = true, version, nil
	c.buf = append(dst, kind, version)
	c.words = c.words[:0]
	clear(c.index)
	clear(c.last)
}

// NewReader returns a Coder that reads value. It returns ErrMalformed for another kind or
// version 0, and ErrNewerVersion for a version above newest.
func NewReader(value []byte, kind byte, newest uint8) (*Coder, error) {
	c := &Coder{}
	return c, c.StartReading(value, kind, newest)
}

// StartReading resets c and starts to read a value; the errors are those of NewReader. It
// reuses the memory of c.
func (c *Coder) StartReading(value []byte, kind byte, newest uint8) error {
	c.Encoding, c.Err, c.words = false, nil, c.words[:0]
	if err := checkHeader(value, kind, newest); err != nil {
		return err
	}
	c.read(string(value[2:]), value[1])
	return nil
}

// checkHeader checks the kind and the version of a value.
func checkHeader(value []byte, kind byte, newest uint8) error {
	switch {
	case len(value) < 2 || value[0] != kind:
		return fmt.Errorf("%w: want kind %q", ErrMalformed, kind)
	case value[1] == 0:
		return fmt.Errorf("%w: version 0", ErrMalformed)
	case value[1] > newest:
		return fmt.Errorf("kind %q version %d, this binary knows up to %d: %w", kind, value[1], newest, ErrNewerVersion)
	}
	return nil
}

// StartReadingString is StartReading of a value that is a string already: it is not copied, and strings that are read are parts
// of it.
func (c *Coder) StartReadingString(value string, kind byte, newest uint8) error {
	c.Encoding, c.Err, c.words = false, nil, c.words[:0]
	if err := checkHeader(unsafe.Slice(unsafe.StringData(value), min(len(value), 2)), kind, newest); err != nil {
		return err
	}
	c.read(value[2:], value[1])
	return nil
}

func (c *Coder) read(src string, version uint8) {
	c.Version, c.src, c.at = version, src, 0
}

// unread returns the bytes that are not yet read. They must not be changed.
func (c *Coder) unread() []byte { return unsafe.Slice(unsafe.StringData(c.src), len(c.src))[c.at:] }

// Bytes returns the value written so far.
func (c *Coder) Bytes() []byte { return c.buf }

// Rest returns the number of bytes that are not yet read.
func (c *Coder) Rest() int { return len(c.src) - c.at }

func (c *Coder) fail(what string) {
	if c.Err == nil {
		c.Err = fmt.Errorf("%w: %s", ErrMalformed, what)
	}
	c.buf, c.at = nil, len(c.src)
}

// Refuse ends the reading with ErrMalformed, because the value is not valid for its kind.
func (c *Coder) Refuse(what string) { c.fail(what) }

// Uint codes an unsigned integer as a varint.
func (c *Coder) Uint(v *uint64) {
	if c.Encoding {
		if *v < 0x80 {
			c.buf = append(c.buf, byte(*v))
		} else {
			c.buf = binary.AppendUvarint(c.buf, *v)
		}
		return
	}
	if c.at < len(c.src) && c.src[c.at] < 0x80 {
		*v = uint64(c.src[c.at])
		c.at++
		return
	}
	x, n := binary.Uvarint(c.unread())
	if n <= 0 {
		c.fail("integer")
		*v = 0
		return
	}
	*v, c.at = x, c.at+n
}

// Int codes a signed integer as a zigzag varint.
func (c *Coder) Int(v *int64) {
	u := uint64(*v)<<1 ^ uint64(*v>>63)
	c.Uint(&u)
	if !c.Encoding {
		*v = int64(u>>1) ^ -int64(u&1)
	}
}

// Num codes any unsigned integer type as a varint. A value that does not fit the type is an
// error.
func Num[T ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~int](c *Coder, v *T) {
	u := uint64(*v)
	c.Uint(&u)
	if !c.Encoding {
		*v = T(u)
		if uint64(*v) != u {
			c.fail("integer too large for its field")
		}
	}
}

// Small codes a one-byte type.
func Small[T ~uint8](c *Coder, v *T) {
	if c.Encoding {
		c.buf = append(c.buf, byte(*v))
		return
	}
	if c.at >= len(c.src) {
		c.fail("byte")
		*v = 0
		return
	}
	*v = T(c.src[c.at])
	c.at++
}

// Bool codes a bool as one byte, 0 or 1.
func (c *Coder) Bool(v *bool) {
	var b uint8
	if *v {
		b = 1
	}
	Small(c, &b)
	*v = b == 1
}

// Fixed64 codes eight bytes, for values that are rarely small.
func (c *Coder) Fixed64(v *uint64) {
	if c.Encoding {
		c.buf = binary.LittleEndian.AppendUint64(c.buf, *v)
		return
	}
	if c.Rest() < 8 {
		c.fail("eight bytes")
		*v = 0
		return
	}
	*v = binary.LittleEndian.Uint64(c.unread())
	c.at += 8
}

// Float codes a float64 as a flag byte and, unless it is 0, eight bytes.
func (c *Coder) Float(v *float64) {
	has := *v != 0
	c.Bool(&has)
	if !has {
		*v = 0
		return
	}
	bits := math.Float64bits(*v)
	c.Fixed64(&bits)
	*v = math.Float64frombits(bits)
}

// Array codes a fixed number of bytes.
func (c *Coder) Array(v []byte) {
	if c.Encoding {
		c.buf = append(c.buf, v...)
		return
	}
	if c.Rest() < len(v) {
		c.fail("fixed bytes")
		clear(v)
		return
	}
	c.at += copy(v, c.src[c.at:])
}

// SparseArray codes a fixed number of bytes; all zeroes take one byte.
func (c *Coder) SparseArray(v []byte) {
	has := false
	if c.Encoding {
		for _, b := range v {
			if b != 0 {
				has = true
				break
			}
		}
	}
	c.Bool(&has)
	if has {
		c.Array(v)
	} else if !c.Encoding {
		clear(v)
	}
}

// Text codes a string in full.
func (c *Coder) Text(s *string) {
	n := uint64(len(*s))
	c.Uint(&n)
	if c.Encoding {
		c.buf = append(c.buf, *s...)
		return
	}
	if n > uint64(c.Rest()) {
		c.fail("string longer than the value")
		*s = ""
		return
	}
	*s = c.src[c.at : c.at+int(n)]
	c.at += int(n)
}

// Blob codes bytes with their length. The bytes that are read alias the value.
func (c *Coder) Blob(b *[]byte) {
	if c.Encoding {
		c.buf = binary.AppendUvarint(c.buf, uint64(len(*b)))
		c.buf = append(c.buf, *b...)
		return
	}
	var n uint64
	c.Uint(&n)
	if n > uint64(c.Rest()) {
		c.fail("bytes longer than the value")
		*b = nil
		return
	}
	*b = c.unread()[:n:n]
	c.at += int(n)
}

// Len codes the length of a list with elements of at least min bytes. The reader rejects a
// length that is too large for the rest of the value, so that a forged length cannot cause a
// large allocation.
func (c *Coder) Len(n *int, min int) {
	u := uint64(*n)
	c.Uint(&u)
	if c.Encoding {
		return
	}
	if u > uint64(c.Rest()/max(min, 1)) {
		c.fail("list longer than the value")
		u = 0
	}
	*n = int(u)
}

// Word codes a string that repeats within the value: as a number, with the text at its first
// use. field is the number of the field; a string that is the same as in the previous row then
// costs one comparison.
func (c *Coder) Word(field int, s *string) {
	if c.Encoding {
		c.writeWord(field, *s)
		return
	}
	var i uint64
	c.Uint(&i)
	switch {
	case i == 0:
		if *s != "" { // else the pointer stays as it is
			*s = ""
		}
	case i <= uint64(len(c.words)):
		*s = c.words[i-1]
	case i == uint64(len(c.words))+1:
		c.Text(s)
		c.words = append(c.words, *s)
	default:
		c.fail("word that was never written")
		*s = ""
	}
}

func (c *Coder) writeWord(field int, s string) {
	if s == "" {
		c.buf = append(c.buf, 0)
		return
	}
	for field >= len(c.last) {
		c.last = append(c.last, slot{})
	}
	l := &c.last[field]
	if l.i != 0 && l.s == s {
		n := uint64(l.i)
		c.Uint(&n)
		return
	}
	i, known := c.index[s]
	if !known {
		if c.index == nil {
			c.index = make(map[string]uint32, 256)
		}
		i = uint32(len(c.index) + 1)
		c.index[s] = i
	}
	*l = slot{s, i}
	c.buf = binary.AppendUvarint(c.buf, uint64(i))
	if !known {
		c.buf = binary.AppendUvarint(c.buf, uint64(len(s)))
		c.buf = append(c.buf, s...)
	}
}
