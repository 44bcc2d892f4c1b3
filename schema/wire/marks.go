package wire

import "flyball/schema"

// MarksVersion is the newest version of a record of marks.
const MarksVersion = 1

// Marks is a record in flyball.calls without calls. It holds the progress of sources, so that
// a partition without calls of a source also has the time of that source, and the versions
// that become active from this record on.
type Marks struct {
	// At is the clock of the ingest process that wrote the record, Unix ns.
	At       int64
	Progress []Progress
	Activate []Activation
}

// Progress is the progress of one source in its ingest process.
type Progress struct {
	Source schema.Source
	// EventTime is the highest event time emitted so far, Unix ns.
	EventTime int64
	// CurrentAt is set when the ingest has read all records of the source for at least 30 s:
	// no record older than this wall-clock time is waiting, Unix ns.
	CurrentAt int64
}

// Activation makes a version active from this record on.
type Activation struct {
	What    string // "baseline", "route", "manifest", "registry"
	Version string
}

// EncodeMarks appends the record to dst.
func EncodeMarks(dst []byte, m *Marks) []byte {
	c := NewWriter(dst, KindMarks, MarksVersion)
	m.code(c)
	return c.Bytes()
}

// DecodeMarks reads a record of marks. The error wraps ErrMalformed or ErrNewerVersion.
func DecodeMarks(value []byte) (Marks, error) {
	var m Marks
	c, err := NewReader(value, KindMarks, MarksVersion)
	if err != nil {
		return m, err
	}
	m.code(c)
	if c.Err == nil && c.Rest() != 0 {
		c.fail("bytes after the last mark")
	}
	return m, c.Err
}

func (m *Marks) code(c *Coder) {
	c.Int(&m.At)
	n := len(m.Progress)
	c.Len(&n, 20)
	if !c.Encoding {
		m.Progress = make([]Progress, n)
	}
	for i := range m.Progress {
		p := &m.Progress[i]
		CodeSource(c, &p.Source)
		c.Int(&p.EventTime)
		c.Int(&p.CurrentAt)
	}
	n = len(m.Activate)
	c.Len(&n, 2)
	if !c.Encoding {
		m.Activate = make([]Activation, n)
	}
	for i := range m.Activate {
		c.Text(&m.Activate[i].What)
		c.Text(&m.Activate[i].Version)
	}
}
