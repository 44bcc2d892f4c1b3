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

// newTable is the rows by name. A name that stands twice is a mistake in the table.
func newTable(rows ...row) map[string]setter {
	t := map[string]setter{}
	for _, r := range rows {
		for _, name := range r.names {
			if t[name] != nil {
				panic("decode: two rows for the field " + name)
			}
			t[name] = r.set
		}
	}
	return t
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
