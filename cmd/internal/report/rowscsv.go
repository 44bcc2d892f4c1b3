package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
)

// RowsCSV prints a list as CSV. Its columns are the fields of the list's JSON, in that order; a field with several values is JSON in
// its cell. Cells are safe for a spreadsheet, as in TouchedCSV.
func RowsCSV(w io.Writer, rows any) error {
	var text bytes.Buffer
	if err := JSON(&text, rows); err != nil {
		return err
	}
	if bytes.Equal(bytes.TrimSpace(text.Bytes()), []byte("null")) { // no rows
		text = *bytes.NewBufferString("[]")
	}
	list, err := orderedRows(text.Bytes())
	if err != nil {
		return fmt.Errorf("-o csv: %w", err)
	}
	heads := jsonFields(reflect.TypeOf(rows))
	for _, row := range list {
		for _, f := range row {
			if !slices.Contains(heads, f.name) {
				heads = append(heads, f.name)
			}
		}
	}
	if len(heads) == 0 {
		return nil
	}
	c := csv.NewWriter(w)
	_ = c.Write(heads)
	for _, row := range list {
		line := make([]string, len(heads))
		for _, f := range row {
			line[slices.Index(heads, f.name)] = safeCell(f.text())
		}
		_ = c.Write(line)
	}
	c.Flush()
	return c.Error()
}

// jsonValue is one field of a JSON object.
type jsonValue struct {
	name  string
	value json.RawMessage
}

// text returns the value as the text of a cell; empty for null.
func (v jsonValue) text() string {
	var s string
	switch {
	case string(v.value) == "null":
		return ""
	case json.Unmarshal(v.value, &s) == nil:
		return s
	}
	var b bytes.Buffer
	if json.Compact(&b, v.value) != nil {
		return string(v.value)
	}
	return b.String()
}

// orderedRows reads an array of JSON objects; their fields keep their order.
func orderedRows(text []byte) (rows [][]jsonValue, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	open := func(want json.Delim) error {
		if t, err := d.Token(); err != nil || t != want {
			return fmt.Errorf("the result is no list of objects (%v, %v)", t, err)
		}
		return nil
	}
	if err := open('['); err != nil {
		return nil, err
	}
	for d.More() {
		if err := open('{'); err != nil {
			return nil, err
		}
		var row []jsonValue
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return nil, err
			}
			v := jsonValue{name: fmt.Sprint(name)}
			if err := d.Decode(&v.value); err != nil {
				return nil, err
			}
			row = append(row, v)
		}
		if _, err := d.Token(); err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// jsonFields returns the fields that the JSON of a list of structs always has; none of a type that writes its JSON itself.
func jsonFields(list reflect.Type) (names []string) {
	if list == nil || list.Kind() != reflect.Slice {
		return nil
	}
	row := list.Elem()
	if row.Kind() == reflect.Pointer {
		row = row.Elem()
	}
	if row.Kind() != reflect.Struct || reflect.PointerTo(row).Implements(reflect.TypeFor[json.Marshaler]()) {
		return nil
	}
	for _, f := range reflect.VisibleFields(row) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case !f.IsExported() || name == "-" || f.Anonymous && name == "" || strings.Contains(options, "omit"):
			continue
		case name == "":
			name = f.Name
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
