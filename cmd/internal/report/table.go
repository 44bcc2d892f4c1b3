package report

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"flyball/schema/clickhouse/query"
)

// Column is one column of a table: its head, and a function that returns its cell for a row.
type Column[T any] struct {
	Head string
	Cell func(*T) any
}

// Rows prints rows as a table for people. The width of a column is that of its longest cell.
func Rows[T any](w io.Writer, rows []T, columns []Column[T]) error {
	heads := make([]string, len(columns))
	for i, c := range columns {
		heads[i] = c.Head
	}
	return table(w, heads, func(row func(...any)) {
		cells := make([]any, len(columns))
		for i := range rows {
			for k, c := range columns {
				cells[k] = c.Cell(&rows[i])
			}
			row(cells...)
		}
	})
}

// Table prints a table with rows of different kinds. heads are the heads of its columns,
// separated by " | ".
func Table(w io.Writer, heads string, rows func(row func(cells ...any))) error {
	return table(w, strings.Split(heads, " | "), rows)
}

func table(w io.Writer, heads []string, rows func(row func(cells ...any))) error {
	return Lines(w, func(row func(cells ...any)) {
		row(asCells(heads)...)
		rows(row)
	})
}

// Heads returns the heads of a table as the cells of a row.
func Heads(heads string) []any { return asCells(strings.Split(heads, " | ")) }

func asCells(texts []string) []any {
	out := make([]any, len(texts))
	for i, s := range texts {
		out[i] = s
	}
	return out
}

// Lines prints lines with cells that are aligned in columns, without heads. All tables use
// this function; it escapes control characters in cells. A row without cells begins a new
// block of lines.
func Lines(w io.Writer, rows func(row func(cells ...any))) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	rows(func(cells ...any) {
		for i, c := range cells {
			if i > 0 {
				fmt.Fprint(t, "\t")
			}
			fmt.Fprint(t, visible(c))
		}
		fmt.Fprintln(t)
	})
	return t.Flush()
}

// Second returns an RFC 3339 time with seconds, in the form of tables. Another text is
// returned as by Dash.
func Second(stamp string) string { return stampAs(time.DateTime, stamp) }

// Millisecond returns the time of day of an RFC 3339 time with milliseconds. Another text is
// returned as by Dash.
func Millisecond(stamp string) string { return stampAs("15:04:05.000", stamp) }

func stampAs(layout, stamp string) string {
	t, err := time.Parse(time.RFC3339Nano, stamp)
	if err != nil {
		return Dash(stamp)
	}
	return t.UTC().Format(layout)
}

const clockLayout = "2006-01-02 15:04:05.000"

// clock returns a time with milliseconds; for a time that is not known, "-" in the same width.
func clock(t query.Time) string {
	if t.IsZero() {
		return fmt.Sprintf("%-*s", len(clockLayout), "-")
	}
	return t.UTC().Format(clockLayout)
}

// Dash returns a text, or "-" if it is empty.
func Dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
