package plugin

import (
	"fmt"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"

	"flyball/schema"
)

// field is a field of a frame and the function that reads its value from a row.
type field[T any] struct {
	name        string
	description string
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

// optional returns a field for a number that may be unknown (nil).
func optional[T any](name string, get func(*T) *float64) field[T] {
	return field[T]{name: name, empty: func() any { return []*float64{} }, value: func(v *T) any { return get(v) }}
}

func moment[T any](name string, get func(*T) time.Time) field[T] {
	return field[T]{name: name, empty: func() any { return []time.Time{} }, value: func(v *T) any { return get(v).UTC() }}
}

// describedAs returns the field with a description, which Grafana shows at its header.
func (f field[T]) describedAs(description string) field[T] {
	f.description = description
	return f
}

// frame makes a frame of at most limit rows. If there are more rows, a notice shows that some
// are left out.
func frame[T any](name string, visual data.VisType, rows []T, limit int, fields ...field[T]) *data.Frame {
	out := data.NewFrame(name)
	out.Meta = &data.FrameMeta{PreferredVisualization: visual}
	if len(rows) > limit {
		rows = rows[:limit]
		out.AppendNotices(data.Notice{Severity: data.NoticeSeverityInfo,
			Text: fmt.Sprintf("The first %d are shown; there are more. Narrow the range or raise the limit.", limit)})
	}
	for _, f := range fields {
		column := data.NewField(f.name, nil, f.empty())
		column.Config = &data.FieldConfig{Description: f.description}
		for i := range rows {
			column.Append(f.value(&rows[i]))
		}
		out.Fields = append(out.Fields, column)
	}
	return out
}
