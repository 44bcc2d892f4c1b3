package clickhouse

import "flyball/schema"

// resources makes the column of resources as "type:id", the form that analysts read.
func resources(name string) column[call] {
	t := &text{}
	a := &arrays{elems: []data{t}}
	const typ = "Array(String)"
	return column[call]{name: name, typ: typ, wire: typ, codec: constant, data: a, put: func(c *call, row int) {
		if len(c.Resources) == 0 {
			return
		}
		at := a.open(row, len(c.Resources))
		for i := range c.Resources {
			t.putResource(at+i, &c.Resources[i])
		}
	}}
}

func (t *text) putResource(row int, r *schema.Resource) {
	if row > t.rows {
		t.buf = zeros(t.buf, row-t.rows)
	}
	t.rows = row + 1
	t.buf = appendLen(t.buf, len(r.Type)+1+len(r.ID))
	t.buf = append(t.buf, r.Type...)
	t.buf = append(t.buf, ':')
	t.buf = append(t.buf, r.ID...)
}

func resourceSources(name string) column[call] {
	f := &fixed{size: 1}
	a := &arrays{elems: []data{f}}
	return column[call]{name: name, typ: "Array(" + enum8(schema.ProvenanceWords) + ")", wire: "Array(Int8)", codec: constant, data: a,
		put: func(c *call, row int) {
			if len(c.Resources) == 0 {
				return
			}
			a.open(row, len(c.Resources))
			for i := range c.Resources {
				f.buf = append(f.buf, byte(c.Resources[i].Source))
			}
		}}
}

func attrs(name string) column[call] {
	keys, values := &words{}, &text{}
	a := &arrays{elems: []data{keys, values}}
	const typ = "Map(LowCardinality(String), String)"
	return column[call]{name: name, typ: typ, wire: typ, codec: phrase, data: a, put: func(c *call, row int) {
		if len(c.Attrs) == 0 {
			return
		}
		at := a.open(row, len(c.Attrs))
		for i := range c.Attrs {
			keys.put(at+i, c.Attrs[i].Key)
			values.put(at+i, c.Attrs[i].Value)
		}
	}}
}
