package decode

import "flyball/ingest/fields"

// setter sets a field of the draft to the value of a field of a record.
type setter func(d *draft, v fields.Value)

// row assigns one setter to several field names.
type row struct {
	set   setter
	names []string
}

func names(set setter, names ...string) row { return row{set, names} }

// ignore sets nothing. It is for fields that do not describe the call or that are read elsewhere.
func ignore(*draft, fields.Value) {}

// table finds the setter of a field by its name. A record has about thirty fields, so a look-up must take only a few nanoseconds: names
// are distributed over buckets by their length and their first, middle and last byte, and most buckets contain one name.
type table struct{ buckets [1024][]entry }

type entry struct {
	name string
	set  setter
}

// newTable returns a table of the rows. It panics if a name occurs twice.
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

// get returns the setter of a name, or nil if the table does not contain it.
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
	return (uint16(n)*7 + uint16(name[0])*5 + uint16(name[n-1])*31 + uint16(name[n/2])*17) & 1023
}

// text returns a setter of a string field that ignores an empty value.
func text(field func(*draft) *string) setter {
	return func(d *draft, v fields.Value) {
		if t := v.Text(); t != "" {
			*field(d) = t
		}
	}
}

// textOrNothing returns a setter of a string field that also sets an empty value.
func textOrNothing(field func(*draft) *string) setter {
	return func(d *draft, v fields.Value) { *field(d) = v.Text() }
}

// firstText returns a setter of a string field that does not change a field that is set.
func firstText(field func(*draft) *string) setter {
	return func(d *draft, v fields.Value) {
		if into := field(d); *into == "" {
			*into = v.Text()
		}
	}
}

// ranked returns a setter of a string field for a source with this rank. It ignores an empty value.
func ranked(have func(*draft) *uint8, rank uint8, field func(*draft) *string) setter {
	return func(d *draft, v fields.Value) { choose(have(d), rank, field(d), v.Text()) }
}
