package wire

import (
	"encoding/binary"

	"flyball/schema"
)

// JournalVersion is the newest version of a journal record. It grows with every table that sections may be for: a
// store that does not know a table must not read beyond a record with rows for it. Version 2 has the tables of
// schema version 5; its form is that of version 1.
const JournalVersion = 2

// Journal is one record of flyball.journal: column blocks for ClickHouse, for the calls at the
// offsets From to To of one partition of flyball.calls.
type Journal struct {
	CallsTopicID       schema.TopicID
	CallsPart          int32
	From, To           int64 // calls offsets covered, inclusive
	MinStart, MaxStart int64 // event times of its calls, Unix ns; 0 without calls
	Sections           []Section
}

// Section holds the rows for one table, as blocks of ClickHouse's Native format (revision 0)
// that can be inserted unchanged.
type Section struct {
	Table  string
	Rows   int
	Native []byte
}

// MaxBytes returns a size that the encoded record does not exceed.
func (j *Journal) MaxBytes() int {
	n := 128 // header, offsets and times
	for i := range j.Sections {
		s := &j.Sections[i]
		n += len(s.Table) + len(s.Native) + 3*binary.MaxVarintLen64
	}
	return n
}

// EncodeJournal appends the record to dst.
func EncodeJournal(dst []byte, j *Journal) []byte {
	c := NewWriter(dst, KindJournal, JournalVersion)
	j.code(c)
	return c.Bytes()
}

// DecodeJournal reads a record. The bytes of the sections alias a copy of value. The error
// wraps ErrMalformed or ErrNewerVersion.
func DecodeJournal(value []byte) (Journal, error) {
	var j Journal
	c, err := NewReader(value, KindJournal, JournalVersion)
	if err != nil {
		return j, err
	}
	j.code(c)
	if c.Err == nil && c.Rest() != 0 {
		c.fail("bytes after the last section")
	}
	return j, c.Err
}

func (j *Journal) code(c *Coder) {
	c.Array(j.CallsTopicID[:])
	part := int64(j.CallsPart)
	c.Int(&part)
	j.CallsPart = int32(part)
	c.Int(&j.From)
	c.Int(&j.To)
	c.Int(&j.MinStart)
	c.Int(&j.MaxStart)
	n := len(j.Sections)
	c.Len(&n, 3)
	if !c.Encoding {
		j.Sections = make([]Section, n)
	}
	for i := range j.Sections {
		c.Text(&j.Sections[i].Table)
		Num(c, &j.Sections[i].Rows)
		c.Blob(&j.Sections[i].Native)
	}
}
