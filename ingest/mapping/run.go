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

// Run reads the members of a record and passes the fields to s. If the result is Wrapped, inner is the record itself.
func (p *Program) Run(pairs []fields.Pair, m *Memory, s Sink) (v Match, inner fields.Value) {
	return p.run(pairs, m, s, p.unwrap)
}

// RunHere reads the members of a record as Run does, but not what is wrapped in it.
func (p *Program) RunHere(pairs []fields.Pair, m *Memory, s Sink) Match {
	match, _ := p.run(pairs, m, s, nil)
	return match
}

// execution is one run of a program over a record.
type execution struct {
	p    *Program
	m    *Memory
	sink Sink
}

func (p *Program) run(pairs []fields.Pair, m *Memory, s Sink, unwrap []int) (v Match, inner fields.Value) {
	n := len(p.slots)
	if cap(m.vals) < n {
		m.vals, m.ranks = make([]fields.Value, n), make([]uint8, n)
	}
	m.vals, m.ranks = m.vals[:n], m.ranks[:n]
	clear(m.vals)
	clear(m.ranks)
	x := execution{p, m, s}
	x.walk(&p.root, pairs, 0)
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
	for i := range p.assignments {
		a := &p.assignments[i]
		for j := range a.rules {
			if x.apply(a.field, &a.rules[j]) {
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
func (x *execution) walk(at *node, pairs []fields.Pair, depth int) {
	for i := range pairs {
		pair := &pairs[i]
		if k := at.kids[pair.Key]; k != nil {
			x.store(k, pair.Val, depth)
			continue
		}
		if depth > 0 {
			continue
		}
		if x.prefixed(pair) || x.p.known && x.sink.Known(*pair) {
			continue
		}
		if x.p.rest {
			x.sink.Keep(pair.Name, pair.Val)
		}
	}
}

func (x *execution) prefixed(pair *fields.Pair) bool {
	for _, prefix := range x.p.prefixes {
		if name, ok := strings.CutPrefix(pair.Key, prefix); ok {
			x.sink.Header(fields.Pair{Name: pair.Name[min(len(prefix), len(pair.Name)):], Key: name, Val: pair.Val})
			return true
		}
	}
	return false
}

// store stores the value at a node in its slots and reads its members and elements.
func (x *execution) store(n *node, v fields.Value, depth int) {
	for _, at := range n.slots {
		if x.m.vals[at.slot].Kind == 0 || at.rank >= x.m.ranks[at.slot] && v.Kind != 'n' {
			x.m.vals[at.slot], x.m.ranks[at.slot] = v, at.rank
		}
	}
	if n.attr != "" {
		x.sink.Keep(n.attr, v)
	}
	if n.items != nil && v.Kind == '[' {
		x.storeItems(n, v, depth)
	}
	if n.kids != nil || n.headers {
		x.storeMembers(n, v, depth)
	}
}

func (x *execution) storeItems(n *node, list fields.Value, depth int) {
	i := 0
	_, _ = fields.Elements(list.Raw, func(e fields.Value) bool {
		if k := n.items[i]; k != nil {
			x.store(k, e, depth)
		}
		i++
		return i < maxElements
	})
}

// storeMembers reads the members of an object, or of a text that contains an object.
func (x *execution) storeMembers(n *node, v fields.Value, depth int) {
	if v.Kind == '"' {
		v = objectInText(v)
	}
	if n.headers && v.Kind == '[' {
		x.headerList(v)
		return
	}
	if v.Kind != '{' || depth+1 >= len(x.m.pairs) {
		return
	}
	inside, _, err := x.m.keys.Object(v.Raw, 0, x.m.pairs[depth+1][:0])
	x.m.pairs[depth+1] = inside
	if err != nil {
		return
	}
	if n.headers {
		for i := range inside {
			x.sink.Header(inside[i])
		}
	}
	x.walk(n, inside, depth+1)
}

// headerList reads a list of headers, each an object with the members name and value.
func (x *execution) headerList(list fields.Value) {
	n := 0
	_, _ = fields.Elements(list.Raw, func(e fields.Value) bool {
		if n++; e.Kind == '{' {
			pair, _, _ := x.m.keys.Object(e.Raw, 0, nil)
			name := fields.Get(pair, "name").Text()
			x.sink.Header(fields.Pair{Name: name, Key: x.m.keys.Canonical([]byte(name)), Val: fields.Get(pair, "value")})
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
func (x *execution) apply(f Field, r *rule) bool {
	switch {
	case r.constant != "":
		return x.sink.Set(f, fields.Plain(r.constant), &r.with, "")
	case r.template != nil:
		return x.applyTemplate(f, r)
	}
	for _, i := range r.from {
		v := x.m.vals[i]
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
		if x.p.slots[i].asserted {
			with = &r.asserted
		}
		if x.sink.Set(f, v, with, x.p.slots[i].path) {
			return true
		}
	}
	return false
}

func (x *execution) applyTemplate(f Field, r *rule) bool {
	text, ok := r.fill(x.m)
	if text = r.through(text); !ok || text == "" {
		return false
	}
	with := &r.with
	for _, t := range r.template {
		if t.slot >= 0 && x.p.slots[t.slot].asserted {
			with = &r.asserted
		}
	}
	return x.sink.Set(f, fields.Plain(text), with, "template")
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
