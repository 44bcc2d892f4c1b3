package engine

import (
	"maps"
	"math"
	"strings"

	"flyball/detect/stitch"
	"flyball/schema"
	"flyball/schema/wire"
)

// progress is the state of a partition at an offset of flyball.calls: the highest position of every
// source, their times, and the active versions. The same records in the same order give the same
// progress, so that a replay can start from the progress at the committed offset.
type progress struct {
	positions map[schema.Source]schema.Position
	water     stitch.Watermark
	watermark int64 // highest water.Time() so far
	versions  map[string]string
	topics    map[string]string // of the sources: strings that alias no record

	// legacyTo is the highest offset of flyball.calls whose calls are rows of the tables of schema version 4: a process of that
	// version may have written them. -1: none. It does not change.
	legacyTo int64
}

// unknownLegacy is the legacyTo of a record that a process of schema version 4 has written.
const unknownLegacy = math.MinInt64

func newProgress(limits stitch.Limits) *progress {
	return &progress{
		positions: map[schema.Source]schema.Position{},
		water:     stitch.Watermark{Lateness: limits.Lateness, Sources: map[schema.Source]stitch.SourceTime{}},
		versions:  map[string]string{}, topics: map[string]string{}, legacyTo: -1,
	}
}

// change is the effect of one record on progress.
type change struct {
	offset    int64
	source    schema.Source
	position  schema.Position
	eventTime int64
	marks     *wire.Marks
}

func (p *progress) apply(s *change) {
	if s.marks == nil {
		p.positions[s.source] = s.position
		p.water.Note(s.source, s.eventTime, 0)
	} else {
		p.water.Tick(s.marks.At)
		for _, m := range s.marks.Progress {
			p.water.Note(p.own(m.Source), m.EventTime, m.CurrentAt)
		}
		for _, a := range s.marks.Activate {
			p.versions[a.What] = a.Version
		}
	}
	p.watermark = max(p.watermark, p.water.Time())
}

// clone returns a copy that shares no memory with p.
func (p *progress) clone() *progress {
	c := *p
	c.positions, c.versions, c.topics = maps.Clone(p.positions), maps.Clone(p.versions), maps.Clone(p.topics)
	c.water.Sources = maps.Clone(p.water.Sources)
	return &c
}

// own returns the source with strings that do not alias a record: a change is kept until the base
// has passed it, and must not keep its record in memory.
func (p *progress) own(s schema.Source) schema.Source {
	topic, known := p.topics[s.Topic]
	if !known {
		topic = strings.Clone(s.Topic)
		p.topics[topic] = topic
	}
	s.Topic = topic
	return s
}

// ProgressVersion is the newest version of a partition's record. Version 2 has the fields of version 1: it stops a reader
// that does not know that actors are chains of deltas. Version 3 added legacyTo.
const ProgressVersion = 3

// encodeProgress encodes the partition's record: progress as of offset, the first offset that a
// restart reads.
func encodeProgress(p *progress, offset int64, generation uint64) []byte {
	c := wire.NewWriter(nil, wire.KindState, ProgressVersion)
	p.code(c, &offset, &generation)
	return c.Bytes()
}

func decodeProgress(value []byte, limits stitch.Limits) (p *progress, offset int64, generation uint64, err error) {
	c, err := wire.NewReader(value, wire.KindState, ProgressVersion)
	if err != nil {
		return nil, 0, 0, err
	}
	p = newProgress(limits)
	p.code(c, &offset, &generation)
	return p, offset, generation, c.Err
}

func (p *progress) code(c *wire.Coder, offset *int64, generation *uint64) {
	c.Uint(generation)
	c.Int(offset)
	c.Int(&p.watermark)
	c.Int(&p.water.Clock)
	codeMap(c, p.positions, wire.CodeSource, func(v *schema.Position) {
		c.Int(&v.Offset)
		wire.Num(c, &v.Item)
	})
	codeMap(c, p.water.Sources, wire.CodeSource, func(v *stitch.SourceTime) {
		c.Int(&v.EventTime)
		c.Int(&v.CurrentAt)
		c.Int(&v.HeardAt)
	})
	codeMap(c, p.versions, func(c *wire.Coder, k *string) { c.Text(k) }, func(v *string) { c.Text(v) })
	switch {
	case c.Version >= 3:
		c.Int(&p.legacyTo)
	case !c.Encoding:
		p.legacyTo = unknownLegacy
	}
}

// codeMap encodes or decodes a map's entries; their order does not matter.
func codeMap[K comparable, V any](c *wire.Coder, m map[K]V, key func(*wire.Coder, *K), value func(*V)) {
	n := len(m)
	c.Len(&n, 2)
	if c.Encoding {
		for k, v := range m {
			key(c, &k)
			value(&v)
		}
		return
	}
	for range n {
		var k K
		var v V
		key(c, &k)
		value(&v)
		m[k] = v
	}
}
