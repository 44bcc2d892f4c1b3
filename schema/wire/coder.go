package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unsafe"
)

// Kinds of values, their first byte.
const (
	KindCalls   = 'C'
	KindMarks   = 'M'
	KindBinding = 'T'
	KindJournal = 'J'
	KindState   = 'S'
)

var (
	// ErrNewerVersion means a newer Flyball wrote the value: the reader must
	// stop at it rather than skip it.
	ErrNewerVersion = errors.New("value was written by a newer version of Flyball: upgrade this binary before it can go on")
	// ErrMalformed means the bytes are not a value of the kind.
	ErrMalformed = errors.New("malformed value")
)

// Coder writes a list of fields when Encoding, else it reads them. One list of fields is
// both encoder and decoder, so the two cannot differ.
//
// Strings that are read refer to one copy of the whole value: clone a string to keep it
// without the rest of the value.
type Coder struct {
	Encoding bool
	Version  uint8
	Err      error

	buf []byte // writing: what was written; reading: what is left
	src string // reading: the whole value

	// Dictionary of repeated strings: the block writes each once.
	index map[string]uint32
	last  []slot
	words []string
}

type slot struct {
	s string
	i uint32
}

// NewWriter starts a value of a kind after dst.
func NewWriter(dst []byte, kind byte, version uint8) *Coder {
	c := &Coder{}
	c.StartWriting(dst, kind, version)
	return c
}

// StartWriting resets c, keeping its memory, and starts a value after dst.
func (c *Coder) StartWriting(dst []byte, kind byte, version uint8) {
	c.Encoding, c.Version, c.Err = true, version, nil
	c.buf = append(dst, kind, version)
	c.words = c.words[:0]
	clear(c.index)
	clear(c.last)
}

// NewReader opens a value: its kind must be the one wanted and its version at
// most the newest one known.
func NewReader(value []byte, kind byte, newest uint8) (*Coder, error) {
	c := &Coder{}
	return c, c.StartReading(value, kind, newest)
}

// StartReading resets c, keeping its memory, and opens a value.
func (c *Coder) StartReading(value []byte, kind byte, newest uint8) error {
	c.Encoding, c.Err, c.words = false, nil, c.words[:0]
	switch {
	case len(value) < 2 || value[0] != kind:
		return fmt.Errorf("%w: want kind %q", ErrMalformed, kind)
	case value[1] == 0:
		return fmt.Errorf("%w: version 0", ErrMalformed)
	case value[1] > newest:
		return fmt.Errorf("kind %q version %d, this binary knows up to %d: %w", kind, value[1], newest, ErrNewerVersion)
	}
	c.Version = value[1]
	c.src = string(value[2:])
	c.buf = unsafe.Slice(unsafe.StringData(c.src), len(c.src))
	return nil
}

// Bytes is the value written so far.
func (c *Coder) Bytes() []byte { return c.buf }

// Rest is how many bytes are left to read.
func (c *Coder) Rest() int { return len(c.buf) }

func (c *Coder) fail(what string) {
	if c.Err == nil {
		c.Err = fmt.Errorf("%w: %s", ErrMalformed, what)
	}
	c.buf = nil
}

// Refuse ends the reading with ErrMalformed: the value is not valid for its kind.
func (c *Coder) Refuse(what string) { c.fail(what) }

// Uint is an unsigned integer as a varint.
func (c *Coder) Uint(v *uint64) {
	if c.Encoding {
		c.buf = binary.AppendUvarint(c.buf, *v)
		return
	}
	if len(c.buf) > 0 && c.buf[0] < 0x80 {
		*v = uint64(c.buf[0])
		c.buf = c.buf[1:]
		return
	}
	x, n := binary.Uvarint(c.buf)
	if n <= 0 {
		c.fail("integer")
		*v = 0
		return
	}
	*v, c.buf = x, c.buf[n:]
}

// Int is a signed integer as a zigzag varint.
func (c *Coder) Int(v *int64) {
	u := uint64(*v)<<1 ^ uint64(*v>>63)
	c.Uint(&u)
	if !c.Encoding {
		*v = int64(u>>1) ^ -int64(u&1)
	}
}

// Num is any unsigned integer type as a varint; a value that does not fit is an error.
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

// Small is a one-byte type.
func Small[T ~uint8](c *Coder, v *T) {
	if c.Encoding {
		c.buf = append(c.buf, byte(*v))
		return
	}
	if len(c.buf) == 0 {
		c.fail("byte")
		*v = 0
		return
	}
	*v = T(c.buf[0])
	c.buf = c.buf[1:]
}

// Bool is one byte, 0 or 1.
func (c *Coder) Bool(v *bool) {
	var b uint8
	if *v {
		b = 1
	}
	Small(c, &b)
	*v = b == 1
}

// Fixed64 is eight bytes, for values without small ones.
func (c *Coder) Fixed64(v *uint64) {
	if c.Encoding {
		c.buf = binary.LittleEndian.AppendUint64(c.buf, *v)
		return
	}
	if len(c.buf) < 8 {
		c.fail("eight bytes")
		*v = 0
		return
	}
	*v = binary.LittleEndian.Uint64(c.buf)
	c.buf = c.buf[8:]
}

// Float is a float64, 0 in one byte.
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

// Array is a fixed number of bytes.
func (c *Coder) Array(v []byte) {
	if c.Encoding {
		c.buf = append(c.buf, v...)
		return
	}
	if len(c.buf) < len(v) {
		c.fail("fixed bytes")
		clear(v)
		return
	}
	c.buf = c.buf[copy(v, c.buf):]
}

// SparseArray is Array with all zeroes in one byte.
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

// Text is a string that is written in full each time.
func (c *Coder) Text(s *string) {
	n := uint64(len(*s))
	c.Uint(&n)
	if c.Encoding {
		c.buf = append(c.buf, *s...)
		return
	}
	if n > uint64(len(c.buf)) {
		c.fail("string longer than the value")
		*s = ""
		return
	}
	at := len(c.src) - len(c.buf)
	*s = c.src[at : at+int(n)]
	c.buf = c.buf[n:]
}

// Blob is bytes with a length; reading aliases the value.
func (c *Coder) Blob(b *[]byte) {
	if c.Encoding {
		c.buf = binary.AppendUvarint(c.buf, uint64(len(*b)))
		c.buf = append(c.buf, *b...)
		return
	}
	var n uint64
	c.Uint(&n)
	if n > uint64(len(c.buf)) {
		c.fail("bytes longer than the value")
		*b = nil
		return
	}
	*b, c.buf = c.buf[:n:n], c.buf[n:]
}

// Len is the length of a list that takes at least min bytes an element, so a
// forged length cannot make the reader allocate more than the value holds.
func (c *Coder) Len(n *int, min int) {
	u := uint64(*n)
	c.Uint(&u)
	if c.Encoding {
		return
	}
	if u > uint64(len(c.buf)/max(min, 1)) {
		c.fail("list longer than the value")
		u = 0
	}
	*n = int(u)
}

// Word is a string that repeats within the value: its text is written at its first
// use, a number afterwards. field is the number of the field, so that the usual case
// (the same string as in the previous row) costs one comparison.
func (c *Coder) Word(field int, s *string) {
	if c.Encoding {
		c.writeWord(field, *s)
		return
	}
	var i uint64
	c.Uint(&i)
	switch {
	case i == 0:
		*s = ""
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
		c.buf = binary.AppendUvarint(c.buf, uint64(l.i))
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
