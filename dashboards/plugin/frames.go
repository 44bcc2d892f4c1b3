package plugin

import (
	"fmt"
	"math"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/schema"
)

// field is a field of a frame and the function that reads its value from a row.
type field[T any] struct {
	name        string
	description string
	unit        string // of Grafana; empty: a plain number, or a text
	decimals    int    // of a number
	hidden      bool   // Explore does not show it
	empty       func() any
	value       func(*T) any
}

// text returns a field for a text, with characters that Grafana does not show escaped.
func text[T any](name string, get func(*T) string) field[T] {
	return field[T]{name: name, empty: func() any { return []string{} }, value: func(v *T) any { return schema.Visible(get(v)) }}
}

func number[T any, N int64 | uint64 | uint32 | float64](name string, get func(*T) N) field[T] {
	return optional(name, func(v *T) *float64 {
		n := float64(get(v))
		return &n
	})
}

// optional returns a field for a number that may be unknown (nil). What is not finite is unknown.
func optional[T any](name string, get func(*T) *float64) field[T] {
	return field[T]{name: name, empty: func() any { return []*float64{} }, value: func(v *T) any {
		n := get(v)
		if n != nil && (math.IsNaN(*n) || math.IsInf(*n, 0)) {
			n = nil
		}
		return n
	}}
}

// moment returns a field for a time; the zero time is unknown.
func moment[T any](name string, get func(*T) time.Time) field[T] {
	return field[T]{name: name, empty: func() any { return []*time.Time{} }, value: func(v *T) any {
		at := get(v).UTC()
		if at.IsZero() || at.Unix() == 0 {
			return (*time.Time)(nil)
		}
		return &at
	}}
}

// describedAs returns the field with a description, which Grafana shows at its header.
func (f field[T]) describedAs(description string) field[T] {
	f.description = description
	return f
}

// inUnit returns the field with a unit of Grafana and a number of decimals.
func (f field[T]) inUnit(unit string, decimals int) field[T] {
	f.unit, f.decimals = unit, decimals
	return f
}

// config returns what Grafana has to know about the field.
func (f field[T]) config() *data.FieldConfig {
	c := &data.FieldConfig{Description: f.description, Unit: f.unit}
	if _, isNumber := f.empty().([]*float64); isNumber {
		decimals := uint16(f.decimals)
		c.Decimals = &decimals
	}
	if f.hidden {
		c.Custom = hiddenInTables()
	}
	return c
}

// hiddenInTables are the settings of a field that tables do not show by themselves, for Grafana before and after 12.2.
func hiddenInTables() map[string]any {
	return map[string]any{"hidden": true, "hideFrom": map[string]bool{"viz": true, "legend": false, "tooltip": false}}
}

// forLinks returns the field as one that links read and nobody sees.
func (f field[T]) forLinks() field[T] {
	f.hidden = true
	return f
}

// frame makes a frame of at most limit rows. If there are more rows, a notice shows that some
// are left out.
func frame[T any](name string, visual data.VisType, rows []T, limit int, fields ...field[T]) *data.Frame {
	out := data.NewFrame(name)
	out.Meta = &data.FrameMeta{PreferredVisualization: visual}
	if len(rows) > limit {
		rows = rows[:limit]
		out.AppendNotices(leftOut(limit))
	}
	for _, f := range fields {
		column := data.NewField(f.name, nil, f.empty())
		column.Config = f.config()
		for i := range rows {
			column.Append(f.value(&rows[i]))
		}
		out.Fields = append(out.Fields, column)
	}
	return out
}

// table makes a frame for a table. Without rows, a notice says so.
func table[T any](name string, rows []T, limit int, nothing string, fields ...field[T]) *data.Frame {
	out := frame(name, data.VisTypeTable, rows, limit, fields...)
	appendShown(out)
	if len(rows) == 0 && nothing != "" {
		out.AppendNotices(data.Notice{Severity: data.NoticeSeverityInfo, Text: nothing})
	}
	return out
}

// leftOut is the notice of a frame that has only the first rows.
func leftOut(limit int) data.Notice {
	return data.Notice{Severity: data.NoticeSeverityInfo,
		Text: fmt.Sprintf("The first %d are shown; there are more. Narrow the range or raise the limit.", limit)}
}
