package wire

import (
	"strings"
	"unsafe"
)

// What a reader needs that keeps parts of a value as they are encoded.

// StartReadingShared is StartReading without a copy of the value, which must not change as long as a string that was read is used.
func (c *Coder) StartReadingShared(value []byte, kind byte, newest uint8) error {
	return c.StartReadingString(unsafe.String(unsafe.SliceData(value), len(value)), kind, newest)
}

// CopyRest lets strings that are read from now on alias a copy of what is not yet read, and not the whole value.
func (c *Coder) CopyRest() { c.read(strings.Clone(c.src[c.at:]), c.Version) }

// Release drops the references to what was read and written. Strings that were read stay valid.
func (c *Coder) Release() {
	c.src, c.at, c.buf = "", 0, nil
	clear(c.words)
	c.words = c.words[:0]
	clear(c.index)
	clear(c.last)
}

// Since returns the encoded fields that were read since Rest returned rest.
func (c *Coder) Since(rest int) string { return c.src[len(c.src)-rest : c.at] }

// Encoded writes fields that are encoded already, by a Coder of the same version. They must contain no Word.
func (c *Coder) Encoded(fields string) { c.buf = append(c.buf, fields...) }
