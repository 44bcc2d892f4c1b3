package mapping

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"flyball/ingest/fields"
	"flyball/ingest/redact"
)

// Sink receives the fields that a mapping finds in a record.
type Sink interface {
	// Set receives the value of a field and the path from which it was read. It returns false if the value cannot be used; the mapping then
	// tries its next source.
	Set(f Field, v fields.Value, with *With, from string) bool
	// Header receives a request header. Its name has the canonical form of fields.Keys.
	Header(p fields.Pair)
	// Known receives a member that the mapping does not name. It returns false if the name is unknown.
	Known(p fields.Pair) bool
	// Keep receives a value that is kept as an attribute.
	Keep(name string, v fields.Value)
}

// maxElements is the maximum number of elements of a list that are read.
const maxElements = 64

// Memory is reused memory of Run and Match. Each goroutine needs its own.
type Memory struct {
	keys   fields.Keys
	vals   []fields.Value
	ranks  []uint8
	pairs  [maxSegments + 1][]fields.Pair
	lines  []fields.Pair
	buffer []byte
	caps   []int
}

// Forget clears the values of the last record.
func (m *Memory) Forget() {
	clear(m.vals[:cap(m.vals)])
	for i := range m.pairs {
		clear(m.pairs[i])
	}
	clear(m.lines[:cap(m.lines)])
}

// Match is the result of Run.
type Match uint8

// Results of Run.
const (
	Mapped  Match = iota
	Ignored       // no call follows from the record
	Unlike        // the record is not a call of this format
	Wrapped       // the second result of Run is the record itself
)

// Recognises reports whether an object has the shape of this format.
func (p *Program) Recognises(pairs []fields.Pair) bool {
next:
	for _, shape := range p.shapes {
		for _, g := range shape {
			v := fields.Get(pairs, g.key)
			if v.Kind == 0 || g.is != "" && v.Text() != g.is || g.prefix != "" && !strings.HasPrefix(v.Text(), g.prefix) {
				continue next
			}
		}
		return true
	}
	return false
}

// HasShape reports whether the mapping defines how its records are recognised.
func (p *Program) HasShape() bool { return len(p.shapes) > 0 }

// Names returns how many members of an object the mapping names.
func (p *Program) Names(pairs []fields.Pair) int {
	n := 0
	for i := range pairs {
		if _, ok := p.root.kids[pairs[i].Key]; ok {
			n++
		}
	}
	return n
}

// IsText reports whether the mapping reads lines of text.
func (p *Program) IsText() bool { return p.pattern != nil }

// Run reads the members of a record and passes the fields to s. If the result is Wrapped, inner is the record itself.
func (p *Program) Run(pairs []fields.Pair, m *Memory, s Sink) (v Match, inner fields.Value) {
	return p.run(pairs, m, s, p.unwrap)
}

// RunHere reads the members of a record as Run does, but not what is wrapped in it.
func (p *Program) RunHere(pairs []fields.Pair, m *Memory, s Sink) Match {
	match, _ := p.run(pairs, m, s, nil)
	return match
}

func (p *Program) run(pairs []fields.Pair, m *Memory, s Sink, unwrap []int) (v Match, inner fields.Value) {
	n := len(p.slots)
	if cap(m.vals) < n {
		m.vals, m.ranks = make([]fields.Value, n), make([]uint8, n)
	}
	m.vals, m.ranks = m.vals[:n], m.ranks[:n]
	clear(m.vals)
	clear(m.ranks)
	p.walk(&p.root, pairs, m, s, 0)
	for _, i := range unwrap {
		if v := m.vals[i]; v.Kind == '{' || v.Kind == '[' || v.Kind == '"' {
			return Wrapped, v
		}
	}
	for i := range p.ignore {
		if p.ignore[i].holds(m.vals) {
			return Ignored, inner
		}
	}
	for i := range p.when {
		if !p.when[i].holds(m.vals) {
			return Unlike, inner
		}
	}
	for i := range p.lines {
		l := &p.lines[i]
		for j := range l.ways {
			if p.apply(l.field, &l.ways[j], m, s) {
				break
			}
		}
	}
	return Mapped, inner
}

func (t *test) holds(vals []fields.Value) bool {
	text := vals[t.slot].Text()
	return (len(t.in) == 0 || slices.Contains(t.in, text)) && (len(t.notIn) == 0 || !slices.Contains(t.notIn, text)) &&
		strings.HasPrefix(text, t.prefix)
}

// walk reads the members of the object at a node.
func (p *Program) walk(at *node, pairs []fields.Pair, m *Memory, s Sink, depth int) {
	for i := range pairs {
		pair := &pairs[i]
		if k := at.kids[pair.Key]; k != nil {
			p.store(k, pair.Val, m, s, depth)
			continue
		}
		if depth > 0 {
			continue
		}
		if p.prefixed(pair, s) || p.known && s.Known(*pair) {
			continue
		}
		if p.rest {
			s.Keep(pair.Name, pair.Val)
		}
	}
}

func (p *Program) prefixed(pair *fields.Pair, s Sink) bool {
	for _, prefix := range p.prefixes {
		if name, ok := strings.CutPrefix(pair.Key, prefix); ok {
			s.Header(fields.Pair{Name: pair.Name[min(len(prefix), len(pair.Name)):], Key: name, Val: pair.Val})
			return true
		}
	}
	return false
}

// store stores the value at a node in its slots and reads its members and elements.
func (p *Program) store(n *node, v fields.Value, m *Memory, s Sink, depth int) {
	for _, at := range n.slots {
		if m.vals[at.slot].Kind == 0 || at.rank >= m.ranks[at.slot] && v.Kind != 'n' {
			m.vals[at.slot], m.ranks[at.slot] = v, at.rank
		}
	}
	if n.attr != "" {
		s.Keep(n.attr, v)
	}
	if n.items != nil && v.Kind == '[' {
		p.storeItems(n, v, m, s, depth)
	}
	if n.kids != nil || n.headers {
		p.storeMembers(n, v, m, s, depth)
	}
}

func (p *Program) storeItems(n *node, list fields.Value, m *Memory, s Sink, depth int) {
	i := 0
	_, _ = fields.Elements(list.Raw, func(e fields.Value) bool {
		if k := n.items[i]; k != nil {
			p.store(k, e, m, s, depth)
		}
		i++
		return i < maxElements
	})
}

// storeMembers reads the members of an object, or of a text that contains an object.
func (p *Program) storeMembers(n *node, v fields.Value, m *Memory, s Sink, depth int) {
	if v.Kind == '"' {
		v = objectInText(v)
	}
	if n.headers && v.Kind == '[' {
		headerList(v, m, s)
		return
	}
	if v.Kind != '{' || depth+1 >= len(m.pairs) {
		return
	}
	inside, _, err := m.keys.Object(v.Raw, 0, m.pairs[depth+1][:0])
	m.pairs[depth+1] = inside
	if err != nil {
		return
	}
	if n.headers {
		for i := range inside {
			s.Header(inside[i])
		}
	}
	p.walk(n, inside, m, s, depth+1)
}

// headerList reads a list of headers, each an object with the members name and value.
func headerList(list fields.Value, m *Memory, s Sink) {
	n := 0
	_, _ = fields.Elements(list.Raw, func(e fields.Value) bool {
		if n++; e.Kind == '{' {
			pair, _, _ := m.keys.Object(e.Raw, 0, nil)
			name := fields.Get(pair, "name").Text()
			s.Header(fields.Pair{Name: name, Key: m.keys.Canonical([]byte(name)), Val: fields.Get(pair, "value")})
		}
		return n < maxElements
	})
}

// objectInText returns the object if a text contains exactly one object, otherwise the text.
func objectInText(text fields.Value) fields.Value {
	raw := bytes.TrimSpace(fields.Unquote(text.Raw))
	if len(raw) == 0 || raw[0] != '{' {
		return text
	}
	if _, end, err := fields.Scan(raw, 0, 0); err != nil || end != len(raw) {
		return text
	}
	return fields.Value{Kind: '{', Raw: raw}
}

// apply tries one rule for a field and reports whether it gave a value.
func (p *Program) apply(f Field, r *rule, m *Memory, s Sink) bool {
	switch {
	case r.constant != "":
		return s.Set(f, fields.Plain(r.constant), &r.with, "")
	case r.template != nil:
		return p.applyTemplate(f, r, m, s)
	}
	for _, i := range r.from {
		v := m.vals[i]
		if v.Kind == 0 || v.Kind == 'n' {
			continue
		}
		if r.list != "" || r.funcs != nil {
			text := r.convert(v)
			if text == "" {
				continue
			}
			v = fields.Plain(text)
		}
		with := &r.with
		if p.slots[i].asserted {
			with = &r.asserted
		}
		if s.Set(f, v, with, p.slots[i].path) {
			return true
		}
	}
	return false
}

func (p *Program) applyTemplate(f Field, r *rule, m *Memory, s Sink) bool {
	text, ok := r.fill(m)
	if text = r.through(text); !ok || text == "" {
		return false
	}
	with := &r.with
	for _, t := range r.template {
		if t.slot >= 0 && p.slots[t.slot].asserted {
			with = &r.asserted
		}
	}
	return s.Set(f, fields.Plain(text), with, "template")
}

// convert applies the functions of the rule to a value. The value is redacted before, because a part of a secret may not be recognised as
// one.
func (r *rule) convert(v fields.Value) string {
	text := readList(v, r.list)
	if !r.secret && redact.Suspicious(text) {
		text = redact.Text(text)
	}
	return r.through(text)
}

func (r *rule) through(text string) string {
	for _, f := range r.funcs {
		if text == "" {
			return ""
		}
		text = f(text)
	}
	return fields.Present(text)
}

func (r *rule) fill(m *Memory) (string, bool) {
	m.buffer = m.buffer[:0]
	for _, t := range r.template {
		if t.slot < 0 {
			m.buffer = append(m.buffer, t.text...)
			continue
		}
		text := m.vals[t.slot].Text()
		if text == "" {
			return "", false
		}
		m.buffer = append(m.buffer, text...)
	}
	return string(m.buffer), true
}

// readList reads a list: a JSON list, or a text with commas, colons or spaces as separators. For a sum it returns the whole list, because
// its parts have a unit.
func readList(v fields.Value, how string) string {
	if v.Kind == '[' && how != "" && how != "first" {
		var parts []string
		_, _ = fields.Elements(v.Raw, func(e fields.Value) bool {
			parts = append(parts, e.Text())
			return len(parts) < maxElements
		})
		v = fields.Plain(strings.Join(parts, ","))
	}
	text := v.Text()
	if how == "" || how == "sum" {
		return text
	}
	parts := strings.FieldsFunc(text, func(c rune) bool { return c == ',' || c == ':' || c == ' ' })
	parts = slices.DeleteFunc(parts, func(s string) bool { return fields.Present(s) == "" })
	if len(parts) == 0 {
		return ""
	}
	switch how {
	case "last":
		return parts[len(parts)-1]
	case "count":
		return strconv.Itoa(len(parts))
	}
	return parts[0]
}
