package decode

import "flyball/ingest/fields"

// setter takes the value of one field of a record into the draft.
type setter func(d *draft, v fields.Value)

// row gives the fields of these names to one setter.
type row struct {
	set   setter
	names []string
}

func names(set setter, names ...string) row { return row{set, names} }

// ignore is for fields that say nothing of the call, or that are read elsewhere.
func ignore(*draft, fields.Value) {}

// table finds the setter of a field by its name. A record has some thirty fields, so a
// look-up has to cost a few nanoseconds: names are spread over buckets by their length,
// first and last byte, and most buckets hold one.
type table struct{ buckets [512][]entry }

type entry struct {
	name string
	set  setter
}

// newTable is the rows by name. A name that stands twice is a mistake in the table.
func newTable(rows ...row) *table {
	t := &table{}
	for _, r := range rows {
		for _, name := range r.names {
			if t.get(name) != nil {
				panic("decode: two rows for the field " + name)
			}
			t.add(name, r.set)
		}
	}
	return t
}

func (t *table) add(name string, set setter) {
	b := &t.buckets[bucketOf(name)]
	*b = append(*b, entry{name, set})
}

// get returns nil for a name that the table does not hold.
func (t *table) get(name string) setter {
	b := t.buckets[bucketOf(name)]
	for i := range b {
		if b[i].name == name {
			return b[i].set
		}
	}
	return nil
}

func bucketOf(name string) uint16 {
	n := len(name)
	if n == 0 {
		return 0
	}
	return (uint16(n)*7 + uint16(name[0])*5 + uint16(name[n-1])*31 + uint16(name[n/2])*17) & 511
}

// text sets a string field of the draft to the value, unless the value is empty.
func text(field func(*draft) *string) setter {
	return func(d *draft, v fields.Value) {
		if t := v.Text(); t != "" {
			*field(d) = t
		}
	}
}

// textOrNothing sets a string field of the draft to the value, also to an empty one.
func textOrNothing(field func(*draft) *string) setter {
	return func(d *draft, v fields.Value) { *field(d) = v.Text() }
}

// firstText sets a string field of the draft if it is empty so far.
func firstText(field func(*draft) *string) setter {
	return func(d *draft, v fields.Value) {
		if into := field(d); *into == "" {
			*into = v.Text()
		}
	}
}

// ranked sets a string field from a source of that rank, unless the value is empty.
func ranked(have func(*draft) *uint8, rank uint8, field func(*draft) *string) setter {
	return func(d *draft, v fields.Value) { choose(have(d), rank, field(d), v.Text()) }
}
