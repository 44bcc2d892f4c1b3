package stitch

import (
	"strings"

	"flyball/schema/wire"
)

func codeSighting(c *wire.Coder, s *sighting) {
	c.Fixed64(&s.request)
	c.Fixed64(&s.span)
	c.Fixed64(&s.content)
	if c.Version >= 8 {
		c.Fixed64(&s.host)
		c.Fixed64(&s.args)
		wire.Small(c, &s.argsBasis)
	}
	if c.Version >= 10 {
		c.Fixed64(&s.what)
		c.Fixed64(&s.tool)
		c.Fixed64(&s.hostname)
		c.Bool(&s.checked)
	}
	c.Int(&s.start)
	wire.Small(c, &s.observers)
	c.Text(&s.record)
	if !c.Encoding {
		s.record = strings.Clone(s.record)
	}
}

// hashes returns the hashes of a sighting in the order in which they are stored.
func (s *sighting) hashes() [8]*uint64 {
	return [...]*uint64{&s.request, &s.span, &s.content, &s.what, &s.tool, &s.host, &s.hostname, &s.args}
}

// codeAfter encodes or decodes a sighting as its difference from the one before in the list. The sightings of a run have most
// in common, and are a third of what is stored of a short run.
func (s *sighting) codeAfter(c *wire.Coder, before *sighting) {
	s.codeNumbersAfter(c, before)
	shared := 0
	for shared < min(len(s.record), len(before.record)) && s.record[shared] == before.record[shared] {
		shared++
	}
	rest := s.record[shared:]
	codeRecordAfter(c, &shared, &rest, len(before.record))
	if c.Encoding || c.Err != nil {
		return
	}
	s.record = strings.Clone(rest) // an empty string and another are not copied
	if shared > 0 {
		s.record = before.record[:shared] + rest
	}
}

func (s *sighting) codeNumbersAfter(c *wire.Coder, before *sighting) {
	var same uint8 // a bit for each hash that is equal
	mine, its := s.hashes(), before.hashes()
	if c.Encoding {
		for i := range mine {
			if *mine[i] == *its[i] {
				same |= 1 << i
			}
		}
	}
	wire.Small(c, &same)
	for i := range mine {
		if same>>i&1 == 0 {
			c.Fixed64(mine[i])
		} else if !c.Encoding {
			*mine[i] = *its[i]
		}
	}
	wire.Small(c, &s.argsBasis)
	c.Bool(&s.checked)
	wire.Small(c, &s.observers)
	later := s.start - before.start
	c.Int(&later)
	s.start = before.start + later
}

// codeRecordAfter encodes or decodes how many bytes a record_id shares with the one before, which has so many bytes, and the rest.
func codeRecordAfter(c *wire.Coder, shared *int, rest *string, before int) {
	wire.Num(c, shared)
	c.Text(rest)
	if !c.Encoding && *shared > before {
		c.Refuse("a record_id that shares more than there is")
	}
}

// minSighting is how many bytes an encoded sighting has at least.
const minSighting = 6

func codeSightings(c *wire.Coder, r *Run) {
	n := len(r.sightings)
	c.Len(&n, minSighting)
	if !c.Encoding && n > 0 {
		r.sightings = make([]sighting, n)
	}
	var before sighting
	for i := range r.sightings {
		s := &r.sightings[i]
		if c.Version < deltaVersion {
			codeSighting(c, s)
			continue
		}
		s.codeAfter(c, &before)
		before = *s
	}
	codeOldest(c, &r.oldestSighting, n)
	if !c.Encoding && c.Version < 8 {
		// Before version 8 they do not contain the path. They are dropped: for a minute both rows
		// of a call are counted.
		r.sightings, r.oldestSighting = nil, 0
	}
}

// checkSightings reads the sightings of a run that is stored in a delta, as codeSightings does, and keeps none.
func checkSightings(c *wire.Coder) {
	var n, length, shared int // length of the record_id before
	var oldest uint16
	var s sighting
	c.Len(&n, minSighting)
	for range n {
		s.codeNumbersAfter(c, &s)
		rest := ""
		codeRecordAfter(c, &shared, &rest, length)
		length = shared + len(rest)
	}
	codeOldest(c, &oldest, n)
}

// codeOldest encodes or decodes the index of the oldest of n sightings.
func codeOldest(c *wire.Coder, oldest *uint16, n int) {
	wire.Num(c, oldest)
	if *oldest > 0 && int(*oldest) >= n {
		c.Refuse("an index beyond the remembered sightings")
	}
}
